"""Subnets: made once, renamed, gone with their network (network contract 5)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from cyclades.logic import cidrs
from cyclades.logic.cidrs import Gateway, GatewayChoice, Range, SubnetRanges
from cyclades.logic.network_visibility import seen_network, visible_subnets
from cyclades.models import IPPool, Network, Subnet
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one, retry_on_deadlock
from synnefo.errors import BadRequest, Forbidden, NotFound

MAX_NAME = 128
MAX_ROUTES = 100


@dataclass(frozen=True)
class SubnetRequest:
    """A wanted subnet; ``pools`` ``None`` means all hosts but the gateway."""

    cidr: str
    ipversion: int = 4
    name: str = ""
    gateway: Gateway = GatewayChoice.FIRST
    pools: Sequence[Range] | None = None
    dhcp: bool = True
    dns_nameservers: Sequence[str] = ()
    host_routes: Sequence[Any] = field(default_factory=tuple)


def list_subnets(credentials: Credentials) -> QuerySet[Subnet]:
    """Return all visible subnets with their pools, deleted ones too."""
    return visible_subnets(credentials).select_related("network").prefetch_related("ip_pools")


def get_subnet(credentials: Credentials, *, subnet_id: int) -> Subnet:
    """Return a visible subnet, which may be deleted; raises ``NotFound``."""
    subnet = list_subnets(credentials).filter(pk=subnet_id).first()
    if subnet is None:
        raise NotFound(f"Subnet {subnet_id} not found.")
    return subnet


@retry_on_deadlock
def create(credentials: Credentials, *, network_id: int, request: SubnetRequest) -> Subnet:
    """Create a subnet of an own network that no server was ever connected to.

    Raises ``NotFound``, ``Forbidden`` for another's network, ``BadRequest``, ``OverLimit`` for the size
    and ``Conflict`` for allocation pools.
    """
    with atomic():
        network = seen_network(credentials, network_id)
        if network.deleted:
            raise BadRequest("Network has been deleted.")
        _require_owner(credentials, network)
        network = lock_one(Network.objects.filter(pk=network_id))
        subnet = add_subnet(network, request)
        # The network shows its subnets, to those who poll for changes, too.
        network.save(update_fields=["updated"])
        audit.record(credentials, "subnet.create", f"subnet:{subnet.pk}", network=network_id)
    return subnet


def add_subnet(network: Network, request: SubnetRequest) -> Subnet:
    """Add a subnet to a locked network; the rules that do not depend on who asks."""
    if request.ipversion not in (4, 6):
        raise BadRequest("Malformed IP version type: 'ip_version' must be 4 or 6")
    if len(request.name) > MAX_NAME:
        raise BadRequest(f"'name' has at most {MAX_NAME} characters")
    if network.subnets.filter(deleted=False, ipversion=request.ipversion).exists():
        raise BadRequest(f"Only one subnet of IPv{request.ipversion} per network is allowed.")
    if network.backend_networks.exists():
        raise BadRequest(
            f"Cannot create subnet in network {network.pk}, VMs are already connected to this network"
        )
    ranges = cidrs.plan(
        ipversion=request.ipversion, cidr=request.cidr, gateway=request.gateway, pools=request.pools
    )
    subnet = Subnet.objects.create(
        network=network,
        userid=network.userid,
        public=network.public,
        name=request.name,
        ipversion=request.ipversion,
        cidr=str(ranges.cidr),
        gateway=ranges.gateway,
        dhcp=request.dhcp,
        dns_nameservers=_checked_dns(request.dns_nameservers),
        host_routes=_checked_routes(request.host_routes),
    )
    _create_pools(subnet, ranges)
    return subnet


def _create_pools(subnet: Subnet, ranges: SubnetRanges) -> None:
    base = int(ranges.cidr.network_address)
    for start, end in ranges.pools:
        IPPool.objects.create(subnet=subnet, offset=int(start) - base, size=int(end) - int(start) + 1)


def _checked_dns(servers: Sequence[str]) -> list[str]:
    if len(servers) > MAX_ROUTES:
        raise BadRequest(f"'dns_nameservers' has at most {MAX_ROUTES} items")
    return [cidrs.parse_address(server, "dns_nameservers") for server in servers]


def _checked_routes(routes: Sequence[Any]) -> list[Any]:
    """Return routes as they were given; Neutron's clients send objects, kamaki text."""
    if len(routes) > MAX_ROUTES:
        raise BadRequest(f"'host_routes' has at most {MAX_ROUTES} items")
    for route in routes:
        values = list(route.values()) if isinstance(route, dict) else [route]
        if len(values) > 4 or not all(isinstance(value, str) and len(value) <= 255 for value in values):
            raise BadRequest("'host_routes' are strings or objects with 'destination' and 'nexthop'")
    return list(routes)


@retry_on_deadlock
def rename(credentials: Credentials, *, subnet_id: int, name: str) -> Subnet:
    """Rename a subnet of an own network; raises ``NotFound``, ``Forbidden`` and ``BadRequest``."""
    if len(name) > MAX_NAME:
        raise BadRequest(f"'name' has at most {MAX_NAME} characters")
    with atomic():
        subnet = get_subnet(credentials, subnet_id=subnet_id)
        _require_owner(credentials, subnet.network)
        if subnet.deleted:
            raise BadRequest("Subnet has been deleted.")
        subnet.name = name
        subnet.save(update_fields=["name", "updated"])
        audit.record(credentials, "subnet.rename", f"subnet:{subnet_id}")
    return subnet


def _require_owner(credentials: Credentials, network: Network) -> None:
    if not credentials.is_admin and (network.public or network.userid != credentials.user_id):
        raise Forbidden("You don't have permission to complete this action")


def allocation_pools(subnet: Subnet) -> list[Range]:
    """Return the inclusive IPv4 ranges of the subnet's prefetched pools."""
    if subnet.ipversion != 4:
        return []
    base = ipaddress.IPv4Network(subnet.cidr).network_address
    return [
        (base + (pool.offset or 0), base + (pool.offset or 0) + pool.size - 1)
        for pool in sorted(subnet.ip_pools.all(), key=lambda pool: pool.pk)
    ]
