"""Comparing networks with what the clusters have (network contract 10)."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Any

from django.db.models import Exists, OuterRef, Q

from cyclades.ganeti import clients, names
from cyclades.ganeti import networks as ganeti_networks
from cyclades.logic import addresses, network_deletion, network_ends, network_projection
from cyclades.logic.address_pools import AddressPool
from cyclades.models import Backend, BackendNetwork, IPAddress, Network, NetworkState
from synnefo import clock
from synnefo.db.locks import atomic, lock_one, retry_on_deadlock
from synnefo.errors import SynnefoError

log = logging.getLogger(__name__)

#: A network this young may have jobs on their way.
SETTLING_TIME = timedelta(seconds=120)


class Difference(StrEnum):
    """What can differ between a cluster and the database."""

    NO_ROW = "not recorded for this backend"
    MISSING = "missing in Ganeti"
    UNCONNECTED = "not connected to all node groups"
    STATE = "recorded in another state"
    UNDELETED = "should have been deleted"
    ORPHAN = "unknown or deleted in the database"
    RESERVED = "addresses reserved in Ganeti only"
    NETWORK_STATE = "in another state than its backends make it"
    UNKNOWN = "not compared, because the backend does not answer"


@dataclass(frozen=True)
class Finding:
    """A difference of a network on a backend; ``result`` says what mending it led to.

    ``has_row`` tells whether the database knows the network, be it deleted.
    """

    backend: str
    network: str
    difference: Difference
    result: str = ""
    has_row: bool = True


@dataclass(frozen=True)
class _View:
    """What a cluster has: its networks of ours by id, and its node groups."""

    backend: Backend
    networks: Mapping[int, Mapping[str, Any]]
    groups: frozenset[str]


#: Tells whether a difference that was found is to be mended.
Choice = Callable[[Finding], bool]


def reconcile(*, fix: bool) -> list[Finding]:
    """Compare every online backend with the database and, with *fix*, mend what differs.

    A cluster that does not answer is a finding of its own; so is a network whose mending fails.
    """
    findings = []
    for backend in network_projection.online_backends():
        try:
            findings += reconcile_backend(backend, choose=lambda finding: fix)
        except (SynnefoError, clients.GanetiApiError) as error:
            log.error("backend %s is left out: %s", backend, error)
            findings.append(Finding(str(backend), "all", Difference.UNKNOWN, f"failed: {error}"))
    return findings + reconcile_states(choose=lambda finding: fix)


def reconcile_states(*, choose: Choice) -> list[Finding]:
    """Find networks that are not active or should have ended with their last backend; mend the chosen.

    A network that is still on a backend that is offline waits for it.
    """
    held = BackendNetwork.objects.filter(network=OuterRef("pk"), deleted=False).exclude(
        operstate=NetworkState.DELETED
    )
    living = Network.objects.filter(deleted=False, updated__lt=clock.now() - SETTLING_TIME)
    kept = IPAddress.objects.filter(network=OuterRef("pk"), floating_ip=True, deleted=False)
    ended = Q(action=network_deletion.DESTROY) & ~Q(Exists(held)) & ~Q(Exists(kept))
    inactive = ~Q(state=NetworkState.ACTIVE) & ~Q(action=network_deletion.DESTROY)
    findings = []
    for network in living.filter(ended | inactive).order_by("pk"):
        finding = Finding("", names.network_name(network.pk), Difference.NETWORK_STATE)
        if choose(finding):
            finding = replace(finding, result=_mended(partial(_settle_state, network)))
        findings.append(finding)
    return findings


@retry_on_deadlock
def _settle_state(network: Network) -> None:
    with atomic():
        refund = network_deletion.begin_refund(network)
        locked = lock_one(Network.objects.filter(pk=network.pk))
        if not network_deletion.finish_locked(locked, refund):
            network_ends.settle_state(locked)


def reconcile_backend(backend: Backend, *, choose: Choice) -> list[Finding]:
    """Compare one backend with the database and mend what *choose* picks.

    Raises ``ServiceUnavailable`` and ``GanetiApiError`` when it can't be looked at.
    """
    return _compare(_look(backend), choose)


def _look(backend: Backend) -> _View:
    with clients.rapi_for(backend) as rapi:
        found = {names.network_id_of(item["name"]): item for item in rapi.GetNetworks(bulk=True)}
        groups = frozenset(group["name"] for group in rapi.GetGroups(bulk=True))
    ours = {network_id: item for network_id, item in found.items() if network_id is not None}
    return _View(backend, ours, groups)


def _compare(view: _View, choose: Choice) -> list[Finding]:
    rows = {
        row.network_id: row
        for row in BackendNetwork.objects.filter(backend=view.backend, deleted=False, network__deleted=False)
    }
    networks = Network.objects.filter(pk__in=rows.keys() | view.networks.keys()).prefetch_related(
        "subnets__ip_pools"
    )
    rows_of_networks = {network.pk: network for network in networks}
    known = {pk: network for pk, network in rows_of_networks.items() if not network.deleted}
    ids = sorted(rows.keys() | view.networks.keys())
    findings: dict[int, list[Finding]] = {network_id: [] for network_id in ids}
    # Where not all are mended at once, those that can't be mended must not be the chosen ones every time.
    for network_id in secrets.SystemRandom().sample(ids, len(ids)):
        network, row = known.get(network_id), rows.get(network_id)
        for difference, mend in _differences(view, network_id, network, row):
            finding = Finding(
                str(view.backend),
                names.network_name(network_id),
                difference,
                has_row=network_id in rows_of_networks,
            )
            chosen = choose(finding)
            findings[network_id].append(replace(finding, result=_mended(mend)) if chosen else finding)
    return [finding for network_id in ids for finding in findings[network_id]]


Mend = Callable[[], object]


def _differences(
    view: _View, network_id: int, network: Network | None, row: BackendNetwork | None
) -> list[tuple[Difference, Mend]]:
    """Return what differs of one network, each with what mends it."""
    backend, live = view.backend, view.networks.get(network_id)
    if network is None:
        orphan = Network(pk=network_id)
        return [(Difference.ORPHAN, lambda: ganeti_networks.delete_network(backend, orphan))]
    if row is None:
        return [(Difference.NO_ROW, lambda: ganeti_networks.backend_network(backend, network))]
    if row.updated > clock.now() - SETTLING_TIME and row.operstate != NetworkState.ACTIVE:
        return []
    if network.action == network_deletion.DESTROY:
        return [(Difference.UNDELETED, lambda: network_projection.remove(network, [backend.pk]))]
    if live is None:
        return [(Difference.MISSING, lambda: _create_again(backend, network, row))]
    return _differences_of_live(view, network, row, live)


def _differences_of_live(
    view: _View, network: Network, row: BackendNetwork, live: Mapping[str, Any]
) -> list[tuple[Difference, Mend]]:
    found: list[tuple[Difference, Mend]] = []
    missing = sorted(view.groups - {item[0] for item in live.get("group_list") or []})
    if missing:
        found.append((Difference.UNCONNECTED, lambda: _connect(view.backend, network, missing)))
    elif row.operstate != NetworkState.ACTIVE:
        found.append((Difference.STATE, lambda: _set_state(row, NetworkState.ACTIVE)))
    reserved = _reserved_in_ganeti_only(network, live)
    if reserved:
        found.append((Difference.RESERVED, lambda: _reserve(network, reserved)))
    return found


def _mended(mend: Mend) -> str:
    try:
        mend()
    except (SynnefoError, clients.GanetiApiError) as error:
        log.error("a network could not be mended: %s", error)
        return f"failed: {error}"
    except Exception as error:
        # Found again every time, it must not keep all others from being mended.
        log.exception("a network could not be mended")
        return f"failed: {type(error).__name__}"
    return "mended"


def _create_again(backend: Backend, network: Network, row: BackendNetwork) -> None:
    _set_state(row, NetworkState.PENDING)
    ganeti_networks.ensure_network_active(backend, network)


def _connect(backend: Backend, network: Network, groups: list[str]) -> None:
    with clients.rapi_for(backend) as rapi:
        for group in groups:
            ganeti_networks.connect_group(rapi, network, group, [])


def _set_state(row: BackendNetwork, state: NetworkState) -> None:
    BackendNetwork.objects.filter(pk=row.pk).update(operstate=state, updated=clock.now())


def _reserved_in_ganeti_only(network: Network, live: Mapping[str, Any]) -> list[str]:
    """Return external reservations of a network with DHCP that its pools would still hand out."""
    subnets = [s for s in network.subnets.all() if s.ipversion == 4 and s.dhcp and not s.deleted]
    pools = [AddressPool(row) for subnet in subnets for row in subnet.ip_pools.all()]
    external = [text.strip() for text in (live.get("external_reservations") or "").split(",")]
    places = [(address, pool, pool.index(address)) for address in external for pool in pools]
    return [
        address for address, pool, index in places if index is not None and not pool.bits.is_reserved(index)
    ]


def _reserve(network: Network, reserved: list[str]) -> None:
    with atomic():
        locked = lock_one(Network.objects.filter(pk=network.pk))
        addresses.reserve_external(locked, reserved)
