"""Connecting servers by their ports: an existing port, a network, a floating IP (compute contract 22.4)."""

from __future__ import annotations

from cyclades.ganeti import jobs, requests
from cyclades.logic import addresses, floating_ips, ports
from cyclades.logic.network_visibility import seen_floating_ip, seen_network, seen_port, visible_floating_ips
from cyclades.logic.server_change import require_backend, seen_server
from cyclades.logic.server_state import require_allowed
from cyclades.logic.servers import get_server, lock_server
from cyclades.models import IPAddress, Port, PortState, Task
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one, retry_on_deadlock
from synnefo.errors import BadRequest, Conflict, NotFound


def list_interfaces(credentials: Credentials, *, server_id: int) -> list[Port]:
    """Return the ports of a visible server by id, with their addresses; raises ``NotFound``."""
    server = get_server(credentials, server_id=server_id)
    return list(Port.objects.filter(machine=server).prefetch_related("ips").order_by("pk"))


def get_interface(credentials: Credentials, *, server_id: int, port_id: int) -> Port:
    """Return a port of a visible server; raises ``NotFound``."""
    server = get_server(credentials, server_id=server_id)
    port = Port.objects.filter(machine=server, pk=port_id).prefetch_related("ips").first()
    if port is None:
        raise NotFound(f"Port {port_id} is not on server {server_id}.")
    return port


def attach(
    credentials: Credentials,
    *,
    server_id: int,
    port_id: int | None = None,
    network_id: int | None = None,
    address: str | None = None,
) -> Port:
    """Connect a server by an unattached port, or by a new one on a network, and promise the job.

    On a public network without an *address* one of the caller's free floating IPs is taken. Raises like
    ``ports.create``.
    """
    if port_id is not None:
        return attach_port(credentials, server_id=server_id, port_id=port_id)
    if network_id is None:
        raise BadRequest("A port or a network is needed")
    if address is None and seen_network(credentials, network_id).public:
        address = _free_floating_ip(credentials, network_id)
    request = ports.PortRequest(network_id=network_id, device_id=server_id, address=address)
    return ports.create(credentials, request=request)


def _free_floating_ip(credentials: Credentials, network_id: int) -> str:
    own = visible_floating_ips(credentials).filter(
        userid=credentials.user_id, network=network_id, nic=None, deleted=False
    )
    ip = own.order_by("pk").first()
    if ip is None:
        raise Conflict(f"You have no unattached floating IP of network {network_id}.")
    return ip.address


@retry_on_deadlock
def attach_port(credentials: Credentials, *, server_id: int, port_id: int) -> Port:
    """Put a visible port that is on no server on one, and promise the job.

    Raises ``NotFound``, ``Conflict`` (the port is attached, its network takes none), and what the state of
    the server forbids.
    """
    with atomic():
        port = seen_port(credentials, port_id)
        seen = ports.seen_device(credentials, server_id)
        require_backend(seen)
        server = lock_server(credentials, server_id=server_id)
        server.backend = seen.backend
        port = _locked(port)
        ports.require_connectable(port.network, check_drained=False)
        require_allowed(credentials, server, Task.CONNECT)
        port.machine, port.state, port.device_owner = server, PortState.BUILD, ports.DEVICE_OWNER
        port.save(update_fields=["machine", "state", "device_owner", "updated"])
        addresses.record_association([port])
        jobs.intend(server=server, operation=Task.CONNECT, payload=requests.connect_port_payload(port))
        audit.record(credentials, "port.attach", f"port:{port_id}", server=server_id)
    return port


def give_port(credentials: Credentials, *, server_id: int, port_id: int) -> Port:
    """Put a port on a server, unless it is there already; raises like ``attach_port``."""
    port = seen_port(credentials, port_id)
    if port.machine_id == server_id:
        return port
    return attach_port(credentials, server_id=server_id, port_id=port_id)


def _locked(seen: Port) -> Port:
    try:
        port = lock_one(Port.objects.filter(pk=seen.pk).select_related("network"))
    except Port.DoesNotExist as error:
        raise NotFound(f"Port {seen.pk} not found.") from error
    if port.machine_id is not None:
        raise Conflict(f"Port {port.pk} is attached to server {port.machine_id} already.")
    return port


def detach(credentials: Credentials, *, server_id: int, port_id: int) -> None:
    """Remove a port from the server that it is on; raises like ``ports.delete``."""
    port = get_interface(credentials, server_id=server_id, port_id=port_id)
    ports.delete(credentials, port_id=port.pk)


@retry_on_deadlock
def reserve_floating_ip(
    credentials: Credentials,
    *,
    port_id: int,
    network_id: int | None = None,
    address: str | None = None,
    project: str | None = None,
    shared_to_project: bool = False,
) -> IPAddress:
    """Keep a floating IP and put it on the server of a port, or do neither (network contract 17).

    Raises like ``floating_ips.create`` and ``move_floating_ip``.
    """
    with atomic():
        port = seen_port(credentials, port_id)
        if port.machine_id is None:
            raise BadRequest(f"Port {port_id} is on no server.")
        lock_server(credentials, server_id=port.machine_id)
        ip = floating_ips.create(
            credentials,
            network_id=network_id,
            address=address,
            project=project,
            shared_to_project=shared_to_project,
        )
        return move_floating_ip(credentials, ip_id=ip.pk, port_id=port_id)


def move_floating_ip(credentials: Credentials, *, ip_id: int, port_id: int | None) -> IPAddress:
    """Put a floating IP on the server of another port, or take it off (network contract 17).

    There is no translation of addresses: the IP gets a port of its own on that server. Raises ``Conflict``
    when it is attached already and ``BadRequest`` for a port that is on no server.
    """
    ip = seen_floating_ip(credentials, ip_id)
    if port_id is None:
        if ip.nic_id is not None:
            ports.delete(credentials, port_id=ip.nic_id)
        return seen_floating_ip(credentials, ip_id)
    port = seen_port(credentials, port_id)
    if ip.nic_id == port.pk:
        return ip
    if ip.nic_id is not None:
        raise Conflict(f"Floating IP {ip.address} is already attached to port {ip.nic_id}.")
    if port.machine_id is None:
        raise BadRequest(f"Port {port_id} is on no server.")
    seen_server(credentials, port.machine_id)
    request = ports.PortRequest(
        network_id=ip.network_id, device_id=port.machine_id, address=ip.address, for_owner=True
    )
    ports.create(credentials, request=request)
    return seen_floating_ip(credentials, ip_id)
