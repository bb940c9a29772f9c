"""Ganeti clusters and what of ours exists on them (Ganeti contract 1.1)."""

from __future__ import annotations

from django.db import models

from cyclades.models.states import NetworkState

MAX_BACKENDS = 16


class Backend(models.Model):
    """One Ganeti cluster.

    ``index`` is the hex digit appended to MAC prefixes, so there are at most 16; memory and disk are in
    MiB. ``password_hash`` holds the RAPI password encrypted for purpose ``backend-password``.
    """

    clustername = models.CharField(max_length=128, unique=True)
    port = models.PositiveIntegerField(default=5080)
    username = models.CharField(max_length=64, blank=True, default="")
    password_hash = models.CharField(max_length=512, blank=True, default="")
    index = models.PositiveIntegerField(default=0, unique=True)
    drained = models.BooleanField(default=False)
    offline = models.BooleanField(default=False)
    public = models.BooleanField(default=True)
    hypervisor = models.CharField(max_length=32, default="kvm")
    disk_templates = models.JSONField(default=list)
    updated = models.DateTimeField()
    mfree = models.PositiveBigIntegerField(default=0)
    mtotal = models.PositiveBigIntegerField(default=0)
    dfree = models.PositiveBigIntegerField(default=0)
    dtotal = models.PositiveBigIntegerField(default=0)
    pinst_cnt = models.PositiveIntegerField(default=0)
    ctotal = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "cyclades_backend"
        ordering = ("clustername",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(index__lt=MAX_BACKENDS), name="cyclades_backend_slot_check"
            )
        ]

    def __str__(self) -> str:
        return f"{self.clustername} (id {self.pk})"


class ProjectBackend(models.Model):
    """Reserves a backend for a project."""

    project = models.CharField(max_length=255)
    backend = models.ForeignKey(Backend, on_delete=models.CASCADE, related_name="projects")

    class Meta:
        db_table = "cyclades_projectbackend"
        constraints = [
            models.UniqueConstraint(fields=["project", "backend"], name="cyclades_projectbackend_pair_uniq")
        ]

    def __str__(self) -> str:
        return f"{self.project} on backend {self.backend_id}"


class JobFields(models.Model):
    """The last Ganeti event applied to a row."""

    backendjobid = models.BigIntegerField(null=True, blank=True)
    backendopcode = models.CharField(max_length=64, blank=True, default="")
    backendjobstatus = models.CharField(max_length=30, blank=True, default="")
    backendlogmsg = models.TextField(blank=True, default="")
    backendtime = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


class BackendNetwork(JobFields):
    """A network's presence on one backend (network contract 10)."""

    network = models.ForeignKey("cyclades.Network", on_delete=models.CASCADE, related_name="backend_networks")
    backend = models.ForeignKey(Backend, on_delete=models.PROTECT, related_name="networks")
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)
    deleted = models.BooleanField(default=False)
    mac_prefix = models.CharField(max_length=32, blank=True, default="")
    operstate = models.CharField(max_length=30, choices=NetworkState.choices, default=NetworkState.PENDING)

    class Meta:
        db_table = "cyclades_backendnetwork"
        constraints = [
            models.UniqueConstraint(fields=["network", "backend"], name="cyclades_backendnetwork_pair_uniq")
        ]

    def __str__(self) -> str:
        return f"network {self.network_id} on backend {self.backend_id}"
