"""The ports a new server starts with (network contract 9, compute contract 5.3)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Q, prefetch_related_objects

from cyclades.logic import addresses
from cyclades.logic.address_pools import LockedPools
from cyclades.logic.cidrs import parse_address
from cyclades.logic.network_visibility import seen_network, seen_port
from cyclades.logic.ports import DEVICE_OWNER, attach_floating_ip, find_floating_ip, require_connectable
from cyclades.models import IPAddress, Network, Port, PortState, Server
from synnefo import clock
from synnefo.api.fields import require_id
from synnefo.credentials import Credentials
from synnefo.db.locks import lock_rows
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound, ServiceUnavailable

ANY_PUBLIC, ANY_IPV4, ANY_IPV6 = "SNF:ANY_PUBLIC", "SNF:ANY_PUBLIC_IPV4", "SNF:ANY_PUBLIC_IPV6"
WILDCARDS = frozenset({ANY_PUBLIC, ANY_IPV4, ANY_IPV6})

#: What keeps a configured network from being used: whoever asks can't do anything about it.
_UNUSABLE = (BadRequest, Conflict, Forbidden, NotFound)

log = logging.getLogger(__name__)

#: A network id or a wildcard.
Spec = int | str


@dataclass(frozen=True)
class Wish:
    """One requested NIC: an existing port, or a network with perhaps an address of it."""

    port_id: int | None = None
    network_id: int | None = None
    address: str | None = None


def create_server_ports(
    credentials: Credentials, *, server: Server, requested: list[Any] | None
) -> list[Port]:
    """Create the ports of the new *server*, in NIC order, in the caller's transaction.

    Forced networks come first, then *requested* ones or, when that is ``None``, the default ones. Raises
    ``BadRequest``, ``NotFound``, ``Forbidden``, ``Conflict`` (addresses, state of a network) and
    ``ServiceUnavailable`` when a forced network can't be had.
    """
    forced = _configured(settings.CYCLADES_FORCED_SERVER_NETWORKS)
    default = _configured(settings.CYCLADES_DEFAULT_SERVER_NETWORKS)
    wishes = [] if requested is None else [parse_wish(item) for item in requested]
    default = default if requested is None else []
    limit = settings.GANETI_MAX_NICS_PER_INSTANCE
    if len(forced) + len(default) + len(wishes) > limit:
        raise BadRequest(f"A server has at most {limit} network interfaces.")
    work = _Work(credentials, server)
    work.lock(forced, default, wishes)
    for alternatives in forced:
        work.add(work.first_of(alternatives, work.forced_port, ServiceUnavailable))
    for alternatives in default:
        work.add(work.first_of(alternatives, work.default_port, Conflict))
    for wish in wishes:
        work.add(work.wished_port(wish))
    prefetch_related_objects(work.ports, "ips")
    addresses.record_association(work.ports)
    return work.ports


def specs_of(entry: Any) -> list[Spec]:
    """Return the networks that an entry of the settings offers; raises ``BadRequest`` when it names none."""
    specs = list(entry) if isinstance(entry, list | tuple) else [entry]
    return [_spec(spec) for spec in specs]


def _spec(value: Any) -> Spec:
    return value if isinstance(value, str) and value in WILDCARDS else require_id(value, "network")


def _configured(entries: Sequence[Any]) -> list[list[Spec]]:
    try:
        return [specs_of(entry) for entry in entries]
    except BadRequest as error:
        log.error("settings name no network for new servers: %r", entries)
        raise ServiceUnavailable(
            "New servers can't be connected to the networks of this site now."
        ) from error


def parse_wish(item: Any) -> Wish:
    """Return one item of the request's ``networks``; raises ``BadRequest``."""
    if not isinstance(item, dict):
        raise BadRequest("Malformed request: 'networks' is a list of objects with 'uuid' or 'port'")
    if item.get("port") not in (None, ""):
        return Wish(port_id=require_id(item["port"], "port"))
    if item.get("uuid") is None:
        raise BadRequest("Malformed request: an item of 'networks' needs 'uuid' or 'port'")
    network_id = require_id(item["uuid"], "network")
    # Today's clients say "fixed".
    address = item.get("fixed_ip", item.get("fixed") or "")
    if address == "":
        return Wish(network_id=network_id)
    if address is None:
        raise BadRequest("Malformed request: 'fixed_ip' is an address or left out, not null")
    return Wish(network_id=network_id, address=parse_address(address, "fixed_ip", ipversion=4))


