"""Having nodes copy disks into the object store, and taking note of what became of it.

Nothing is lost with a process or a message: what was asked for is a row, which the repair task sends again
until the node answers. A node that gets a request twice does it twice with the same result.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from cyclades.ganeti import clients, names, side_by_side, submission_threads
from cyclades.logic import news
from cyclades.models import Backend, IntentState, SnapshotJob, Volume
from pithos import public as pithos
from synnefo import amqp, clock, snapshot_requests
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one, retry_on_deadlock
from synnefo.errors import BadRequest, NotFound, ServiceUnavailable
from synnefo.messages import OpStatus
from synnefo.snapshot_requests import SnapshotRequest

log = logging.getLogger(__name__)

AVAILABLE, BROKEN = 1, -1
MAX_JOBS = 50
_OPEN = (IntentState.PENDING, IntentState.SUBMITTED)
#: Hypervisors whose running instances' disks are copied as of one moment; ``fake`` ones write nothing.
_COPIED_RUNNING = ("kvm", "fake")
#: Longer than everything that one attempt may take.
_LEASE = timedelta(seconds=180)
_ACTIVATION_SECONDS = 90.0
_LONGEST_PAUSE = 300
#: How long operators can look up what became of a request.
_KEPT = timedelta(days=30)


def begin(*, snapshot_id: str, volume: Volume) -> SnapshotJob:
    """Write down that a disk is to be copied and send the request after the caller's commit."""
    assert volume.machine is not None
    job = SnapshotJob.objects.create(
        snapshot_id=snapshot_id,
        volume=volume,
        server=volume.machine,
        backend=volume.machine.backend,
        disk=names.disk_name(volume.pk, volume.legacy_backend_volume_uuid),
        size=volume.size << 30,
    )
    transaction.on_commit(partial(_send_after_commit, job.pk, job.backend_id))
    return job


def _send_after_commit(number: int, backend_id: int | None) -> None:
    if settings.GANETI_SUBMIT_IN_BACKGROUND:
        submission_threads.run(send, number, backend_id=backend_id)
    else:
        send(number)


def send(number: int) -> bool:
    """Ask the node that has the disk, if the request is due; return whether it was sent now."""
    job = _claim(number)
    if job is None:
        return False
    try:
        request = _locate(job)
        _publish(request)
    except (ServiceUnavailable, clients.GanetiApiError, amqp.AmqpError, LookupError) as error:
        pause = timedelta(seconds=min(_LONGEST_PAUSE, 2 ** min(job.attempts, 10)))
        log.warning("snapshot %s waits: %s", job.snapshot_id, error)
        _mine(job).update(not_before=clock.now() + pause, last_error=str(error)[:255], updated=clock.now())
        return False
    again = clock.now() + timedelta(seconds=settings.SNAPSHOT_RESEND_SECONDS)
    _mine(job).update(state=IntentState.SUBMITTED, not_before=again, last_error="", updated=clock.now())
    return True


def _mine(job: SnapshotJob) -> Any:
    return SnapshotJob.objects.filter(pk=job.pk, state__in=_OPEN, attempts=job.attempts)


def _claim(number: int) -> SnapshotJob | None:
    now = clock.now()
    due = Q(not_before=None) | Q(not_before__lte=now)
    claimed = SnapshotJob.objects.filter(due, pk=number, state__in=_OPEN).update(
        attempts=F("attempts") + 1, not_before=now + _LEASE, updated=now
    )
    if not claimed:
        return None
    return SnapshotJob.objects.select_related("backend", "server", "volume").get(pk=number)


