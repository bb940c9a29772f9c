"""Floating IPs: public addresses that a user keeps and puts on servers (network contract 7)."""

from __future__ import annotations

from django.db.models import F, Q, QuerySet

from cyclades.logic import addresses, ports, quota
from cyclades.logic.address_pools import Allocation, LockedPools, NoAddressLeft
from cyclades.logic.network_visibility import seen_floating_ip, seen_network, visible_floating_ips
from cyclades.logic.networks import require_sharing_enabled
from cyclades.logic.server_state import require_writable
from cyclades.logic.servers import get_server
from cyclades.logic.visibility import owned_or_shared
from cyclades.models import IPAddress, Network, Port
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one, lock_rows, retry_on_deadlock
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound

FLOATING_IPS = "cyclades.floating_ip"


def list_floating_ips(credentials: Credentials) -> QuerySet[IPAddress]:
    """Return all visible floating IPs with their ports, released ones too."""
    return visible_floating_ips(credentials).select_related("nic")


def get_floating_ip(credentials: Credentials, *, ip_id: int) -> IPAddress:
    """Return a visible floating IP; raises ``NotFound``, also for a released one."""
    return seen_floating_ip(credentials, ip_id)


@retry_on_deadlock
def create(
    credentials: Credentials,
    *,
    network_id: int | None = None,
    address: str | None = None,
    project: str | None = None,
    shared_to_project: bool = False,
    user_id: str | None = None,
) -> IPAddress:
    """Keep *address*, or the lowest free one, of a network (by default of any) for the user.

    *user_id* is for administrators. Raises ``BadRequest``, ``NotFound``, ``Conflict`` (no pool, drained,
    taken, exhausted) and ``OverLimit``.
    """
    require_sharing_enabled(shared_to_project)
    owner = user_id or credentials.user_id
    project = project or (credentials.default_project if credentials.user_id else owner)
    with atomic():
        if network_id is not None:
            _require_pool(seen_network(credentials, network_id))
        _charge(owner, {project: 1}, action="reserve", force=credentials.force_quota)
        if network_id is None:
            allocation = _take_anywhere()
        else:
            network = lock_one(Network.objects.filter(pk=network_id))
            _require_pool(network)
            taken = addresses.take(LockedPools([network_id]), network, address)
            if taken is None:
                raise Conflict(f"Network {network_id} has no IPv4 addresses.")
            allocation = taken
        ip = IPAddress.objects.create(
            subnet=allocation.subnet,
            network_id=allocation.subnet.network_id,
            userid=owner,
            project=project,
            shared_to_project=shared_to_project,
            address=allocation.address,
            floating_ip=True,
            ipversion=4,
        )
        audit.record(credentials, "floating_ip.create", f"floating_ip:{ip.pk}", address=ip.address)
    return ip


def _require_pool(network: Network) -> None:
    if network.deleted:
        raise BadRequest("Network has been deleted.")
    if not network.floating_ip_pool:
        raise Conflict(f"Network {network.pk} is not a floating IP pool.")
    if network.action == "DESTROY":
        raise Conflict(f"Network {network.pk} is being deleted.")
    if network.drained:
        raise Conflict(f"Network {network.pk} is drained.")


def _take_anywhere() -> Allocation:
    """Take the first free address of any floating IP pool, in the order of the networks."""
    networks = lock_rows(
        Network.objects.filter(public=True, floating_ip_pool=True, drained=False, deleted=False).exclude(
            action="DESTROY"
        )
    )
    pools = LockedPools([network.pk for network in networks])
    for network in networks:
        try:
            return pools.take_first(network.pk)
        except NoAddressLeft:
            continue
    raise Conflict("No floating IP pool has a free address left.")


def _charge(user_id: str, quantities: dict[str, int], *, action: str, force: bool = False) -> None:
    deltas = {project: {FLOATING_IPS: quantity} for project, quantity in quantities.items()}
    quota.charge_now(
        user_id, deltas, name=f"client: api, resource: floating_ip, action: {action}", force=force
    )


