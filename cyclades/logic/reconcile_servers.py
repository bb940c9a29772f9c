"""Finding and mending differences between servers and instances (Ganeti contract 10.1)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.db.models import Prefetch, QuerySet

from cyclades.ganeti import clients, names, observation, snapshot_jobs
from cyclades.ganeti.observation import Json
from cyclades.ganeti.opcodes import Opcode
from cyclades.logic import reconcile_differences as differences
from cyclades.logic import server_events, server_nics, server_outcomes, server_state
from cyclades.logic.reconcile_differences import Kind
from cyclades.logic.server_events import Outcome
from cyclades.models import Backend, IntentState, JobIntent, Server, ServerState, SnapshotJob, Task
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one
from synnefo.errors import ServiceUnavailable
from synnefo.messages import OpStatus

log = logging.getLogger(__name__)

#: A creation that waits longer than this in Ganeti's queue is worth an administrator's look.
LONG_WAIT = timedelta(minutes=30)
#: A snapshot that was asked for is not judged before.
SNAPSHOT_TIME = timedelta(minutes=10)
#: What ``fix`` says when there is nothing to mend any more.
CHANGED = "changed meanwhile"
_DELETED = "is deleted meanwhile"
_BELONGS = "belongs to a server that was created meanwhile or lives on another backend"
SETTLED_OTHERWISE = frozenset({CHANGED, _DELETED, _BELONGS})
#: The tasks that are done when the instance runs (or not).
_GOALS = {Task.START: True, Task.REBOOT: True, Task.STOP: False}


@dataclass(frozen=True)
class Finding:
    """One difference in one backend; ``mendable`` tells whether a fix flag helps.

    ``versions``, which all findings of a backend share, has when each server had last changed when it was
    looked at or mended.
    """

    kind: Kind
    backend: Backend
    server_id: int
    text: str
    events: tuple[OpStatus, ...] = ()
    job: Json | None = None
    instance: Json | None = None
    task_job_id: int | None = None
    snapshot: SnapshotJob | None = None
    versions: dict[int, datetime] = field(default_factory=dict, compare=False, repr=False)

    @property
    def mendable(self) -> bool:
        """Tell whether ``fix`` can do something about it."""
        return bool(self.events) or self.kind in (Kind.ORPHAN, Kind.PENDING_TASK, Kind.SNAPSHOT)

    @property
    def name(self) -> str:
        """Return the instance's name."""
        return names.instance_name(self.server_id)


@dataclass
class View:
    """Both sides of one backend; *moment* is before either was read."""

    backend: Backend
    moment: datetime
    servers: list[Server] = field(default_factory=list)
    instances: dict[int, Json] = field(default_factory=dict)
    jobs: dict[int, Json] = field(default_factory=dict)
    snapshots: list[SnapshotJob] = field(default_factory=list)

    def runs(self, job_id: int | None) -> bool:
        """Tell whether a job is still under way."""
        job = self.jobs.get(job_id or 0)
        return job is not None and not observation.is_final(job)


def known_servers(backend: Backend) -> QuerySet[Server]:
    """Return the servers of *backend* with everything that is compared."""
    pending = JobIntent.objects.filter(state=IntentState.PENDING)
    return (
        Server.objects.filter(backend=backend, deleted=False)
        .select_related("flavor", "backend", "rescue_image")
        .prefetch_related(
            "tags",
            "volumes",
            server_nics.ports_prefetch(),
            Prefetch("intents", pending, to_attr="pending_intents"),
        )
        .order_by("pk")
    )


def look(backend: Backend) -> View:
    """Read both sides; raises ``ServiceUnavailable`` when Ganeti can't be asked."""
    view = View(backend, clock.now())
    view.servers = list(known_servers(backend))
    states = (IntentState.PENDING, IntentState.SUBMITTED)
    waiting = SnapshotJob.objects.filter(
        backend=backend, state__in=states, created__lt=view.moment - SNAPSHOT_TIME
    )
    view.snapshots = list(waiting.order_by("pk"))
    try:
        with clients.rapi_for(backend) as rapi:
            # Jobs first: what one did that had ended by then shows in the instances, which are newer.
            jobs = rapi.GetJobs(bulk=True)
            instances = rapi.GetInstances(bulk=True)
    except clients.GanetiApiError as error:
        raise ServiceUnavailable(f"The backend {backend.clustername} refuses: {error}") from error
    for instance in instances:
        server_id = names.server_id_of(str(instance.get("name")))
        if server_id is not None:
            view.instances[server_id] = instance
    view.jobs = {int(job["id"]): job for job in jobs}
    return view