def _locate(job: SnapshotJob) -> SnapshotRequest:
    """Have the disk made usable on its node and return what the node is asked; raise ``LookupError``."""
    if job.backend is None or job.server is None:
        raise LookupError("the server has gone")
    instance = names.instance_name(job.server.pk)
    with clients.rapi_for(job.backend) as rapi:
        shown = rapi.GetInstance(instance)
        if job.disk not in (shown.get("disk.names") or []):
            raise LookupError(f"{instance} has no disk {job.disk}")
        if shown.get("oper_state") and job.backend.hypervisor not in _COPIED_RUNNING:
            raise LookupError(f"{instance} runs: its disk can be copied when it is stopped")
        index = shown["disk.names"].index(job.disk)
        activation = rapi.ActivateInstanceDisks(instance, reason=f"snapshot {job.pk}")
        ended = rapi.WaitForJobCompletion(activation, timeout=_ACTIVATION_SECONDS)
    if ended.get("status") != "success":
        raise LookupError(f"the disks of {instance} can't be activated (job {activation})")
    node, path = _place(ended, index)
    return SnapshotRequest(
        job_id=job.pk,
        snapshot_id=job.snapshot_id,
        cluster=job.backend.clustername,
        node=node,
        instance=instance,
        disk=job.disk,
        index=index,
        path=path,
        size=job.size,
    )


def _place(job: Mapping[str, Any], index: int) -> tuple[str, str]:
    """Return node and path of a disk from the result of an activation."""
    rows = (job.get("opresult") or [None])[0] or []
    for row in rows:
        if isinstance(row, list) and len(row) >= 3 and row[1] == f"disk/{index}" and row[2]:
            return str(row[0]), str(row[2])
    raise LookupError(f"Ganeti does not say where disk {index} is")


def _publish(request: SnapshotRequest) -> None:
    try:
        client = amqp.connect(settings.AMQP_HOSTS, max_attempts=2, name="snf-snapshots")
    except ValueError as error:
        raise LookupError(f"AMQP_HOSTS: {error}") from error
    try:
        queue = snapshot_requests.declare_queue(client, request.node)
        client.publish(snapshot_requests.EXCHANGE, queue, request.encode())
        client.flush()
    except snapshot_requests.RequestError as error:
        raise LookupError(str(error)) from error
    finally:
        client.close()


def run_due(*, limit: int = MAX_JOBS) -> int:
    """Send what is due again, the clusters side by side, and give up what is too old.

    Returns how many requests this changed.
    """
    oldest = clock.now() - timedelta(seconds=settings.SNAPSHOT_GIVE_UP_SECONDS)
    late = list(SnapshotJob.objects.filter(state__in=_OPEN, created__lt=oldest)[:limit])
    for job in late:
        finish(job, succeeded=False, error="no node made it in time")
    # What was written a moment ago is sent by the process that wrote it.
    fresh = Q(not_before=None, created__gt=clock.now() - timedelta(seconds=15))
    due = SnapshotJob.objects.filter(
        Q(not_before=None) | Q(not_before__lte=clock.now()), state__in=_OPEN
    ).exclude(fresh)
    backends = list(Backend.objects.filter(pk__in=due.order_by().values("backend")).order_by("pk"))
    sent = sum(side_by_side.on_each(backends, lambda backend: _send_all(due.filter(backend=backend), limit)))
    sent += _send_all(due.filter(backend=None), limit)
    ended = SnapshotJob.objects.exclude(state__in=_OPEN).filter(updated__lt=clock.now() - _KEPT)
    SnapshotJob.objects.filter(pk__in=list(ended.values_list("pk", flat=True)[:1000])).delete()
    return len(late) + sent


def _send_all(due: QuerySet[SnapshotJob], limit: int) -> int:
    return sum(send(number) for number in list(due.order_by("pk").values_list("pk", flat=True)[:limit]))


def unsettled(backend: Backend) -> list[SnapshotJob]:
    """Return the snapshots of a backend that wait although no node will speak of them any more.

    They wait for a server that has gone, or longer than nodes are given.
    """
    oldest = clock.now() - timedelta(seconds=settings.SNAPSHOT_GIVE_UP_SECONDS)
    lost = Q(server=None) | Q(server__deleted=True) | Q(created__lt=oldest)
    return list(SnapshotJob.objects.filter(lost, backend=backend, state__in=_OPEN).order_by("pk"))


