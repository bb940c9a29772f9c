"""What Ganeti's jobs and refusals do to the tags of a server (Ganeti contract 9.4).

Jobs about tags say nothing about the instance, and what they did does not depend on what else happened to
it. So they neither move the time of the server's last event nor are stale because of it: a tag's event that
overtakes the end of a start must not make that start look old.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from cyclades.ganeti import jobs, names
from cyclades.ganeti.opcodes import Opcode
from cyclades.logic.server_table import TAGS_ACTIVE, effect_of
from cyclades.models import IntentState, JobIntent, Server, ServerTag, TagStatus
from synnefo.messages import OpStatus

#: The opcodes that are about tags alone.
OPCODES = frozenset({Opcode.TAGS_SET, Opcode.TAGS_DEL})


def decoded(encoded: Iterable[str]) -> list[str]:
    """Return those of Ganeti's tags that are tags of servers, once each, in order."""
    return sorted({tag for tag in map(names.decode_tag, encoded) if tag is not None})


def settle_with_instance(server: Server, encoded: Iterable[str], verdict: str) -> None:
    """Show the tags of a creation or removal as present in Ganeti, or forget them."""
    tags = decoded(encoded)
    if verdict == TAGS_ACTIVE:
        _activate(server, tags)
    elif tags:
        ServerTag.objects.filter(server=server, tag__in=tags).delete()


def settle(server: Server, event: OpStatus, open_intents: Collection[JobIntent]) -> bool:
    """Apply the end of a job about tags to the locked *server*; returns whether it may have changed any.

    *open_intents*: those of the server. A job of ours is applied once, and adds nothing that was deleted
    since; an administrator's own counts if the server knows of nothing newer.
    """
    tags = decoded(event.tags)
    intent = _intent_of(server, event, open_intents)
    if intent is not None and intent.state == IntentState.DONE:
        return False
    is_newest = _is_after(event.event_datetime, server.backendtime)
    if intent is None and not is_newest:
        return False
    is_set, is_active = event.operation == Opcode.TAGS_SET, _verdict(event) == TAGS_ACTIVE
    rows = ServerTag.objects.filter(server=server, tag__in=tags)
    if is_active and (intent is None or not is_set):
        # Somebody added them in Ganeti, or they could not be deleted.
        _activate(server, tags)
    elif is_active:
        rows.filter(status=TagStatus.PENDADD).update(status=TagStatus.ACTIVE)
    elif is_set:
        rows.filter(status=TagStatus.PENDADD).delete()
    elif intent is None:
        rows.exclude(tag__in=tags_being_added(open_intents)).delete()
    if intent is not None:
        _close(intent, event.job_id)
    return bool(tags)


def _verdict(event: OpStatus) -> str:
    return effect_of(event.operation, event.status).tags


def _is_after(moment: datetime, known: datetime | None) -> bool:
    return known is None or moment > known


def _intent_of(server: Server, event: OpStatus, open_intents: Iterable[JobIntent]) -> JobIntent | None:
    """Return the intent that the job carries out; its id may not be stored yet, but its reason names it."""
    for intent in open_intents:
        if event.request_id is not None and intent.request_id == event.request_id:
            return intent
        if intent.job_id is not None and intent.job_id == event.job_id:
            return intent
    if not event.job_id:
        return None
    return JobIntent.objects.filter(server=server, job_id=event.job_id).first()


def _close(intent: JobIntent, job_id: int) -> None:
    intent.job_id = job_id
    intent.state = IntentState.DONE
    intent.save(update_fields=["job_id", "state", "updated"])


def tags_being_added(intents: Iterable[JobIntent]) -> set[str]:
    """Return the tags that open *intents* are going to add."""
    adding = [intent for intent in intents if intent.operation == jobs.TAGS_ADD]
    open_states = (IntentState.PENDING, IntentState.SUBMITTED)
    return {
        tag
        for intent in adding
        if intent.state in open_states
        for tag in decoded(intent.payload.get("body", {}).get("tags") or ())
    }


def undo(server: Server, intent: JobIntent) -> None:
    """Take back the tag change *intent*, which Ganeti refused."""
    tags = decoded(intent.payload.get("body", {}).get("tags") or ())
    if intent.operation == jobs.TAGS_ADD:
        ServerTag.objects.filter(server=server, tag__in=tags, status=TagStatus.PENDADD).delete()
    elif intent.operation == jobs.TAGS_DELETE:
        _activate(server, tags)


def _activate(server: Server, tags: Collection[str]) -> None:
    if tags:
        ServerTag.objects.bulk_create(
            [ServerTag(server=server, tag=tag, status=TagStatus.ACTIVE) for tag in tags],
            update_conflicts=True,
            unique_fields=["server", "tag"],
            update_fields=["status"],
        )