def plan(view: View) -> list[Finding]:
    """Return every difference of *view*, servers in order of id, then orphans."""
    found = [finding for server in view.servers for finding in _of_server(view, server)]
    known = {server.pk for server in view.servers}
    for server_id in sorted(set(view.instances) - known):
        found.append(Finding(Kind.ORPHAN, view.backend, server_id, "is no server of this backend"))
    found += _of_snapshots(view)
    versions = {server.pk: server.updated for server in view.servers}
    return [replace(finding, versions=versions) for finding in found]


def _of_snapshots(view: View) -> Iterator[Finding]:
    """Yield the snapshots that no node can make any more, or has not made for too long."""
    given_up = {job.pk for job in snapshot_jobs.unsettled(view.backend)}
    for job in view.snapshots:
        instance = view.instances.get(job.server_id or 0)
        if instance is None or job.disk not in (instance.get("disk.names") or []):
            text = f"has no disk {job.disk}, of which snapshot {job.snapshot_id} was to be made"
            yield Finding(Kind.SNAPSHOT, view.backend, job.server_id or 0, text, snapshot=job)
        elif job.pk in given_up:
            text = f"did not make snapshot {job.snapshot_id}, asked for at {job.created:%Y-%m-%d %H:%M}"
            yield Finding(Kind.SNAPSHOT, view.backend, job.server_id or 0, text, snapshot=job)


def _of_server(view: View, server: Server) -> Iterator[Finding]:
    instance = view.instances.get(server.pk)
    if server.operstate == ServerState.BUILD:
        yield from _of_build(view, server, instance)
    elif instance is None:
        yield from _of_missing(view, server)
    elif not _in_flight(view, server):
        for difference in differences.of_instance(server, instance, view.moment):
            events = (difference.event,) if difference.event is not None else ()
            yield Finding(difference.kind, view.backend, server.pk, difference.text, events)
    yield from _of_task(view, server, instance)


def _in_flight(view: View, server: Server) -> bool:
    """Tell whether a job of ours is on its way: its event will settle what differs now."""
    return bool(_pending_intents(server)) or (bool(server.task) and view.runs(server.task_job_id))


def _pending_intents(server: Server) -> Sequence[JobIntent]:
    intents: Sequence[JobIntent] = getattr(server, "pending_intents", ())
    return intents


def _of_build(view: View, server: Server, instance: Json | None) -> Iterator[Finding]:
    job = view.jobs.get(server.backendjobid or 0)
    if _pending_intents(server) or view.runs(server.backendjobid) or _is_being_imported(view, server):
        yield Finding(Kind.BUILDING, view.backend, server.pk, _building_text(view, job))
        return
    failed = job is not None and observation.is_final(job) and job.get("status") != "success"
    if failed or (instance is None and job is None):
        event = server_events.simulated(
            server, opcode=Opcode.INSTANCE_CREATE, status="error", moment=view.moment
        )
        text = "was not built: its job failed" if failed else "was not built: its job is unknown"
        yield Finding(Kind.BUILD_ERROR, view.backend, server.pk, text, (event,))
    elif instance is None:
        yield _stale(view, server)
    else:
        later = view.moment + timedelta(microseconds=1)
        events = (
            differences.build_finished(server, instance, view.moment),
            differences.power_event(server, instance, later),
        )
        yield Finding(Kind.OPERSTATE, view.backend, server.pk, "is BUILD here and built in Ganeti", events)


def _is_being_imported(view: View, server: Server) -> bool:
    """Tell whether ``server_import`` is between two of its jobs; a moment later it is known to be gone."""
    return server_state.is_being_imported(server) and server.updated > view.moment - differences.YOUNG


