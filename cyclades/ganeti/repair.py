"""Finding what was lost: jobs never submitted, job ids never stored, events that never came.

The dispatchers run this at intervals; several may at once. Nothing here trusts time alone: a job is
submitted again only after the cluster's job queue was searched for its request id (``submission``), and
what a lost event would have done is applied under the server's lock by the code that applies events.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from django.conf import settings
from django.db.models import QuerySet

from cyclades.ganeti import (
    clients,
    names,
    observation,
    refresh,
    side_by_side,
    snapshot_jobs,
    submission,
)
from cyclades.logic import nova_resize, reconcile_servers, server_events, volume_deletion
from cyclades.models import Backend, IntentState, JobIntent, Server
from synnefo import clock
from synnefo.db.locks import atomic, lock_one
from synnefo.errors import ServiceUnavailable, SynnefoError
from synnefo.messages import OpStatus

log = logging.getLogger(__name__)

#: Time that the process which wrote an intent has to submit it itself.
SUBMISSION_TIME = timedelta(seconds=15)
#: Time that a job has to end and its event to arrive before anybody asks.
EVENT_TIME = timedelta(seconds=60)
#: How long ended intents are kept for operators.
KEPT = timedelta(days=7)
MAX_INTENTS = 200

Json = Mapping[str, Any]
T = TypeVar("T")


@dataclass
class Report:
    """What one run did."""

    submitted: int = 0
    replayed: int = 0
    vanished: int = 0
    unreachable: int = 0

    @property
    def changed(self) -> bool:
        """Tell whether anything was found."""
        return bool(self.submitted or self.replayed or self.vanished or self.unreachable)

    def add(self, other: Report) -> None:
        """Add what another part of the run did."""
        self.submitted += other.submitted
        self.replayed += other.replayed
        self.vanished += other.vanished
        self.unreachable += other.unreachable


#: What is done about the intents of one cluster, at most so many of them.
Work = Callable[[QuerySet[JobIntent], int, Backend], Report]


def run_once(*, limit: int = MAX_INTENTS) -> Report:
    """Do one bounded round: at most *limit* intents of each kind and cluster, the clusters side by side."""
    report = Report()
    for work, intents in ((_submit_pending, _due()), (_replay_lost, _overdue())):
        backends = list(Backend.objects.filter(pk__in=intents.order_by().values("backend")).order_by("pk"))
        for part in side_by_side.on_each(backends, partial(_of_backend, work, intents, limit)):
            report.add(part)
    _step("resizes", nova_resize.run_due)
    _step("detached volumes", volume_deletion.run_queue)
    report.submitted += _step("snapshots", snapshot_jobs.run_due) or 0
    _step("backends", _refresh_backends)
    _step("old intents", _forget_old)
    return report


def _of_backend(work: Work, intents: QuerySet[JobIntent], limit: int, backend: Backend) -> Report:
    """Do the *work* of one cluster: whatever it answers does not keep the others from being looked after."""
    return _step(f"backend {backend.clustername}", partial(work, intents, limit, backend)) or Report(
        unreachable=1
    )


def _step(what: str, work: Callable[[], T]) -> T | None:
    """Do one part of a round: what fails in it, now or always, does not keep the others from being done."""
    try:
        return work()
    except Exception:
        # Whatever it is, the next part is another cluster's or another table's.
        log.exception("%s can't be looked after now", what)
        return None


def _for_intent(intent: JobIntent, work: Callable[[], object]) -> None:
    """Deal with one intent; only a cluster that is away is a reason to leave the cluster's other ones."""
    try:
        work()
    except (ServiceUnavailable, clients.GanetiApiError):
        raise
    except Exception as error:
        # It would come first again in every round and keep the others waiting.
        log.exception("%s can't be dealt with", intent)
        _look_later(intent, f"{type(error).__name__}: {error}")


def _look_later(intent: JobIntent, error: str) -> None:
    JobIntent.objects.filter(pk=intent.pk).update(updated=clock.now(), last_error=error[:255])


def _submit_pending(due: QuerySet[JobIntent], limit: int, backend: Backend) -> Report:
    report = Report()
    intents = list(due.filter(backend=backend)[:limit])
    try:
        with clients.rapi_for(backend) as rapi:
            retried = any(intent.attempts for intent in intents)
            known = submission.jobs_by_request(rapi) if retried else {}
    except (ServiceUnavailable, clients.GanetiApiError) as error:
        report.unreachable += 1
        log.warning("%d jobs wait for backend %s: %s", len(intents), backend.clustername, error)
        return report
    for intent in intents:
        _for_intent(intent, partial(submission.submit, intent.pk, known_jobs=known))
        report.submitted += 1
    return report


