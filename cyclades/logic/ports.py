"""Ports: made unattached or on a running server, renamed, removed (network contract 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.db.models import QuerySet

from cyclades.ganeti import jobs, requests
from cyclades.logic import addresses
from cyclades.logic.address_pools import LockedPools
from cyclades.logic.network_visibility import (
    seen_network,
    seen_port,
    visible_floating_ips,
    visible_ports,
)
from cyclades.logic.server_change import seen_server
from cyclades.logic.server_state import require_allowed, require_writable
from cyclades.logic.servers import lock_server
from cyclades.models import IPAddress, Network, NetworkState, Port, PortState, Server, Task
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_name, lock_one, retry_on_deadlock
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound, OverLimit, ServiceUnavailable

MAX_NAME = 128
DEVICE_OWNER = "vm"


@dataclass(frozen=True)
class PortRequest:
    """A wanted port; ``address`` is an IPv4 address of the network, on public ones a floating IP.

    ``for_owner``: it belongs to the server's owner, whoever asks for it.
    """

    network_id: int
    device_id: int | None = None
    address: str | None = None
    name: str = ""
    security_groups: Sequence[int] = field(default_factory=tuple)
    for_owner: bool = False


def list_ports(credentials: Credentials) -> QuerySet[Port]:
    """Return all visible ports with their addresses."""
    return visible_ports(credentials).prefetch_related("ips")


def get_port(credentials: Credentials, *, port_id: int) -> Port:
    """Return a visible port; raises ``NotFound``."""
    return seen_port(credentials, port_id)


@retry_on_deadlock
def create(credentials: Credentials, *, request: PortRequest) -> Port:
    """Create a port with its address; with a server, promise the job that connects it.

    Raises ``BadRequest``, ``NotFound``, ``Forbidden`` (suspended server), ``Conflict`` (address, state of
    the network), ``BuildInProgress`` and ``OverLimit``, in the order of the contract.
    """
    if len(request.name) > MAX_NAME:
        raise BadRequest(f"The name of a port has at most {MAX_NAME} characters")
    if request.security_groups:
        raise NotFound(f"Security group {request.security_groups[0]} not found.")
    with atomic():
        server = None if request.device_id is None else seen_device(credentials, request.device_id)
        network = seen_network(credentials, request.network_id)
        if network.deleted:
            raise BadRequest("Network has been deleted.")
        if server is None:
            _check_unattached(credentials)
        else:
            server = _locked_device(credentials, server)
        network = lock_one(Network.objects.filter(pk=network.pk))
        port = _insert(credentials, network, request, server)
        if server is not None:
            require_allowed(credentials, server, Task.CONNECT)
            addresses.record_association([port])
            jobs.intend(server=server, operation=Task.CONNECT, payload=requests.connect_port_payload(port))
        audit.record(credentials, "port.create", f"port:{port.pk}", network=network.pk)
    return port


def _check_unattached(credentials: Credentials) -> None:
    limit = settings.CYCLADES_MAX_UNATTACHED_PORTS
    if credentials.is_admin:
        return
    # No quota holding counts them that could be locked.
    lock_name("unattached ports", credentials.user_id)
    if Port.objects.filter(userid=credentials.user_id, machine=None).count() >= limit:
        raise OverLimit(f"You have {limit} ports on no server already. Delete some first.")


def seen_device(credentials: Credentials, server_id: int) -> Server:
    """Return a visible server that may get one more port; raises by the order of the contract."""
    server = seen_server(credentials, server_id)
    require_writable(credentials, server)
    limit = settings.GANETI_MAX_NICS_PER_INSTANCE
    if server.ports.count() >= limit:
        raise BadRequest(f"Server {server_id} has {limit} ports already, which is the maximum.")
    return server


def _locked_device(credentials: Credentials, seen: Server) -> Server:
    if seen.backend is None or seen.backend.offline:
        raise ServiceUnavailable("The backend of this server is offline", retry_after=60)
    server = lock_server(credentials, server_id=seen.pk)
    server.backend = seen.backend
    return server


def _insert(credentials: Credentials, network: Network, request: PortRequest, server: Server | None) -> Port:
    floating = network.public and _wants_floating_ip(credentials, network, request.address)
    ip = find_floating_ip(credentials, network, request.address) if floating else None
    require_connectable(network, check_drained=ip is None)
    owner = server.userid if server else None
    port = Port(
        name=request.name,
        userid=owner if request.for_owner else credentials.user_id or owner,
        network=network,
        machine=server,
        state=PortState.DOWN if server is None else PortState.BUILD,
        public=network.public,
        device_owner=None if server is None else DEVICE_OWNER,
    )
    if ip is not None:
        port.save()
        attach_floating_ip(ip, port)
    else:
        allocation = addresses.take(LockedPools([network.pk]), network, request.address)
        port.save()
        if allocation is not None:
            addresses.store(port, allocation)
    return port


def _wants_floating_ip(credentials: Credentials, network: Network, address: str | None) -> bool:
    """Tell whether a port of a public network gets a floating IP; only administrators have a choice."""
    if not credentials.is_admin:
        return True
    known = IPAddress.objects.filter(network=network, address=address, floating_ip=True, deleted=False)
    return address is not None and known.exists()


def require_connectable(network: Network, *, check_drained: bool = True) -> None:
    """Raise ``Conflict`` for a network that takes no new ports."""
    if network.state != NetworkState.ACTIVE:
        raise Conflict(f"Cannot connect to network {network.pk}: its state is {network.state}.")
    if network.action == "DESTROY":
        raise Conflict(f"Cannot connect to network {network.pk}: it is being deleted.")
    if check_drained and network.drained:
        raise Conflict(f"Cannot connect to network {network.pk}: it is drained.")


def find_floating_ip(credentials: Credentials, network: Network, address: str | None) -> IPAddress:
    """Return and lock the caller's free floating IP *address* on the public *network*.

    Raises ``BadRequest`` without an address, ``NotFound`` for an unknown one, ``Conflict`` when it is on
    another network or attached.
    """
    if address is None:
        raise BadRequest(f"Network {network.pk} is public: name a floating IP of it in 'fixed_ips'.")
    found = list(visible_floating_ips(credentials).filter(address=address, deleted=False))
    if not found:
        raise NotFound(f"Floating IP {address} does not exist.")
    ip = next((ip for ip in found if ip.network_id == network.pk), None)
    if ip is None:
        raise Conflict(f"Floating IP {address} does not belong to network {network.pk}.")
    ip = lock_one(IPAddress.objects.filter(pk=ip.pk))
    if ip.deleted:
        raise NotFound(f"Floating IP {address} does not exist.")
    if ip.nic_id is not None:
        raise Conflict(f"Floating IP {address} is already attached to port {ip.nic_id}.")
    return ip


def attach_floating_ip(ip: IPAddress, port: Port) -> None:
    """Put the locked, free floating IP on the saved *port*."""
    ip.nic = port
    ip.save(update_fields=["nic", "updated"])


@retry_on_deadlock
def update(credentials: Credentials, *, port_id: int, name: str | None) -> Port:
    """Rename a visible port; an empty or missing *name* changes nothing."""
    if name is not None and len(name) > MAX_NAME:
        raise BadRequest(f"The name of a port has at most {MAX_NAME} characters")
    with atomic():
        port = seen_port(credentials, port_id)
        if name:
            port.name = name
            port.save(update_fields=["name", "updated"])
            audit.record(credentials, "port.rename", f"port:{port_id}")
    return port


@retry_on_deadlock
def delete(credentials: Credentials, *, port_id: int) -> None:
    """Remove a port: at once when it is on no server, else by a job of its server.

    Raises ``NotFound``, ``Forbidden`` (public without a floating IP, suspended server), ``BadRequest``,
    ``BuildInProgress`` and ``ServiceUnavailable``.
    """
    with atomic():
        port = seen_port(credentials, port_id)
        if port.network.public and not credentials.is_admin and not _has_floating_ip(port):
            raise Forbidden("Cannot delete this port: an administrator connected the server to the network.")
        if port.machine is None or port.machine.deleted:
            _delete_detached(port)
        else:
            _disconnect(credentials, port, port.machine)
        audit.record(credentials, "port.delete", f"port:{port_id}")


def _has_floating_ip(port: Port) -> bool:
    return port.ips.filter(floating_ip=True, deleted=False).exists()


def _disconnect(credentials: Credentials, port: Port, seen: Server) -> None:
    require_writable(credentials, seen)
    if seen.backend is None or seen.backend.offline:
        raise ServiceUnavailable("The backend of this server is offline", retry_after=60)
    # Who sees the port may disconnect it, although the server may be somebody else's.
    server = lock_one(Server.objects.filter(pk=seen.pk))
    server.backend = seen.backend
    require_allowed(credentials, server, Task.DISCONNECT)
    if not Port.objects.filter(pk=port.pk, machine=server).exists():
        raise NotFound(f"Port {port.pk} not found.")
    jobs.intend(server=server, operation=Task.DISCONNECT, payload=requests.disconnect_port_payload(port))


def _delete_detached(port: Port) -> None:
    lock_one(Network.objects.filter(pk=port.network_id))
    try:
        # A server may be about to get it.
        locked = lock_one(Port.objects.filter(pk=port.pk).select_related("network", "machine"))
    except Port.DoesNotExist as error:
        raise NotFound(f"Port {port.pk} not found.") from error
    if locked.machine_id != port.machine_id:
        raise Conflict(f"Port {port.pk} was just given to server {locked.machine_id}.")
    delete_port_rows([locked])


def delete_port_rows(ports: Sequence[Port], reason: str | None = None) -> None:
    """Delete ports that exist in Ganeti no more; floating IPs become free, other addresses go back.

    Joins the caller's transaction, which holds the lock of the ports' server, if they have one. *reason*
    goes into the history of public addresses.
    """
    if not ports:
        return
    addresses.detach_from_ports(ports, reason)
    Port.objects.filter(pk__in=[port.pk for port in ports]).delete()
