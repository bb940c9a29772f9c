"""Which networks, subnets, ports and floating IPs an acting user may see (network contract 12)."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from cyclades.logic.visibility import owned_or_shared, visible_servers
from cyclades.models import IPAddress, Network, Port, Subnet
from synnefo.credentials import Credentials
from synnefo.errors import NotFound


def visible_networks(credentials: Credentials) -> QuerySet[Network]:
    """Return own, shared and public networks, deleted ones too."""
    if credentials.is_admin:
        return Network.objects.all()
    return Network.objects.filter(owned_or_shared(credentials) | Q(public=True))


def visible_subnets(credentials: Credentials) -> QuerySet[Subnet]:
    """Return the subnets of visible networks."""
    if credentials.is_admin:
        return Subnet.objects.all()
    return Subnet.objects.filter(network__in=visible_networks(credentials))


def visible_floating_ips(credentials: Credentials) -> QuerySet[IPAddress]:
    """Return own and shared floating IPs, released ones too."""
    return IPAddress.objects.filter(owned_or_shared(credentials), floating_ip=True)


def visible_ports(credentials: Credentials) -> QuerySet[Port]:
    """Return own ports, those of visible servers and private networks, and those with a floating IP."""
    if credentials.is_admin:
        return Port.objects.all()
    floating = visible_floating_ips(credentials).filter(nic=OuterRef("pk"), deleted=False)
    return Port.objects.filter(
        Q(userid=credentials.user_id)
        | Q(machine__in=visible_servers(credentials))
        | Q(network__in=visible_networks(credentials).filter(public=False))
        | Exists(floating)
    )


def seen_network(credentials: Credentials, network_id: int) -> Network:
    """Return a visible network; raises ``NotFound``."""
    network = visible_networks(credentials).filter(pk=network_id).first()
    if network is None:
        raise NotFound(f"Network {network_id} not found.")
    return network


def seen_port(credentials: Credentials, port_id: int) -> Port:
    """Return a visible port with its network and server; raises ``NotFound``."""
    port = visible_ports(credentials).select_related("network", "machine__backend").filter(pk=port_id).first()
    if port is None:
        raise NotFound(f"Port {port_id} not found.")
    return port


def seen_floating_ip(credentials: Credentials, ip_id: int) -> IPAddress:
    """Return a visible floating IP that was not released, with its port; raises ``NotFound``."""
    ip = visible_floating_ips(credentials).select_related("nic").filter(pk=ip_id, deleted=False).first()
    if ip is None:
        raise NotFound(f"Floating IP with ID {ip_id} does not exist.")
    return ip
