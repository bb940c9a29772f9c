"""What each kind of message does, as a table (Ganeti contract 9.2).

A handler works in two steps: ``prepare`` asks Ganeti what only Ganeti knows, before any lock is taken;
``apply`` changes rows that are locked already.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from django.conf import settings
from django.db.models import prefetch_related_objects

from cyclades.dispatcher.row_updates import update_rows
from cyclades.ganeti import (
    clients,
    names,
    networks,
    refresh,
    snapshot_jobs,
    submission,
    submission_threads,
)
from cyclades.ganeti.opcodes import Opcode
from cyclades.logic import (
    network_events,
    progress,
    server_disks,
    server_events,
    server_nics,
    volume_deletion,
)
from cyclades.logic.server_events import Outcome
from cyclades.models import Backend, Network, Server
from synnefo import clock
from synnefo.db.locks import lock_rows
from synnefo.errors import ServiceUnavailable
from synnefo.messages import ClusterStatus, Heartbeat, Message, NetworkStatus, OpStatus, Progress

log = logging.getLogger(__name__)


@dataclass
class Work:
    """A decoded message and what ``prepare`` learned about it."""

    message: Message
    missing_in_ganeti: bool = False


@dataclass
class LockedRows:
    """The rows that a batch of messages is about, locked in the order of the project's locks."""

    servers: dict[int, Server] = field(default_factory=dict)
    networks: dict[int, Network] = field(default_factory=dict)
    unsaved: dict[int, set[str]] = field(default_factory=dict)

    def save_later(self, server: Server, columns: Collection[str]) -> None:
        """Note columns of a server that ``flush`` will write together with others."""
        self.unsaved.setdefault(server.pk, set()).update(columns)

    def flush(self) -> None:
        """Write everything that was noted, one statement for all servers with the same columns."""
        groups: dict[frozenset[str], list[Server]] = defaultdict(list)
        for server_id, columns in self.unsaved.items():
            groups[frozenset(columns)].append(self.servers[server_id])
        self.unsaved.clear()
        now = clock.now()
        for names_of_columns, servers in groups.items():
            for server in servers:
                server.updated = now
            update_rows(servers, sorted(names_of_columns))


def server_id_of(message: Message) -> int | None:
    """Return the server that *message* is about."""
    return names.server_id_of(message.instance) if isinstance(message, OpStatus | Progress) else None


def network_id_of(message: Message) -> int | None:
    """Return the network that *message* is about."""
    return names.network_id_of(message.network) if isinstance(message, NetworkStatus) else None


def prepare(message: Message) -> Work:
    """Ask Ganeti about what a failed removal left; its absence makes the failure a success.

    What is about no row that is locked later is done here: a cluster's refresh, the state of a snapshot.
    """
    work = Work(message)
    if isinstance(message, OpStatus):
        if message.operation == Opcode.INSTANCE_SNAPSHOT:
            snapshot_jobs.apply(message)
        if message.operation == Opcode.INSTANCE_REMOVE and message.status == "error":
            work.missing_in_ganeti = _instance_is_missing(message)
    elif isinstance(message, NetworkStatus):
        if message.operation == Opcode.NETWORK_REMOVE and message.status in ("error", "canceled"):
            work.missing_in_ganeti = _network_is_missing(message)
    elif isinstance(message, ClusterStatus) and message.status == "success":
        _refresh(message)
    return work


def _instance_is_missing(message: OpStatus) -> bool:
    server = Server.objects.select_related("backend").filter(pk=server_id_of(message) or 0).first()
    if server is None or server.backend is None:
        return False
    try:
        with clients.rapi_for(server.backend) as rapi:
            return not submission.instance_exists(rapi, server.pk)
    except (ServiceUnavailable, clients.GanetiApiError) as error:
        # The removal counts as failed; the owner may ask again, or reconciliation finds out.
        log.warning("server %d: its backend can't be asked: %s", server.pk, error)
        return False


def _network_is_missing(message: NetworkStatus) -> bool:
    backend = Backend.objects.filter(clustername=message.cluster).first()
    network = Network.objects.filter(pk=network_id_of(message) or 0).first()
    if backend is None or network is None:
        return False
    try:
        with clients.rapi_for(backend) as rapi:
            return networks.find_network(rapi, network) is None
    except (ServiceUnavailable, clients.GanetiApiError) as error:
        log.warning("network %d: its backend can't be asked: %s", network.pk, error)
        return False


def _refresh(message: ClusterStatus) -> None:
    backend = Backend.objects.get(clustername=message.cluster)
    if settings.GANETI_SUBMIT_IN_BACKGROUND:
        # The other clusters' messages do not wait for this one's answer.
        submission_threads.run(_refresh_now, backend, backend_id=backend.pk)
    else:
        _refresh_now(backend)


