"""Applying what Ganeti reports about an instance to its server (Ganeti contract 9.3).

Every function works on a server whose row the caller has locked. Events come at least once, in any
order, possibly from several dispatchers: an event older than the last applied one changes nothing but
the task that it ends.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Prefetch, prefetch_related_objects

from cyclades.ganeti import jobs, names, submission_threads
from cyclades.ganeti.opcodes import SELF_DESCRIBING, Opcode
from cyclades.logic import (
    hotplug,
    news,
    quota,
    rescue,
    server_charges,
    server_disks,
    server_nics,
    server_outcomes,
    server_retries,
    tag_events,
)
from cyclades.logic.server_table import Effect, effect_of
from cyclades.models import Flavor, IntentState, JobIntent, Server, Task
from synnefo.errors import SynnefoError
from synnefo.messages import (
    FINAL_STATUSES,
    JOB_STATUSES,
    InstanceDisk,
    InstanceHvparams,
    InstanceNic,
    OpStatus,
)

log = logging.getLogger(__name__)

_LOG_LENGTH = 4096
#: Where the open intents of a server are kept once loaded.
OPEN_INTENTS = "loaded_open_intents"
#: Tasks of which a volume waits for the end.
VOLUME_TASKS = (Task.ATTACH_VOLUME, Task.DETACH_VOLUME, Task.DELETE_VOLUME)
SIMULATED = "Reconciliation: simulated Ganeti event"


class Outcome(StrEnum):
    """What became of an event; the label of the dispatcher's metric."""

    APPLIED = "applied"
    RECORDED = "recorded"
    STALE = "stale"
    IGNORED = "ignored"
    RESUBMITTED = "resubmitted"


#: Writes the named columns of a locked server, at once or with others of its batch.
Saver = Callable[[Server, Collection[str]], None]


def save_now(server: Server, columns: Collection[str]) -> None:
    """Write the named columns of *server*."""
    server.save(update_fields=list(columns))


def apply(
    server: Server, event: OpStatus, *, instance_missing: bool = False, save: Saver = save_now
) -> Outcome:
    """Apply *event* to the locked *server* and save it.

    *instance_missing*: the cluster was asked, before the lock, and has no such instance. *save* writes
    the server's own columns. Raises ``SynnefoError`` for an event that can't be applied as things are;
    the caller keeps it aside.
    """
    if event.status not in JOB_STATUSES:
        raise SynnefoError(f"'{event.status}' is not a job status")
    if server.deleted or event.operation == Opcode.INSTANCE_SNAPSHOT:
        return Outcome.IGNORED
    before = _columns(server)
    if event.operation in tag_events.OPCODES:
        return _apply_tags(server, event, save)
    adopt(server, event)
    if server.backendtime is not None and event.event_datetime <= server.backendtime and not _is_last(event):
        return _settle_late(server, event)
    if server_retries.resubmit_without_opportunism(server, event):
        return Outcome.RESUBMITTED
    if not event.is_final and _is_overtaken(server, event):
        return Outcome.STALE
    _record(server, event)
    if event.is_final:
        effect = effect_of(event.operation, event.status, instance_missing=instance_missing)
        _apply_final(server, event, effect)
    after = _columns(server)
    changed = {"updated", *(name for name, value in after.items() if value != before[name])}
    save(server, changed)
    return Outcome.APPLIED if event.is_final else Outcome.RECORDED


def _apply_tags(server: Server, event: OpStatus, save: Saver) -> Outcome:
    """Apply an event about tags, which say nothing about the instance's state and its task."""
    if not event.is_final:
        return Outcome.RECORDED
    if not tag_events.settle(server, event, open_intents(server)):
        return Outcome.STALE
    save(server, {"updated"})
    return Outcome.APPLIED


def _columns(server: Server) -> dict[str, Any]:
    """Return the values that an UPDATE of *server* would write; few of them change with one event."""
    return {field.name: getattr(server, field.attname) for field in Server._meta.local_concrete_fields}