@retry_on_deadlock
def delete(credentials: Credentials, *, ip_id: int) -> None:
    """Release a floating IP and its quota; raises ``NotFound``, and ``Conflict`` while it is attached."""
    with atomic():
        seen = seen_floating_ip(credentials, ip_id)
        _require_free(seen)
        if seen.userid and seen.project:
            _charge(seen.userid, {seen.project: -1}, action="release", force=True)
        pools = LockedPools([seen.network_id])
        ip = lock_one(IPAddress.objects.filter(pk=ip_id))
        if ip.deleted:
            raise NotFound(f"Floating IP with ID {ip_id} does not exist.")
        _require_free(ip)
        if ip.project != seen.project:
            raise Conflict(f"Floating IP {ip_id} was changed by another request. Try again.")
        pools.give_back([(ip.network_id, ip.address)])
        # The row stays for clients that poll with changes-since.
        ip.deleted = True
        ip.save(update_fields=["deleted", "updated"])
        audit.record(credentials, "floating_ip.delete", f"floating_ip:{ip_id}", address=ip.address)


def _require_free(ip: IPAddress) -> None:
    if ip.nic_id is not None:
        where = f"server {ip.nic.machine_id}" if ip.nic and ip.nic.machine_id else f"port {ip.nic_id}"
        raise Conflict(f"Floating IP {ip.address} is attached to {where}. Detach it first.")


@retry_on_deadlock
def reassign(credentials: Credentials, *, ip_id: int, project: str, shared_to_project: bool) -> IPAddress:
    """Move an own floating IP to *project* with its quota, and share or unshare it.

    Raises ``NotFound``, ``BadRequest`` (not a member), ``Forbidden`` (not the owner, sharing switched
    off) and ``OverLimit``.
    """
    require_sharing_enabled(shared_to_project)
    with atomic():
        seen = seen_floating_ip(credentials, ip_id)
        if not credentials.is_admin and seen.userid != credentials.user_id:
            raise Forbidden("Only the owner of a floating IP can reassign it.")
        if project != seen.project and seen.userid:
            moved = {project: 1, **({seen.project: -1} if seen.project else {})}
            _charge(seen.userid, moved, action="reassign", force=credentials.force_quota)
        ip = lock_one(IPAddress.objects.filter(pk=ip_id))
        if ip.deleted or ip.project != seen.project:
            raise Conflict(f"Floating IP {ip_id} was changed by another request. Try again.")
        ip.project, ip.shared_to_project = project, shared_to_project
        ip.save(update_fields=["project", "shared_to_project", "updated"])
        audit.record(credentials, "floating_ip.reassign", f"floating_ip:{ip_id}", project=project)
    return ip


def attach(credentials: Credentials, *, server_id: int, address: str) -> Port:
    """Put a visible floating IP on a server by a new port of the server's owner.

    Raises like ``ports.create``.
    """
    known = visible_floating_ips(credentials).filter(address=address, deleted=False)
    # Several networks may have the address.
    ip = known.order_by(F("nic").asc(nulls_first=True), "pk").first()
    if ip is None:
        raise NotFound(f"Floating IP {address} does not exist.")
    return attach_to(credentials, server_id=server_id, ip=ip)


def attach_to(credentials: Credentials, *, server_id: int, ip: IPAddress) -> Port:
    """Put this visible floating IP on a server like ``attach``."""
    request = ports.PortRequest(
        network_id=ip.network_id, device_id=server_id, address=ip.address, for_owner=True
    )
    return ports.create(credentials, request=request)


def detach(credentials: Credentials, *, server_id: int, address: str) -> None:
    """Take *address* off a visible server by deleting its port.

    Raises ``NotFound`` for an address that neither the caller nor the server's owner has, ``BadRequest``
    for one that is not on this server, and like ``ports.delete``.
    """
    server = get_server(credentials, server_id=server_id)
    require_writable(credentials, server)
    known = IPAddress.objects.filter(address=address, floating_ip=True, deleted=False)
    seen = known.filter(owned_or_shared(credentials) | Q(userid=server.userid)).select_related("nic")
    nics = [ip.nic for ip in seen]
    if not nics:
        raise NotFound(f"Floating IP {address} does not exist.")
    port = next((nic for nic in nics if nic is not None and nic.machine_id == server_id), None)
    if port is None:
        raise BadRequest(f"Floating IP {address} is not attached to server {server_id}.")
    ports.delete(credentials, port_id=port.pk)
