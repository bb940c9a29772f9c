"""Intended jobs: written with the change they belong to, submitted after its commit.

The steps, and what a crash between any two of them leaves behind:

1. ``intend`` inserts a PENDING intent in the transaction of the use case, which holds the server's row
   lock. Crash: neither exists.
2. After the commit ``submit`` *claims* the intent in a transaction of its own: it counts the attempt and
   sets ``not_before`` to the end of a lease. Only the intent's row is locked. Crash before: the repair
   task finds a PENDING intent that is due. Crash after: it finds it when the lease ends.
3. Ganeti is asked, with no lock held. Every attempt but the first looks for a job whose reason trail
   carries the intent's request id, so a request whose answer was lost is never repeated.
4. The job's id is stored: server row lock, then intent row lock. Crash before: as in 3, or the job's
   first event brings the request id and adopts the intent (``server_events``).

An intent ends as SUBMITTED and then DONE (its final event was applied), or as FAILED (refused, or
overtaken by a destruction). What Ganeti's answer leaves unknown stays PENDING and releases nothing.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction

from cyclades.ganeti import submission_threads
from cyclades.ganeti.opcodes import OPCODES, Opcode
from cyclades.ganeti.rapi_pool import ACQUIRE_SECONDS
from cyclades.ganeti.requests import Payload
from cyclades.models import IntentState, JobIntent, Server, Task
from synnefo import clock, crypto, request_id
from synnefo.db.locks import atomic, lock_one

log = logging.getLogger(__name__)

VMAPI_KEY_PURPOSE = "vmapi-key"
#: Operations that are no task of their server.
TAGS_ADD, TAGS_DELETE, FIREWALL = "TAGS_ADD", "TAGS_DELETE", "FIREWALL"
#: Operations on an instance that need not exist when they are asked for.
_AFTER_BUILD = (TAGS_ADD, TAGS_DELETE)
#: What one exchange with Ganeti takes beyond its timeouts: waiting for a place, a loaded machine.
_LEASE_MARGIN = ACQUIRE_SECONDS + 10
_REASON_LENGTH = 64


def intend(*, server: Server, operation: str, payload: Payload, secrets_key: str = "") -> JobIntent:
    """Promise the job of *payload* for *server*, in the caller's transaction, and submit it after commit.

    The caller holds the server's row lock and has checked that *operation* is allowed. An operation that
    is a ``Task`` becomes the server's task; others (tags, firewall) leave no trace on it. *secrets_key*
    names the one-time configuration of a creation; only its encrypted form is stored.
    """
    if secrets_key:
        payload = payload | {"vmapi": crypto.encrypt(secrets_key, VMAPI_KEY_PURPOSE)}
    if server.backend is None:
        raise ValueError(f"server {server.pk} has no backend")
    if operation == Task.DESTROY:
        _overtake(server)
    intent = JobIntent.objects.create(
        request_id=_new_request_id(),
        server=server,
        backend=server.backend,
        operation=operation,
        payload=payload,
    )
    if operation in Task.values:
        server.action = server.task = operation
        server.task_job_id = None
        server.save(update_fields=["action", "task", "task_job_id", "updated"])
    transaction.on_commit(partial(_submit_after_commit, intent.pk, intent.backend_id))
    return intent


def opcode_of(intent: JobIntent) -> Opcode:
    """Return the Ganeti opcode that the intent's job consists of."""
    return OPCODES[intent.payload["action"]]


def _overtake(server: Server) -> None:
    """Give up what was not submitted yet: the server is going away."""
    JobIntent.objects.filter(server=server, state=IntentState.PENDING).update(
        state=IntentState.FAILED, last_error="overtaken by the destruction of the server", updated=clock.now()
    )


def waits_for_build(intent: JobIntent) -> bool:
    """Tell whether *intent* is about an instance that Ganeti is still to create."""
    return (
        intent.operation in _AFTER_BUILD
        and Server.objects.filter(pk=intent.server_id or 0, task=Task.BUILD).exists()
    )


def resume_after_build(intents: Iterable[JobIntent]) -> None:
    """Let those of a new server's open *intents* that waited for it go on after the transaction."""
    for intent in sorted(intents, key=lambda intent: intent.pk):
        if intent.state == IntentState.PENDING and intent.operation in _AFTER_BUILD:
            intent.not_before = None
            intent.save(update_fields=["not_before", "updated"])
            transaction.on_commit(partial(_submit_after_commit, intent.pk, intent.backend_id))


def abandon_after_build(server: Server, reason: str) -> None:
    """Give up what waited for the creation of *server*, which failed."""
    JobIntent.objects.filter(server=server, state=IntentState.PENDING, operation__in=_AFTER_BUILD).update(
        state=IntentState.FAILED, last_error=reason[:255], updated=clock.now()
    )


def _new_request_id() -> str:
    """Return the id of the work in progress made unique, because one request may intend several jobs."""
    suffix = secrets.token_hex(6)
    current = request_id.current() or request_id.new()
    return f"{current[: _REASON_LENGTH - len(suffix) - 1]}.{suffix}"