def apply(event: OpStatus) -> None:
    """Take note of what a node says; repeated and late words change nothing (Ganeti contract 9.3)."""
    for snapshot_id, info in _snapshots_of(event):
        job = SnapshotJob.objects.filter(snapshot_id=snapshot_id, pk=event.job_id).first()
        if job is None or job.state not in _OPEN:
            log.info("an event about snapshot %s, which does not wait for one, is ignored", snapshot_id)
        elif event.is_final:
            text = "" if event.status == "success" else str(event.logmsg or event.status)
            mapfile = info.get("mapfile")
            known = mapfile if isinstance(mapfile, str) else None
            finish(job, succeeded=event.status == "success", mapfile=known, error=text)
        else:
            again = clock.now() + timedelta(seconds=settings.SNAPSHOT_RESEND_SECONDS)
            percent = info.get("progress")
            # Zero is the begin of a copy, which may begin again.
            progress = min(99, max(0, percent)) if isinstance(percent, int) else 0
            _mine(job).update(not_before=again, progress=progress, updated=clock.now())


def progress_of(snapshot_ids: Collection[str]) -> dict[str, int]:
    """Return how many per cent of these snapshots' disks are copied, where a copy is under way."""
    if not snapshot_ids:
        return {}
    rows = SnapshotJob.objects.filter(snapshot_id__in=snapshot_ids, state__in=_OPEN)
    return dict(rows.values_list("snapshot_id", "progress"))


def _snapshots_of(event: OpStatus) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the snapshots that an event is about, and what it says about each."""
    disks = event.job_fields.get("disks")
    for item in disks if isinstance(disks, list) else []:
        if not isinstance(item, list) or len(item) != 2 or not isinstance(item[1], dict):
            continue
        try:
            snapshot_id = json.loads(item[1].get("snapshot_info") or "null")["snapshot_id"]
        except (ValueError, TypeError, KeyError):
            continue
        if isinstance(snapshot_id, str):
            yield snapshot_id, item[1]


@retry_on_deadlock
def finish(job: SnapshotJob, *, succeeded: bool, mapfile: str | None = None, error: str = "") -> bool:
    """End a snapshot, readable or broken, unless it has ended already; return whether this ended it."""
    with atomic():
        try:
            open_jobs = SnapshotJob.objects.filter(pk=job.pk, state__in=_OPEN)
            stored = lock_one(open_jobs.select_related("volume"))
        except SnapshotJob.DoesNotExist:
            return False
        stored.state = IntentState.DONE if succeeded else IntentState.FAILED
        stored.last_error = error[:255]
        try:
            if succeeded:
                _set_status(stored, AVAILABLE, mapfile)
        except BadRequest as refusal:
            # The node says that it stored what the store does not have.
            stored.state, stored.last_error = IntentState.FAILED, refusal.message[:255]
        if stored.state == IntentState.FAILED:
            log.warning("snapshot %s failed: %s", stored.snapshot_id, stored.last_error)
            _set_status(stored, BROKEN, None)
        stored.save(update_fields=["state", "last_error", "updated"])
        owner = _owner(stored)
        if owner is not None:
            news.snapshot_ended(stored, owner=owner, succeeded=stored.state == IntentState.DONE)
    return True


def _owner(job: SnapshotJob) -> str | None:
    """Return whose the snapshot is, who need not own the volume; ``None`` once it is deleted."""
    try:
        return pithos.get_object(None, uuid=job.snapshot_id).account
    except NotFound:
        return None


def _set_status(job: SnapshotJob, status: int, mapfile: str | None) -> None:
    try:
        pithos.update_object_status(
            Credentials.administrator(), uuid=job.snapshot_id, status=status, mapfile=mapfile
        )
    except NotFound:
        log.info("snapshot %s was deleted before it was made", job.snapshot_id)