def _building_text(view: View, job: Json | None) -> str:
    if job is None:
        return "is being built: its job is not submitted yet"
    received = (job.get("received_ts") or [0])[0]
    waits = job.get("status") in ("queued", "waiting")
    if waits and received and view.moment.timestamp() - received > LONG_WAIT.total_seconds():
        return f"has waited in Ganeti's queue for over {int(LONG_WAIT.total_seconds() // 60)} minutes"
    return "is being built"


def _of_missing(view: View, server: Server) -> Iterator[Finding]:
    if server.operstate == ServerState.ERROR and server.action != Task.DESTROY:
        return
    if not view.runs(server.task_job_id):
        yield _stale(view, server)


def _stale(view: View, server: Server) -> Finding:
    event = server_events.simulated(server, opcode=Opcode.INSTANCE_REMOVE, moment=view.moment)
    return Finding(Kind.STALE, view.backend, server.pk, "has no instance in Ganeti", (event,))


def _of_task(view: View, server: Server, instance: Json | None) -> Iterator[Finding]:
    if not server.task or _pending_intents(server) or view.runs(server.task_job_id):
        return
    job = view.jobs.get(server.task_job_id or 0)
    state = "unknown to Ganeti" if job is None else f"ended with {job.get('status')}"
    yield Finding(
        Kind.PENDING_TASK,
        view.backend,
        server.pk,
        f"waits for {server.task}, whose job {server.task_job_id} is {state}",
        job=job,
        instance=instance,
        task_job_id=server.task_job_id,
    )


def fix(credentials: Credentials, finding: Finding) -> str:
    """Mend *finding* and return what was done, or why nothing had to be.

    Everything is checked again under the server's lock. Raises ``SynnefoError`` when it can't be done.
    """
    if finding.kind == Kind.ORPHAN:
        return _remove_orphan(credentials, finding)
    if finding.snapshot is not None:
        return _end_snapshot(credentials, finding, finding.snapshot)
    job = _with_result(finding)
    with atomic():
        server = _locked(finding.server_id)
        if server is None or server.deleted:
            return _DELETED
        if server.updated != finding.versions.get(server.pk, server.updated):
            # An event or a request came in between. Times can't tell: the cluster's clock may be behind.
            return CHANGED
        if finding.kind == Kind.PENDING_TASK:
            result = _end_task(server, finding, job)
        else:
            outcomes = [server_events.apply(server, _newest(server, event)) for event in finding.events]
            result = "mended" if Outcome.APPLIED in outcomes else CHANGED
        finding.versions[server.pk] = server.updated
        audit.record(
            credentials, "server.reconcile", f"server:{server.pk}", difference=finding.kind, result=result
        )
    return result


def settle_state(server_id: int) -> None:
    """Bring the state of an idle server in line with its instance now.

    What changes meanwhile, or a cluster that does not answer, leaves that to the next comparison of all.
    """
    seen = Server.objects.select_related("backend").filter(pk=server_id, deleted=False, task="").first()
    if seen is None or seen.backend is None:
        return
    moment = clock.now()
    try:
        with clients.rapi_for(seen.backend) as rapi:
            instance = rapi.GetInstance(names.instance_name(server_id))
    except (ServiceUnavailable, clients.GanetiApiError) as error:
        log.warning("server %d: its state can't be looked at now: %s", server_id, error)
        return
    with atomic():
        server = _locked(server_id)
        if server is None or server.updated != seen.updated:
            return
        running = ServerState.STARTED if observation.is_running(instance) else ServerState.STOPPED
        if server.operstate in (ServerState.STARTED, ServerState.STOPPED) and server.operstate != running:
            log.warning("server %d is %s in Ganeti: its event came late", server_id, running)
            event = differences.power_event(server, instance, moment)
            server_events.apply(server, _newest(server, event))


def _newest(server: Server, event: OpStatus) -> OpStatus:
    """Return *event* as newer than all that was applied: a cluster's clock may run ahead of ours.

    The server has not changed since before its instance was looked at.
    """
    if server.backendtime is None or event.event_datetime > server.backendtime:
        return event
    return server_events.at(event, server.backendtime + timedelta(microseconds=1))


