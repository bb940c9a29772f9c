"""Networks: created, renamed, moved between projects, deleted (network contract 4)."""

from __future__ import annotations

from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from cyclades.logic import network_deletion, network_flavors, network_projection, quota
from cyclades.logic.network_flavors import NetworkFlavor, Overrides
from cyclades.logic.network_visibility import seen_network, visible_networks
from cyclades.models import BackendNetwork, Network, NetworkState, Port
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one, retry_on_deadlock
from synnefo.errors import BadRequest, Conflict, Forbidden, ServiceUnavailable

MAX_NAME = 128
PRIVATE_NETWORKS = "cyclades.network.private"
CREATE, DESTROY = "CREATE", "DESTROY"


def list_networks(credentials: Credentials) -> QuerySet[Network]:
    """Return all visible networks with their subnets, deleted ones too."""
    return visible_networks(credentials).prefetch_related("subnets")


def get_network(credentials: Credentials, *, network_id: int) -> Network:
    """Return a visible network, which may be deleted; raises ``NotFound``."""
    return seen_network(credentials, network_id)


def check_name(name: str) -> None:
    """Raise ``BadRequest`` for a name that is too long."""
    if len(name) > MAX_NAME:
        raise BadRequest(f"The name of a network has at most {MAX_NAME} characters, not {len(name)}")


def check_user_flavor(name: str) -> NetworkFlavor:
    """Return the flavor that a user asked for; raises ``BadRequest`` and ``Forbidden``."""
    flavor = network_flavors.flavor_named(name)
    if flavor.name not in settings.API_ENABLED_NETWORK_FLAVORS:
        raise Forbidden(f"Cannot create network of type '{flavor.name}'.")
    return flavor


@retry_on_deadlock
def create(
    credentials: Credentials,
    *,
    flavor_name: str,
    name: str = "",
    project: str | None = None,
    shared_to_project: bool = False,
) -> Network:
    """Create a private network for the acting user; Ganeti hears of it when a server is connected.

    Raises ``BadRequest``, ``Forbidden`` (flavor, sharing), ``OverLimit`` (quota) and
    ``ServiceUnavailable`` (empty pool of MAC prefixes or bridges).
    """
    flavor = check_user_flavor(flavor_name)
    check_name(name)
    require_sharing_enabled(shared_to_project)
    project = project or credentials.default_project
    with atomic():
        charge(credentials.user_id, {project: 1}, action="create", force=credentials.force_quota)
        network = insert(
            flavor,
            Overrides(),
            Network(
                name=name, userid=credentials.user_id, project=project, shared_to_project=shared_to_project
            ),
        )
        audit.record(credentials, "network.create", f"network:{network.pk}", project=project)
    return network


def insert(flavor: NetworkFlavor, overrides: Overrides, network: Network) -> Network:
    """Insert an active *network* of *flavor*, in the caller's transaction."""
    network_flavors.check_overrides(flavor, overrides)
    network.flavor = flavor.name
    network.state = NetworkState.ACTIVE
    network.action = CREATE
    network.external_router = network.public
    # The link of a routed network is named after the id.
    network.save()
    network_flavors.wire(network, flavor, overrides)
    network.save()
    return network


def require_sharing_enabled(shared: bool) -> None:
    """Raise ``Forbidden`` when something shall be shared although this installation does not share."""
    if shared and not settings.CYCLADES_SHARED_RESOURCES_ENABLED:
        raise Forbidden("Sharing resources to the members of the project is not permitted")


def charge(user_id: str, quantities: dict[str, int], *, action: str, force: bool = False) -> None:
    """Charge private networks (project to how many) in the caller's transaction."""
    deltas = {project: {PRIVATE_NETWORKS: quantity} for project, quantity in quantities.items()}
    quota.charge_now(user_id, deltas, name=f"client: api, resource: network, action: {action}", force=force)