def _due() -> QuerySet[JobIntent]:
    now = clock.now()
    pending = JobIntent.objects.filter(state=IntentState.PENDING, backend__offline=False)
    fresh = pending.filter(not_before=None, created__lt=now - SUBMISSION_TIME)
    again = pending.filter(not_before__lte=now)
    return (fresh | again).select_related("backend").order_by("created", "pk")


def _overdue() -> QuerySet[JobIntent]:
    return (
        JobIntent.objects.filter(
            state=IntentState.SUBMITTED, updated__lt=clock.now() - EVENT_TIME, backend__offline=False
        )
        .exclude(server=None)
        .select_related("backend", "server")
        .order_by("updated", "pk")
    )


def _replay_lost(overdue: QuerySet[JobIntent], limit: int, backend: Backend) -> Report:
    report = Report()
    intents = list(overdue.filter(backend=backend)[:limit])
    try:
        with clients.rapi_for(backend) as rapi:
            for intent in intents:
                _for_intent(intent, partial(_look_after, rapi, intent, report))
    except (ServiceUnavailable, clients.GanetiApiError) as error:
        report.unreachable += 1
        log.warning("%d jobs of backend %s can't be followed: %s", len(intents), backend, error)
    return report


def _look_after(rapi: clients.RapiClient, intent: JobIntent, report: Report) -> None:
    """Find out what became of a submitted job and apply it if it has ended."""
    job = _job(rapi, intent.job_id or 0)
    if job is not None and not observation.is_final(job):
        # Still under way: look again after the same time.
        JobIntent.objects.filter(pk=intent.pk).update(updated=clock.now())
        return
    instance = _instance(rapi, intent.server_id or 0)
    if job is None:
        report.vanished += 1
        _settle_vanished(intent, instance)
        return
    report.replayed += 1
    event = observation.event_of(
        job,
        cluster=intent.backend.clustername,
        instance_name=names.instance_name(intent.server_id or 0),
        instance=instance,
    )
    _apply(intent, event, instance_missing=instance is None)


def _job(rapi: clients.RapiClient, job_id: int) -> Json | None:
    try:
        return rapi.GetJobStatus(job_id)
    except clients.RapiRefused as error:
        if error.not_found:
            return None
        raise


def _instance(rapi: clients.RapiClient, server_id: int) -> Json | None:
    try:
        return rapi.GetInstance(names.instance_name(server_id))
    except clients.RapiRefused as error:
        if error.not_found:
            return None
        raise


def _apply(intent: JobIntent, event: OpStatus, *, instance_missing: bool) -> None:
    try:
        with atomic():
            server = lock_one(
                Server.objects.select_related("flavor", "backend").filter(pk=intent.server_id or 0)
            )
            if _is_open(intent):
                log.warning("server %d: job %d ended unnoticed", server.pk, event.job_id)
                server_events.apply(server, event, instance_missing=instance_missing)
                server_events.close_intents(server, event.job_id)
    except SynnefoError as error:
        # Kept for the next round and for reconcile-servers, which tells an administrator.
        log.error("server %s: job %d can't be applied: %s", intent.server_id, event.job_id, error)
        _look_later(intent, str(error))


def _is_open(intent: JobIntent) -> bool:
    return JobIntent.objects.filter(pk=intent.pk, state=IntentState.SUBMITTED).exists()


def _settle_vanished(intent: JobIntent, instance: Json | None) -> None:
    """End a task whose job Ganeti no longer knows, then bring the server in line with its instance."""
    with atomic():
        server = lock_one(Server.objects.select_related("flavor", "backend").filter(pk=intent.server_id or 0))
        if not _is_open(intent):
            return
        log.warning("server %d: Ganeti does not know job %s any more", server.pk, intent.job_id)
        if not server.task or server.task_job_id == intent.job_id:
            reconcile_servers.settle_vanished_job(server, intent.job_id or 0, instance)
        # Otherwise the server waits for another job, whose end or vanishing is told for itself.
        server_events.close_intents(server, intent.job_id or 0)


def _refresh_backends() -> None:
    """Keep the allocator's figures fresh, so that no creation waits for a cluster."""
    age = timedelta(minutes=settings.BACKEND_REFRESH_MIN) / 3
    old = Backend.objects.filter(offline=False, updated__lt=clock.now() - age)
    side_by_side.on_each(list(old.order_by("updated")), _refresh)


def _refresh(backend: Backend) -> None:
    try:
        refresh.refresh_all(backend)
    except (ServiceUnavailable, clients.GanetiApiError) as error:
        log.warning("backend %s is not refreshed: %s", backend.clustername, error)


def _forget_old() -> None:
    ended = JobIntent.objects.filter(
        state__in=(IntentState.DONE, IntentState.FAILED), updated__lt=clock.now() - KEPT
    )
    JobIntent.objects.filter(pk__in=list(ended.values_list("pk", flat=True)[:1000])).delete()