def _locked(server_id: int) -> Server | None:
    try:
        return lock_one(Server.objects.select_related("flavor", "backend").filter(pk=server_id))
    except Server.DoesNotExist:
        return None


def _with_result(finding: Finding) -> Json | None:
    """Return the finding's job with its result, which Ganeti leaves out of lists: devices may have failed."""
    job = finding.job
    if job is None or "opresult" in job:
        return job
    try:
        with clients.rapi_for(finding.backend) as rapi:
            return rapi.GetJobStatus(int(job["id"]))
    except (clients.GanetiApiError, ServiceUnavailable) as error:
        log.warning("the result of job %s stays unknown: %s", job["id"], error)
        return job


def _end_task(server: Server, finding: Finding, job: Json | None) -> str:
    if not server.task or server.task_job_id != finding.task_job_id:
        return CHANGED
    if job is None:
        settle_vanished_job(server, finding.task_job_id or 0, finding.instance)
        return "mended"
    event = observation.event_of(
        job,
        cluster=finding.backend.clustername,
        instance_name=finding.name,
        instance=finding.instance,
    )
    server_events.apply(server, event, instance_missing=finding.instance is None)
    return "mended"


def _end_snapshot(credentials: Credentials, finding: Finding, job: SnapshotJob) -> str:
    with atomic():
        if not snapshot_jobs.finish(job, succeeded=False, error=finding.text[:255]):
            return CHANGED
        audit.record(
            credentials, "snapshot.reconcile", f"snapshot:{job.snapshot_id}", difference=finding.kind
        )
    return "mended"


def _remove_orphan(credentials: Credentials, finding: Finding) -> str:
    """Remove an instance that no live server stands for.

    The servers were listed before the instances, so one created in between looks like an orphan. A row
    that is absent or deleted now stays so, which makes the check sufficient without a lock.
    """
    with atomic():
        if Server.objects.filter(pk=finding.server_id, deleted=False).exists():
            return _BELONGS
        audit.record(
            credentials,
            "server.reconcile",
            f"instance:{finding.name}",
            difference=finding.kind,
            backend=finding.backend.clustername,
        )
    try:
        with clients.rapi_for(finding.backend) as rapi:
            job = rapi.DeleteInstance(finding.name)
    except clients.GanetiApiError as error:
        raise ServiceUnavailable(f"{finding.name} can't be removed: {error}") from error
    return f"removal is job {job}"


def settle_vanished_job(server: Server, job_id: int, instance: Json | None) -> None:
    """End the task of the locked *server*, whose job Ganeti does not know (any more).

    What the instance shows decides whether the job did its work; *instance* ``None`` means there is none.
    """
    moment = clock.now()
    if server.backendtime is not None:
        moment = max(moment, server.backendtime + timedelta(microseconds=1))
    for number, event in enumerate(_explanations(server, job_id, instance, moment)):
        later = moment + timedelta(microseconds=number)
        server_events.apply(server, server_events.at(event, later))
    if not server.deleted:
        if server.task:
            server_outcomes.end_task(server, succeeded=False)
        server.save()


def _explanations(server: Server, job_id: int, instance: Json | None, moment: datetime) -> Iterator[OpStatus]:
    if instance is None:
        opcodes = {
            Task.DESTROY: (Opcode.INSTANCE_REMOVE, "success"),
            Task.BUILD: (Opcode.INSTANCE_CREATE, "error"),
        }
        if server.task in opcodes:
            opcode, status = opcodes[Task(server.task)]
            yield server_events.simulated(server, opcode=opcode, status=status, moment=moment, job_id=job_id)
        return
    if server.task == Task.BUILD:
        yield differences.build_finished(server, instance, moment, job_id)
        yield differences.power_event(server, instance, moment)
    elif server.task in _GOALS and _GOALS[Task(server.task)] == observation.is_running(instance):
        yield differences.power_event(server, instance, moment, job_id)
    else:
        # Whether the change was made shows in the devices; what waits for it is given up.
        server_outcomes.end_task(server, succeeded=False)
        for difference in differences.of_instance(server, instance, moment):
            if difference.event is not None:
                yield difference.event
