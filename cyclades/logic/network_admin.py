"""What administrators do with networks: public ones, pools, owners (network contract 3 and 15)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cyclades.logic import network_flavors, networks, owners, subnets
from cyclades.logic.address_pools import AddressOutside, AddressPool, LockedPools
from cyclades.logic.cidrs import Range
from cyclades.logic.network_flavors import Overrides
from cyclades.logic.subnets import SubnetRequest
from cyclades.models import Backend, BackendNetwork, IPAddress, IPPool, Network, Port
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one, retry_on_deadlock
from synnefo.errors import BadRequest, Conflict, NotFound


@dataclass(frozen=True)
class NetworkRequest:
    """A network that an administrator wants; a missing gateway means none."""

    flavor: str
    name: str = ""
    user_id: str | None = None
    project: str | None = None
    public: bool = False
    drained: bool = False
    floating_ip_pool: bool = False
    overrides: Overrides = field(default_factory=Overrides)
    cidr: str | None = None
    gateway: str | None = None
    cidr6: str | None = None
    gateway6: str | None = None
    dhcp: bool = False
    pools: Sequence[Range] = ()


@retry_on_deadlock
def create(credentials: Credentials, *, request: NetworkRequest) -> Network:
    """Create a network with its subnets; the caller projects it on the backends afterwards.

    Raises ``BadRequest`` for options that do not go together or fit the flavor, and what
    ``networks.create`` and ``subnets.create`` raise.
    """
    _check_options(request)
    flavor = network_flavors.flavor_named(request.flavor)
    project = request.project or request.user_id
    with atomic():
        if not request.public and request.user_id and project:
            networks.charge(request.user_id, {project: 1}, action="create", force=credentials.force_quota)
        network = networks.insert(
            flavor,
            request.overrides,
            Network(
                name=request.name,
                userid=request.user_id,
                project=project,
                public=request.public,
                drained=request.drained,
                floating_ip_pool=request.floating_ip_pool,
            ),
        )
        for subnet in _subnets(network, request):
            subnets.add_subnet(network, subnet)
        audit.record(credentials, "network.create", f"network:{network.pk}", public=request.public)
    return network


def _check_options(request: NetworkRequest) -> None:
    networks.check_name(request.name)
    if not request.public and not request.user_id:
        raise BadRequest("A network that is not public needs an owner (--user)")
    if request.floating_ip_pool and not request.public:
        raise BadRequest("Only a public network can be a floating IP pool")
    if request.dhcp and not (request.cidr or request.cidr6):
        raise BadRequest("DHCP needs a subnet (--subnet or --subnet6)")
    if (request.gateway or request.pools) and not request.cidr:
        raise BadRequest("A gateway and allocation pools need an IPv4 subnet (--subnet)")
    if request.gateway6 and not request.cidr6:
        raise BadRequest("An IPv6 gateway needs an IPv6 subnet (--subnet6)")
    if request.flavor == network_flavors.IP_LESS_ROUTED.name and not (request.cidr or request.cidr6):
        raise BadRequest("IP_LESS_ROUTED networks need a subnet")


def _subnets(network: Network, request: NetworkRequest) -> list[SubnetRequest]:
    wanted = []
    for version, cidr, gateway in ((4, request.cidr, request.gateway), (6, request.cidr6, request.gateway6)):
        if cidr:
            wanted.append(
                SubnetRequest(
                    cidr=cidr,
                    ipversion=version,
                    name=f"IPv{version} Subnet of Network {network.pk}",
                    gateway=gateway,
                    pools=list(request.pools) or None if version == 4 else None,
                    dhcp=request.dhcp,
                )
            )
    return wanted


@dataclass(frozen=True)
class NetworkChanges:
    """What an administrator changes of a network; ``None`` leaves a field alone."""

    name: str | None = None
    user_id: str | None = None
    drained: bool | None = None
    floating_ip_pool: bool | None = None
    add_reserved: Sequence[str] = ()
    remove_reserved: Sequence[str] = ()


@retry_on_deadlock
def modify(credentials: Credentials, *, network_id: int, changes: NetworkChanges) -> Network:
    """Change a network; raises ``NotFound``, ``BadRequest`` and ``Conflict`` while floating IPs exist."""
    if changes.name is not None:
        networks.check_name(changes.name)
    with atomic():
        seen = networks.get_network(credentials, network_id=network_id)
        if seen.deleted:
            raise BadRequest("Network has been deleted.")
        moved = changes.user_id is not None and changes.user_id != seen.userid
        if moved:
            owners.require_user(changes.user_id or "")
            if not seen.public:
                _move_charge(seen, changes.user_id or "")
        network = lock_one(Network.objects.filter(pk=network_id))
        if moved and (network.userid, network.project) != (seen.userid, seen.project):
            raise Conflict(f"Network {network_id} was changed by another command. Try again.")
        _apply(network, changes, moved=moved)
        network.save()
        _reserve(network, changes)
        audit.record(credentials, "network.modify", f"network:{network_id}")
    return network


def _move_charge(network: Network, user_id: str) -> None:
    """Charge the new owner's own project instead of the present one, whatever its limit."""
    if network.userid and network.project:
        networks.charge(network.userid, {network.project: -1}, action="modify", force=True)
    networks.charge(user_id, {user_id: 1}, action="modify", force=True)


def _apply(network: Network, changes: NetworkChanges, *, moved: bool) -> None:
    if changes.name is not None:
        network.name = changes.name
    if moved:
        network.userid = network.project = changes.user_id
        network.shared_to_project = False
        network.subnets.update(userid=changes.user_id, updated=clock.now())
    if changes.drained is not None:
        network.drained = changes.drained
    if changes.floating_ip_pool is not None:
        if changes.floating_ip_pool and not network.public:
            raise BadRequest("Only a public network can be a floating IP pool")
        if not changes.floating_ip_pool and _has_floating_ips(network):
            raise Conflict(f"Network {network.pk} has floating IPs and must stay a floating IP pool.")
        network.floating_ip_pool = changes.floating_ip_pool


def _has_floating_ips(network: Network) -> bool:
    return IPAddress.objects.filter(network=network, floating_ip=True, deleted=False).exists()


def _reserve(network: Network, changes: NetworkChanges) -> None:
    if not changes.add_reserved and not changes.remove_reserved:
        return
    pools = LockedPools([network.pk])
    for addresses, reserved in ((changes.add_reserved, True), (changes.remove_reserved, False)):
        for address in addresses:
            try:
                pools.set_reserved(network.pk, address, reserved=reserved)
            except AddressOutside as error:
                raise BadRequest(
                    f"Address {address} is in no allocation pool of network {network.pk}."
                ) from error


def address_pools_of(network: Network) -> list[AddressPool]:
    """Return the network's IPv4 pools without locking them."""
    rows = IPPool.objects.filter(subnet__network=network, subnet__deleted=False).select_related("subnet")
    return [AddressPool(row) for row in rows.order_by("pk")]


def check_removable_from(network: Network, backend: Backend) -> None:
    """Raise unless *network* is on *backend* and no server there is connected to it."""
    if not BackendNetwork.objects.filter(network=network, backend=backend, deleted=False).exists():
        raise NotFound(f"Network {network.pk} does not exist on backend {backend.pk}.")
    if Port.objects.filter(network=network, machine__backend=backend, machine__deleted=False).exists():
        raise Conflict(f"Servers of backend {backend.pk} are connected to network {network.pk}.")