class _Work:
    """The networks and pools of one creation, locked together, and the ports made so far."""

    def __init__(self, credentials: Credentials, server: Server) -> None:
        self.credentials = credentials
        self.server = server
        self.ports: list[Port] = []
        self.networks: dict[int, Network] = {}
        self.existing: dict[int, Port] = {}

    def lock(
        self, forced: Sequence[Sequence[Spec]], default: Sequence[Sequence[Spec]], wishes: Sequence[Wish]
    ) -> None:
        """Lock every network and pool that may be used, each kind in the order of its ids."""
        self.existing = {
            wish.port_id: seen_port(self.credentials, wish.port_id)
            for wish in wishes
            if wish.port_id is not None
        }
        specs = [spec for alternatives in (*forced, *default) for spec in alternatives]
        ids = {spec for spec in specs if isinstance(spec, int)}
        wished = [wish.network_id for wish in wishes if wish.network_id is not None]
        ids |= {seen_network(self.credentials, network_id).pk for network_id in wished}
        ids |= {port.network_id for port in self.existing.values()}
        wanted = Q(pk__in=sorted(ids))
        if WILDCARDS & {spec for spec in specs if isinstance(spec, str)}:
            wanted |= Q(public=True, deleted=False)
        rows = lock_rows(Network.objects.filter(wanted))
        prefetch_related_objects(rows, "subnets")
        self.networks = {network.pk: network for network in rows}
        self.pools = LockedPools(self._plain(forced, wishes))

    def _plain(self, forced: Sequence[Sequence[Spec]], wishes: Sequence[Wish]) -> set[int]:
        """Return the networks whose pools may lose an address; public ones give floating IPs to users."""
        specs = {spec for alternatives in forced for spec in alternatives}
        plain = {spec for spec in specs if isinstance(spec, int)}
        if specs & {ANY_PUBLIC, ANY_IPV4}:
            plain |= {network.pk for network in self.networks.values() if network.public}
        # Default networks that are private give plain addresses, too.
        return plain | {network.pk for network in self.networks.values() if not network.public}

    def add(self, port: Port) -> None:
        """Append a port; its place is its NIC's index."""
        self.ports.append(port)

    def first_of(
        self,
        alternatives: Sequence[Spec],
        make: Callable[[Spec], Port],
        error: type[ServiceUnavailable] | type[Conflict],
    ) -> Port:
        """Return the port that the first alternative gives that can be had."""
        reasons = []
        for spec in alternatives:
            try:
                return make(spec)
            except _UNUSABLE as problem:
                reasons.append(problem.message)
        raise error("Cannot connect the server to its networks. " + " ".join(reasons))

    def forced_port(self, spec: Spec) -> Port:
        """Return a port with a plain address, whoever may see the network."""
        if isinstance(spec, int):
            return self._plain_port(self._configured(spec), None)
        if spec in (ANY_IPV4, ANY_PUBLIC):
            for network in self._public(4):
                try:
                    return self._plain_port(network, None)
                except Conflict:
                    continue
        if spec in (ANY_IPV6, ANY_PUBLIC):
            return self._ipv6_port()
        raise Conflict("No public network has a free IPv4 address.")

    def default_port(self, spec: Spec) -> Port:
        """Return a port as if the user had asked for it."""
        if isinstance(spec, int):
            return self.wished_port(Wish(network_id=seen_network(self.credentials, spec).pk))
        if spec in (ANY_IPV4, ANY_PUBLIC):
            ip = self._own_free_ip(None)
            if ip is not None:
                return self._floating_port(self.networks[ip.network_id], ip)
        if spec in (ANY_IPV6, ANY_PUBLIC):
            return self._ipv6_port()
        raise Conflict("You have no unattached floating IP.")

    def wished_port(self, wish: Wish) -> Port:
        """Return the port that a request's item asks for."""
        if wish.port_id is not None:
            return self._adopt(self.existing[wish.port_id])
        network = self.networks[wish.network_id or 0]
        if network.deleted:
            raise BadRequest(f"Network {network.pk} has been deleted.")
        if not network.public:
            return self._plain_port(network, wish.address)
        if not _subnets(network, 4):
            raise Forbidden(f"Cannot connect to the public network {network.pk}, which has no IPv4 subnet.")
        if wish.address is not None:
            ip = find_floating_ip(self.credentials, network, wish.address)
            return self._floating_port(network, ip)
        own = self._own_free_ip(network)
        if own is None:
            raise Conflict(f"You have no unattached floating IP of network {network.pk}.")
        return self._floating_port(network, own)

    def _configured(self, network_id: int) -> Network:
        network = self.networks.get(network_id)
        if network is None or network.deleted:
            raise NotFound(f"Network {network_id}, which every server gets, does not exist.")
        return network

    def _public(self, ipversion: int) -> list[Network]:
        usable = [n for n in self.networks.values() if n.public and not (n.drained or n.deleted)]
        return [network for network in usable if _subnets(network, ipversion)]

    def _ipv6_port(self) -> Port:
        for network in self._public(6):
            if not _subnets(network, 4):
                require_connectable(network)
                return self._insert(network)
        raise Conflict("There is no public network with IPv6 only.")

    def _plain_port(self, network: Network, address: str | None) -> Port:
        require_connectable(network)
        allocation = addresses.take(self.pools, network, address)
        port = self._insert(network)
        if allocation is not None:
            addresses.store(port, allocation)
        return port

    def _floating_port(self, network: Network, ip: IPAddress) -> Port:
        require_connectable(network, check_drained=False)
        port = self._insert(network)
        attach_floating_ip(ip, port)
        return port

    def _own_free_ip(self, network: Network | None) -> IPAddress | None:
        """Return and lock the user's first unattached floating IP of *network*, or of any locked one."""
        free = IPAddress.objects.filter(userid=self.server.userid, floating_ip=True, deleted=False, nic=None)
        candidates = [network.pk] if network else list(self.networks)
        for ip in free.filter(network_id__in=candidates).order_by("pk"):
            locked = lock_rows(free.filter(pk=ip.pk))
            if locked:
                return locked[0]
        return None

    def _insert(self, network: Network) -> Port:
        return Port.objects.create(
            userid=self.server.userid,
            network=network,
            machine=self.server,
            index=len(self.ports),
            state=PortState.BUILD,
            public=network.public,
            device_owner=DEVICE_OWNER,
        )

    def _adopt(self, port: Port) -> Port:
        index = len(self.ports)
        taken = Port.objects.filter(pk=port.pk, machine=None).update(
            machine=self.server,
            index=index,
            state=PortState.BUILD,
            device_owner=DEVICE_OWNER,
            updated=clock.now(),
        )
        if not taken:
            raise Conflict(f"Port {port.pk} is already in use.")
        port.machine, port.index, port.state = self.server, index, PortState.BUILD
        port.device_owner = DEVICE_OWNER
        return port


def _subnets(network: Network, ipversion: int) -> bool:
    return any(s.ipversion == ipversion and not s.deleted for s in network.subnets.all())