def _apply_final(server: Server, event: OpStatus, effect: Effect) -> None:
    flavor = _new_flavor(server, event) if event.status == "success" else None
    if effect.moves_time:
        server.backendtime = event.event_datetime
    ended = server.task if server.task_job_id == event.job_id else ""
    task = server.task
    disk_changes: list[server_disks.Change] = []
    if event.instance_disks is not None and not effect.deletes:
        disk_changes = server_disks.synchronise(
            server, event.instance_disks, job_id=event.job_id, ended=ended
        )
        flavor = flavor or server_disks.flavor_of_root(server, event.instance_disks)
    elif ended in VOLUME_TASKS and event.status != "success":
        server_disks.settle_unreported(server, ended)
    if event.instance_hvparams is not None:
        rescue.apply_boot(server, event.instance_hvparams)
    server_charges.settle(
        server, event, flavor=flavor, disk_changes=disk_changes, succeeded=_succeeded(event, effect)
    )
    if ended:
        server_outcomes.end_task(server, succeeded=_succeeded(event, effect))
    # Holdings come before address pools in the lock order.
    if event.instance_nics is not None and not effect.deletes:
        server_nics.synchronise(server, event.instance_nics, task=task, connected=ended == Task.CONNECT)
    hotplug.report(server, event, partial(open_intents, server))
    if effect.tags:
        tag_events.settle_with_instance(server, event.tags, effect.tags)
    if event.operation == Opcode.INSTANCE_CREATE and event.status == "success":
        jobs.resume_after_build(open_intents(server))
        news.server_built(server)
    if effect.fails_build:
        server_outcomes.fail_build(server)
    if effect.deletes:
        server_outcomes.end(server)
    if effect.operstate is not None:
        server.operstate = effect.operstate
    if flavor is not None:
        server.flavor = flavor
    close_intents(server, event.job_id)


def _succeeded(event: OpStatus, effect: Effect) -> bool:
    return event.status == "success" or effect.deletes


def open_intents(server: Server) -> list[JobIntent]:
    """Return the intents of the locked *server* that have not ended, loaded with its batch or now."""
    loaded: list[JobIntent] | None = getattr(server, OPEN_INTENTS, None)
    if loaded is None:
        prefetch_related_objects([server], open_intents_prefetch())
        loaded = getattr(server, OPEN_INTENTS)
    return loaded


def open_intents_prefetch() -> Prefetch:
    """Return how to load the open intents of many servers at once."""
    states = (IntentState.PENDING, IntentState.SUBMITTED)
    queryset = JobIntent.objects.filter(state__in=states).order_by("-pk")
    return Prefetch("intents", queryset, to_attr=OPEN_INTENTS)


def close_intents(server: Server, job_id: int) -> None:
    """Mark what was intended with *job_id* as done."""
    for intent in open_intents(server):
        if intent.job_id == job_id and intent.state == IntentState.SUBMITTED:
            intent.state = IntentState.DONE
            intent.save(update_fields=["state", "updated"])


def adopt(server: Server, event: OpStatus) -> None:
    """Give the server's pending intent the job of *event*, when the event shows that it is its job.

    The event daemon copies the intent's request id out of the job's reason trail, which settles it. An
    event without one (an older daemon) is taken only when the opcode alone says all about the job: then
    even a mistake, an administrator's own start of the same server, has the effect that was intended.
    """
    if not server.task or server.task_job_id is not None:
        return
    for intent in open_intents(server):
        waits = intent.state == IntentState.PENDING and intent.attempts > 0
        if waits and intent.operation == server.task and _is_job_of(intent, server, event):
            intent.job_id = event.job_id
            intent.state = IntentState.SUBMITTED
            intent.save(update_fields=["job_id", "state", "updated"])
            jobs.set_task_job(server, intent)
            log.info("job %d is that of %s", event.job_id, intent)
            return


def _is_job_of(intent: JobIntent, server: Server, event: OpStatus) -> bool:
    if event.request_id is not None:
        return event.request_id == intent.request_id
    # A cluster's job ids only grow, so an older job can't be the intended one.
    is_newer = server.backendjobid is None or event.job_id > server.backendjobid
    return is_newer and event.operation in SELF_DESCRIBING and event.operation == jobs.opcode_of(intent)


def _is_last(event: OpStatus) -> bool:
    """Tell whether nothing can have happened to the instance after *event*, whatever the clocks say."""
    return event.operation == Opcode.INSTANCE_REMOVE and event.status == "success"


