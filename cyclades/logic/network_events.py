"""Applying what Ganeti reports about a network (Ganeti contract 9.5, network contract 10)."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from cyclades.ganeti import names
from cyclades.ganeti.opcodes import Opcode
from cyclades.logic import network_ends
from cyclades.logic.server_events import Outcome, text_of
from cyclades.models import Backend, BackendNetwork, Network, NetworkState
from synnefo.errors import SynnefoError
from synnefo.messages import JOB_STATUSES, NetworkStatus

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Effect:
    """What a final event does to the network's presence in its cluster; None leaves the state."""

    operstate: NetworkState | None = None
    moves_time: bool = False


_UNCHANGED = Effect(moves_time=True)
_NOTHING = Effect()
_REMOVED = Effect(NetworkState.DELETED, moves_time=True)

ON_SUCCESS: dict[str, Effect] = {
    Opcode.NETWORK_ADD: Effect(NetworkState.PENDING, moves_time=True),
    Opcode.NETWORK_CONNECT: Effect(NetworkState.ACTIVE, moves_time=True),
    Opcode.NETWORK_DISCONNECT: Effect(NetworkState.PENDING, moves_time=True),
    Opcode.NETWORK_REMOVE: _REMOVED,
}
ON_FAILURE: dict[str, Effect] = {
    Opcode.NETWORK_ADD: Effect(NetworkState.ERROR, moves_time=True),
}


def effect_of(opcode: str, status: str, *, network_missing: bool = False) -> Effect:
    """Return what the final *status* of a network job means.

    *network_missing*: the cluster was asked and has no such network, so a failed removal is a success.
    """
    if status == "success":
        return ON_SUCCESS.get(opcode, _UNCHANGED)
    if opcode == Opcode.NETWORK_REMOVE and status in ("error", "canceled") and network_missing:
        return _REMOVED
    return ON_FAILURE.get(opcode, _NOTHING)


def apply(network: Network, event: NetworkStatus, *, network_missing: bool = False) -> Outcome:
    """Apply *event* to the locked *network* and its row for the cluster that reports.

    Raises ``SynnefoError`` for what can't be applied as things are.
    """
    if event.status not in JOB_STATUSES:
        raise SynnefoError(f"'{event.status}' is not a job status")
    if network.deleted:
        return Outcome.IGNORED
    backend = Backend.objects.filter(clustername=event.cluster).first()
    if backend is None:
        log.warning("event about network %d of the unknown cluster %s", network.pk, event.cluster)
        return Outcome.IGNORED
    row = _row_of(network, backend)
    if row.backendtime is not None and event.event_datetime <= row.backendtime:
        return Outcome.STALE
    row.backendjobid = event.job_id
    row.backendjobstatus = event.status
    row.backendopcode = event.operation[:64]
    row.backendlogmsg = text_of(event.logmsg)
    if event.is_final:
        _apply_final(network, row, event, network_missing=network_missing)
    row.save()
    if event.is_final:
        network_ends.settle_state(network)
    return Outcome.APPLIED if event.is_final else Outcome.RECORDED


def _row_of(network: Network, backend: Backend) -> BackendNetwork:
    row, _ = BackendNetwork.objects.get_or_create(
        network=network,
        backend=backend,
        defaults={"mac_prefix": names.backend_mac_prefix(network.mac_prefix, backend.index)},
    )
    return row


def _apply_final(
    network: Network, row: BackendNetwork, event: NetworkStatus, *, network_missing: bool
) -> None:
    effect = effect_of(event.operation, event.status, network_missing=network_missing)
    if effect.moves_time:
        row.backendtime = event.event_datetime
    if effect.operstate is not None:
        row.operstate = effect.operstate
        row.deleted = effect.operstate == NetworkState.DELETED
    if event.operation == Opcode.NETWORK_SET_PARAMS and event.status == "success" and event.add_reserved_ips:
        network_ends.reserve_externally(network, event.add_reserved_ips)