@retry_on_deadlock
def rename(credentials: Credentials, *, network_id: int, name: str) -> Network:
    """Rename a private network; raises ``NotFound``, ``Forbidden`` and ``BadRequest``."""
    check_name(name)
    with atomic():
        network = seen_network(credentials, network_id)
        if network.public and not credentials.is_admin:
            raise Forbidden("Cannot rename the public network.")
        network = lock_one(Network.objects.filter(pk=network.pk))
        if network.deleted:
            raise BadRequest("Network has been deleted.")
        network.name = name
        network.save(update_fields=["name", "updated"])
        audit.record(credentials, "network.rename", f"network:{network_id}")
    return network


@retry_on_deadlock
def delete(credentials: Credentials, *, network_id: int) -> None:
    """Delete a network: at once when no backend has it, else when its backends have removed it.

    May be repeated while that goes on. Raises ``NotFound``, ``BadRequest``, ``Forbidden`` for a public
    network, ``Conflict`` while it has ports or floating IPs, ``ServiceUnavailable`` for a backend that
    is offline.
    """
    with atomic():
        network = seen_network(credentials, network_id)
        if network.deleted:
            raise BadRequest("Network has been deleted.")
        if network.public and not credentials.is_admin:
            raise Forbidden("Cannot delete the public network.")
        _require_unused(network)
        refund = network_deletion.begin_refund(network)
        network = lock_one(Network.objects.filter(pk=network_id))
        # Ports are made under the network's lock, so only now is the answer final.
        _require_unused(network)
        network.action = DESTROY
        network.drained = network.drained or network.public
        network.save(update_fields=["action", "drained", "updated"])
        backends = _live_backends(network)
        if not network_deletion.finish_locked(network, refund):
            transaction.on_commit(partial(network_projection.remove_after_commit, network, backends))
        audit.record(credentials, "network.delete", f"network:{network_id}")


def finish_deletion(network: Network) -> None:
    """End the locked *network* if its destruction was asked for and no backend has it any more."""
    network_deletion.finish_locked(network, network_deletion.begin_refund(network))


def _require_unused(network: Network) -> None:
    if Port.objects.filter(network=network).exists():
        raise Conflict(
            f"Cannot delete network. There are ports still configured on network network {network.pk}"
        )
    if network.ips.filter(deleted=False, floating_ip=True).exists():
        raise Conflict(f"Cannot delete network. There are floating IPs of network {network.pk} in use.")


def _live_backends(network: Network) -> list[int]:
    rows = list(
        BackendNetwork.objects.filter(network=network, deleted=False)
        .exclude(operstate=NetworkState.DELETED)
        .select_related("backend")
        .order_by("backend_id")
    )
    for row in rows:
        if row.backend.offline:
            raise ServiceUnavailable(f"The backend {row.backend_id} of network {network.pk} is offline.")
    return [row.backend_id for row in rows]


@retry_on_deadlock
def reassign(credentials: Credentials, *, network_id: int, project: str, shared_to_project: bool) -> Network:
    """Move an own network to *project* with its quota, and share or unshare it.

    Raises ``NotFound``, ``BadRequest`` (deleted, not a member), ``Forbidden`` (public, not the owner,
    sharing switched off) and ``OverLimit``.
    """
    require_sharing_enabled(shared_to_project)
    with atomic():
        seen = seen_network(credentials, network_id)
        if seen.public:
            raise Forbidden("Cannot reassign public network")
        if seen.deleted:
            raise BadRequest("Network has been deleted.")
        if not credentials.is_admin and seen.userid != credentials.user_id:
            raise Forbidden("Only the owner of a network can reassign it.")
        if project != seen.project and seen.userid:
            moved = {project: 1, **({seen.project: -1} if seen.project else {})}
            charge(seen.userid, moved, action="reassign", force=credentials.force_quota)
        network = lock_one(Network.objects.filter(pk=network_id))
        if network.deleted or network.project != seen.project:
            raise Conflict(f"Network {network_id} was changed by another request. Try again.")
        network.project, network.shared_to_project = project, shared_to_project
        network.save(update_fields=["project", "shared_to_project", "updated"])
        audit.record(credentials, "network.reassign", f"network:{network_id}", project=project)
    return network