def _settle_late(server: Server, event: OpStatus) -> Outcome:
    """End the task of a job whose result was overtaken by a newer event; nothing else is applied."""
    if not (event.is_final and server.task and server.task_job_id == event.job_id):
        return Outcome.STALE
    if event.status != "success":
        server_disks.settle_unreported(server, server.task)
    # What the job did is charged when the server shows it, now or when somebody looks: not before, or twice.
    quota.reject(server)
    server_outcomes.end_task(server, succeeded=event.status == "success", overtaken=True)
    hotplug.report(server, event, partial(open_intents, server))
    server.save()
    state = effect_of(event.operation, event.status).operstate
    if state not in (None, server.operstate):
        # Another dispatcher was faster with what came after, which may have left the state to this event.
        transaction.on_commit(partial(_look_at_state, server.pk, server.backend_id), robust=True)
    close_intents(server, event.job_id)
    return Outcome.STALE


def _look_at_state(server_id: int, backend_id: int | None) -> None:
    from cyclades.logic.reconcile_servers import settle_state

    if settings.GANETI_SUBMIT_IN_BACKGROUND:
        submission_threads.run(settle_state, server_id, backend_id=backend_id)
    else:
        settle_state(server_id)


def _is_overtaken(server: Server, event: OpStatus) -> bool:
    """Tell whether the server's last recorded job status is newer than this non-final one."""
    known = server.backendjobid
    if known is None or event.job_id > known:
        return False
    return event.job_id < known or server.backendjobstatus in FINAL_STATUSES


def _record(server: Server, event: OpStatus) -> None:
    server.backendjobid = event.job_id
    server.backendjobstatus = event.status
    server.backendopcode = event.operation[:64]
    server.backendlogmsg = text_of(event.logmsg)


def text_of(logmsg: Any) -> str:
    """Return a job's log message, which may be anything, as text."""
    if logmsg is None:
        return ""
    text = logmsg if isinstance(logmsg, str) else json.dumps(logmsg, ensure_ascii=False, default=str)
    return text.replace("\x00", "")[:_LOG_LENGTH]


def _new_flavor(server: Server, event: OpStatus) -> Flavor | None:
    """Return the flavor that the job's beparams gave the server, ``None`` when it did not change."""
    beparams = event.job_fields.get("beparams") or {}
    if not isinstance(beparams, Mapping) or event.operation == Opcode.INSTANCE_CREATE:
        return None
    cpu = beparams.get("vcpus") or server.flavor.cpu
    ram = beparams.get("maxmem") or beparams.get("memory") or server.flavor.ram
    if (cpu, ram) == (server.flavor.cpu, server.flavor.ram):
        return None
    return find_flavor(server, cpu=cpu, ram=ram)


def find_flavor(
    server: Server, *, cpu: int | None = None, ram: int | None = None, disk: int | None = None
) -> Flavor:
    """Return the flavor like the server's but for the given sizes; raises ``SynnefoError`` without one."""
    current = server.flavor
    wanted = {"cpu": cpu or current.cpu, "ram": ram or current.ram, "disk": disk or current.disk}
    found = Flavor.objects.filter(volume_type_id=current.volume_type_id, **wanted).order_by("deleted").first()
    if found is None:
        raise SynnefoError(
            f"There is no flavor with {wanted['cpu']} CPUs, {wanted['ram']} MiB and a disk of "
            f"{wanted['disk']} GiB of volume type {current.volume_type_id} for server {server.pk}."
        )
    return found


def at(event: OpStatus, moment: datetime) -> OpStatus:
    """Return *event* as of another *moment*."""
    return replace(event, event_time=(int(moment.timestamp()), moment.microsecond))


def simulated(
    server: Server,
    *,
    opcode: str,
    moment: datetime,
    status: str = "success",
    job_id: int = 0,
    request_id: str | None = None,
    logmsg: Any = SIMULATED,
    nics: Sequence[InstanceNic] | None = None,
    disks: Sequence[InstanceDisk] | None = None,
    hvparams: InstanceHvparams | None = None,
    beparams: Mapping[str, Any] | None = None,
    tags: Sequence[str] = (),
) -> OpStatus:
    """Return the event that Ganeti would have sent about *server* at *moment*."""
    return OpStatus(
        operation=opcode,
        status=status,
        job_id=job_id,
        event_time=(int(moment.timestamp()), moment.microsecond),
        cluster=server.backend.clustername if server.backend else "",
        logmsg=logmsg,
        request_id=request_id,
        instance=names.instance_name(server.pk),
        tags=tuple(tags),
        job_fields={"beparams": dict(beparams)} if beparams else {},
        instance_nics=None if nics is None else tuple(nics),
        instance_disks=None if disks is None else tuple(disks),
        instance_hvparams=hvparams,
    )
