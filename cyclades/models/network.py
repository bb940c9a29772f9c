"""Networks, subnets, ports and addresses (network contract 2)."""

from __future__ import annotations

from django.db import models

from cyclades.models.server import Server
from cyclades.models.states import NetworkState, PortState


class Network(models.Model):
    """A network; ``userid`` is null for an administrator's public one, ``tags`` is a comma list."""

    name = models.CharField(max_length=128)
    userid = models.CharField(max_length=128, null=True, db_index=True)
    project = models.CharField(max_length=255, null=True, db_index=True)
    shared_to_project = models.BooleanField(default=False)
    flavor = models.CharField(max_length=32)
    mode = models.CharField(max_length=16, null=True)
    link = models.CharField(max_length=32, null=True)
    mac_prefix = models.CharField(max_length=32)
    tags = models.CharField(max_length=128, blank=True, default="")
    public = models.BooleanField(default=False, db_index=True)
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)
    deleted = models.BooleanField(default=False)
    state = models.CharField(max_length=32, choices=NetworkState.choices, default=NetworkState.PENDING)
    action = models.CharField(max_length=32, null=True)
    drained = models.BooleanField(default=False)
    floating_ip_pool = models.BooleanField(default=False)
    external_router = models.BooleanField(default=False)
    serial = models.BigIntegerField(null=True)

    class Meta:
        db_table = "cyclades_network"
        ordering = ("pk",)
        indexes = [models.Index(fields=["userid", "deleted", "id"], name="cyclades_network_owner_idx")]

    def __str__(self) -> str:
        return f"network {self.pk} ({self.name})"


class Subnet(models.Model):
    """An address range of a network, at most one for each IP version."""

    network = models.ForeignKey(Network, on_delete=models.CASCADE, related_name="subnets")
    userid = models.CharField(max_length=128, null=True, db_index=True)
    public = models.BooleanField(default=False)
    name = models.CharField(max_length=128, blank=True, default="")
    ipversion = models.PositiveSmallIntegerField()
    cidr = models.CharField(max_length=64)
    gateway = models.CharField(max_length=64, null=True)
    dhcp = models.BooleanField(default=True)
    deleted = models.BooleanField(default=False)
    host_routes = models.JSONField(default=list)
    dns_nameservers = models.JSONField(default=list)
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "cyclades_subnet"
        ordering = ("pk",)
        constraints = [
            models.UniqueConstraint(
                fields=["network", "ipversion"],
                condition=models.Q(deleted=False),
                name="cyclades_subnet_version_uniq",
            ),
            models.CheckConstraint(
                condition=models.Q(ipversion__in=(4, 6)), name="cyclades_subnet_version_check"
            ),
        ]

    def __str__(self) -> str:
        return f"subnet {self.cidr} of network {self.network_id}"


class Port(models.Model):
    """A network interface; called NIC on the Ganeti side."""

    name = models.CharField(max_length=128, blank=True, default="")
    userid = models.CharField(max_length=128, null=True, db_index=True)
    machine = models.ForeignKey(Server, null=True, on_delete=models.CASCADE, related_name="ports")
    network = models.ForeignKey(Network, on_delete=models.CASCADE, related_name="ports")
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)
    index = models.PositiveIntegerField(null=True)
    mac = models.CharField(max_length=32, null=True, unique=True)
    firewall_profile = models.CharField(max_length=30, null=True)
    state = models.CharField(max_length=32, choices=PortState.choices, default=PortState.BUILD)
    public = models.BooleanField(default=False)
    device_owner = models.CharField(max_length=128, null=True)
    security_groups = models.JSONField(default=list)

    class Meta:
        db_table = "cyclades_port"
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"port {self.pk} on network {self.network_id}"


class IPAddress(models.Model):
    """An address in use: of a port, or a user's floating IP."""

    subnet = models.ForeignKey(Subnet, on_delete=models.CASCADE, related_name="ips")
    network = models.ForeignKey(Network, on_delete=models.CASCADE, related_name="ips")
    nic = models.ForeignKey(Port, null=True, on_delete=models.SET_NULL, related_name="ips")
    userid = models.CharField(max_length=128, null=True, db_index=True)
    project = models.CharField(max_length=255, null=True, db_index=True)
    shared_to_project = models.BooleanField(default=False)
    address = models.CharField(max_length=64)
    floating_ip = models.BooleanField(default=False)
    ipversion = models.PositiveSmallIntegerField()
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)
    deleted = models.BooleanField(default=False)
    serial = models.BigIntegerField(null=True)

    class Meta:
        db_table = "cyclades_ipaddress"
        ordering = ("pk",)
        constraints = [
            models.UniqueConstraint(
                fields=["network", "address"],
                condition=models.Q(deleted=False),
                name="cyclades_ipaddress_use_uniq",
            )
        ]

    def __str__(self) -> str:
        return self.address


class IPAddressHistory(models.Model):
    """Who had a public address, and when; rows are never changed."""

    address = models.CharField(max_length=64, db_index=True)
    server_id = models.BigIntegerField()
    network_id = models.BigIntegerField()
    user_id = models.CharField(max_length=128, blank=True, default="")
    action = models.CharField(
        max_length=32, choices=[("associate", "associate"), ("disassociate", "disassociate")]
    )
    action_date = models.DateTimeField()
    action_reason = models.CharField(max_length=1024, blank=True, default="")

    class Meta:
        db_table = "cyclades_ipaddresshistory"
        ordering = ("action_date", "pk")

    def __str__(self) -> str:
        return f"{self.action} {self.address} server {self.server_id}"