def _refresh_now(backend: Backend) -> None:
    try:
        refresh.refresh_all(backend)
    except (ServiceUnavailable, clients.GanetiApiError) as error:
        # The periodic refresh catches up.
        log.warning("backend %s is not refreshed now: %s", backend.clustername, error)


def lock(works: Iterable[Work]) -> LockedRows:
    """Lock all rows of a batch at once: servers, then networks, each in order of id."""
    messages = [work.message for work in works]
    rows = LockedRows()
    server_ids = {pk for pk in map(server_id_of, messages) if pk is not None}
    if server_ids:
        queryset = Server.objects.filter(pk__in=server_ids).select_related("flavor", "backend")
        rows.servers = {server.pk: server for server in lock_rows(queryset)}
        _load(rows, messages)
    network_ids = {pk for pk in map(network_id_of, messages) if pk is not None}
    if network_ids:
        rows.networks = {
            network.pk: network for network in lock_rows(Network.objects.filter(pk__in=network_ids))
        }
    return rows


def _load(rows: LockedRows, messages: Iterable[Message]) -> None:
    """Load at once what the final events of a batch look at."""
    final = {server_id_of(m) or 0: m for m in messages if isinstance(m, OpStatus) and m.is_final}
    servers = [rows.servers[pk] for pk in final if pk in rows.servers]
    if not servers:
        return
    prefetch_related_objects(servers, server_events.open_intents_prefetch())
    with_devices = [rows.servers[pk] for pk, m in final.items() if pk in rows.servers and _has_devices(m)]
    if with_devices:
        prefetch_related_objects(with_devices, server_nics.ports_prefetch(), server_disks.volumes_prefetch())


def _has_devices(message: OpStatus) -> bool:
    return message.instance_nics is not None or message.instance_disks is not None


def apply(work: Work, rows: LockedRows) -> Outcome:
    """Apply one message in the caller's transaction, which is to be undone when this raises.

    Columns of servers are only noted; ``LockedRows.flush``, which the caller calls last, writes those of the
    whole batch.
    """
    return HANDLERS[type(work.message)](work, rows)


def moves_columns_only(message: Message) -> bool:
    """Tell whether a failure of *message* leaves nothing to undo: it fails before it changes anything."""
    if isinstance(message, OpStatus):
        return not message.is_final
    return isinstance(message, Progress) and message.type == "image-copy-progress"


def _apply_op(work: Work, rows: LockedRows) -> Outcome:
    assert isinstance(work.message, OpStatus)
    server = rows.servers.get(server_id_of(work.message) or 0)
    if server is None:
        if volume_deletion.apply(work.message):
            return Outcome.APPLIED
        return _not_ours(work.message.instance)
    if server.backend is not None and server.backend.clustername != work.message.cluster:
        # An instance of the same name on another cluster, whose job ids mean nothing here; or a backend that
        # is not registered with its cluster's own name.
        log.warning(
            "an event about %s of cluster %s is ignored: the server is on backend %s",
            *(work.message.instance, work.message.cluster, server.backend.clustername),
        )
        return Outcome.IGNORED
    return server_events.apply(
        server, work.message, instance_missing=work.missing_in_ganeti, save=rows.save_later
    )


def _apply_progress(work: Work, rows: LockedRows) -> Outcome:
    assert isinstance(work.message, Progress)
    server = rows.servers.get(server_id_of(work.message) or 0)
    if server is None:
        return _not_ours(work.message.instance)
    return progress.apply(server, work.message, save=rows.save_later)


def _apply_network(work: Work, rows: LockedRows) -> Outcome:
    assert isinstance(work.message, NetworkStatus)
    network = rows.networks.get(network_id_of(work.message) or 0)
    if network is None:
        return _not_ours(work.message.network)
    return network_events.apply(network, work.message, network_missing=work.missing_in_ganeti)


def _done_already(work: Work, rows: LockedRows) -> Outcome:
    return Outcome.APPLIED


def _ignored(work: Work, rows: LockedRows) -> Outcome:
    return Outcome.IGNORED


def _not_ours(name: str) -> Outcome:
    log.info("an event about %s, which is not ours, is ignored", name)
    return Outcome.IGNORED


#: The handler of each kind of message; a cluster's refresh is done by ``prepare``.
HANDLERS: dict[type[Message], Callable[[Work, LockedRows], Outcome]] = {
    OpStatus: _apply_op,
    Progress: _apply_progress,
    NetworkStatus: _apply_network,
    ClusterStatus: _done_already,
    Heartbeat: _ignored,
}