def _submit_after_commit(intent_id: int, backend_id: int) -> None:
    submit(intent_id, backend_id)


def submit(intent_id: int, backend_id: int) -> None:
    """Submit an intent of a transaction that has committed, here or in a thread as the settings say."""
    from cyclades.ganeti import submission

    if settings.GANETI_SUBMIT_IN_BACKGROUND:
        submission_threads.run(submission.submit, intent_id, backend_id=backend_id)
    else:
        submission.submit(intent_id)


def lease() -> timedelta:
    """Return how long a claim keeps others away: longer than one exchange with Ganeti can take.

    So no two processes submit at once, and what a killed process was at is taken over soon.
    """
    timeouts = float(settings.RAPI_CONNECT_TIMEOUT) + float(settings.RAPI_READ_TIMEOUT)
    return timedelta(seconds=timeouts + _LEASE_MARGIN)


def claim(intent_id: int) -> JobIntent | None:
    """Take a due PENDING intent for this process until its lease ends; ``None`` when there is none."""
    now = clock.now()
    with atomic():
        intent = (
            JobIntent.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("backend")
            .filter(pk=intent_id, state=IntentState.PENDING)
            .first()
        )
        if intent is None or (intent.not_before is not None and intent.not_before > now):
            return None
        intent.attempts += 1
        intent.not_before = now + lease()
        intent.save(update_fields=["attempts", "not_before", "updated"])
    return intent


def renew(intent: JobIntent) -> bool:
    """Begin the lease of a claimed *intent* anew; false when it ended and another process has the intent.

    Called right before the request is sent, because what comes before it (finding an earlier job,
    connecting networks) has no common limit in time.
    """
    now = clock.now()
    mine = JobIntent.objects.filter(pk=intent.pk, state=IntentState.PENDING, attempts=intent.attempts)
    return bool(mine.update(not_before=now + lease(), updated=now))


def record_job(intent: JobIntent, job_id: int) -> None:
    """Store the job that carries out *intent*, unless an event was faster."""
    with atomic():
        server, stored = _lock(intent)
        if stored is None or stored.job_id == job_id:
            return
        overtaken = stored.state != IntentState.PENDING
        stored.job_id = job_id
        stored.last_error = ""
        if not overtaken:
            stored.state = IntentState.SUBMITTED
        stored.save(update_fields=["job_id", "state", "last_error", "updated"])
        if server is not None and not overtaken:
            set_task_job(server, stored)
            server.save(
                update_fields=["task_job_id", "backendjobid", "backendopcode", "backendjobstatus", "updated"]
            )


def set_task_job(server: Server, intent: JobIntent) -> None:
    """Put the job of *intent* on its locked *server*; the caller saves.

    A creation also becomes the last known job, so that its fate can be looked up before any event.
    """
    if server.task == intent.operation and server.task_job_id is None:
        server.task_job_id = intent.job_id
    if intent.operation == Task.BUILD and server.backendjobid is None:
        server.backendjobid = intent.job_id
        server.backendopcode = opcode_of(intent)
        server.backendjobstatus = ""


def postpone(intent: JobIntent, reason: str, *, sent: bool) -> None:
    """Leave *intent* PENDING for a later attempt, sooner when nothing was *sent*."""
    delay = lease() if sent else timedelta(seconds=min(60, 2 ** min(intent.attempts, 6)))
    mine = JobIntent.objects.filter(pk=intent.pk, state=IntentState.PENDING, attempts=intent.attempts)
    mine.update(not_before=clock.now() + delay, last_error=reason[:255], updated=clock.now())


def _lock(intent: JobIntent) -> tuple[Server | None, JobIntent | None]:
    """Lock the intent's server, then the intent; an intent that was adopted meanwhile comes back changed."""
    server = lock_one(Server.objects.filter(pk=intent.server_id)) if intent.server_id else None
    stored = JobIntent.objects.select_for_update(of=("self",)).filter(pk=intent.pk).first()
    return server, stored


def locked_pending(intent: JobIntent) -> tuple[Server, JobIntent] | None:
    """Lock server and intent in the caller's transaction; ``None`` unless the intent is still PENDING."""
    server, stored = _lock(intent)
    if server is None or stored is None or stored.state != IntentState.PENDING:
        return None
    return server, stored


def mark_failed(intent: JobIntent, reason: str) -> None:
    """Store that Ganeti refused *intent*; the caller holds its row lock."""
    intent.state = IntentState.FAILED
    intent.last_error = reason[:255]
    intent.save(update_fields=["state", "last_error", "updated"])


def describe(intent: JobIntent) -> dict[str, Any]:
    """Return what operators are shown of *intent*."""
    return {
        "id": intent.pk,
        "operation": intent.operation,
        "request": intent.request_id,
        "state": intent.state,
        "job": intent.job_id,
        "attempts": intent.attempts,
        "error": intent.last_error,
    }
