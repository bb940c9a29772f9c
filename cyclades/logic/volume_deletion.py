"""Deleting volumes: by a job of their server, at once, or through the queue (volume contract 4).

A volume that left its server keeps its data in the storage, and only an instance can make Ganeti delete
them. The queue consists of the volumes that are DELETING and on no server. For each, an instance that is
named as the volume, has it as its only disk and never starts is created and removed again; its removal takes
the data along. Nothing is remembered but the volume: an instance of a name exists at most once, so whoever
finds it goes on where another stopped, and nothing is done twice.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from cyclades.ganeti import clients, names, requests, side_by_side, submission_threads
from cyclades.ganeti.opcodes import Opcode
from cyclades.logic import quota, volume_jobs
from cyclades.logic.volume_attachments import require_removable
from cyclades.logic.volumes import live_volume, lock_volume
from cyclades.models import Backend, JobIntent, Task, Volume, VolumeStatus
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, NotImplementedFault, ServiceUnavailable
from synnefo.messages import OpStatus

log = logging.getLogger(__name__)

#: How long a deletion is left alone before somebody looks after it.
RETRY_AFTER = timedelta(seconds=30)
_BATCH = 100


@locks.retry_on_deadlock
def delete(credentials: Credentials, *, volume_id: int) -> JobIntent | None:
    """Delete a volume, and its data if there are any.

    Returns the intent of the server's job, ``None`` when there is no server. Raises ``NotFound``,
    ``BadRequest`` (deleted, status, system disk) and what the server's state forbids.
    """
    seen = live_volume(credentials, volume_id=volume_id)
    with locks.atomic():
        if seen.machine_id is not None:
            return _delete_attached(credentials, seen)
        volume = lock_volume(credentials, volume_id=volume_id)
        volume_jobs.require_still_on(volume, None)
        if volume.backendjobid is None:
            _delete_blank(volume)
        else:
            _queue(volume)
        audit.record(credentials, "volume.delete", f"volume:{volume_id}")
    return None


def _delete_attached(credentials: Credentials, seen: Volume) -> JobIntent:
    server = volume_jobs.lock_machine(seen)
    volume = lock_volume(credentials, volume_id=seen.pk)
    volume_jobs.require_still_on(volume, seen.machine_id)
    require_removable(volume, "deleted")
    volume.status = VolumeStatus.DELETING
    return volume_jobs.begin(
        credentials,
        server=server,
        volume=volume,
        task=Task.DELETE_VOLUME,
        payload=requests.remove_volume_payload(volume),
        deltas=volume_jobs.disk_deltas(volume, -1),
    )


def _delete_blank(volume: Volume) -> None:
    """Forget a volume that Ganeti never touched."""
    if volume.status not in (VolumeStatus.AVAILABLE, VolumeStatus.ERROR):
        raise BadRequest(f"Volume {volume.pk} can't be deleted: its status is {volume.status}")
    _finish(volume)


def _finish(volume: Volume) -> None:
    """Mark the locked *volume* as gone and give back its quota."""
    quota.charge_now(
        volume.userid,
        volume_jobs.disk_deltas(volume, -1),
        name=f"client: api, resource: volume {volume.pk}, action: delete",
        force=True,
    )
    volume.status, volume.deleted = VolumeStatus.DELETED, True
    volume.save(update_fields=["status", "deleted", "updated"])


def _queue(volume: Volume) -> None:
    if volume.status != VolumeStatus.AVAILABLE:
        raise BadRequest(f"Volume {volume.pk} can't be deleted: its status is {volume.status}")
    if volume.volume_type.template != "ext":
        raise NotImplementedFault(f"{volume.volume_type.template} disks can only be deleted on a server")
    volume.status = VolumeStatus.DELETING
    volume.save(update_fields=["status", "updated"])
    transaction.on_commit(partial(submit, volume.pk, volume.backend_id))


def submit(volume_id: int, backend_id: int | None = None) -> None:
    """Advance a deletion of a transaction that has committed, here or in a thread as the settings say."""
    if settings.GANETI_SUBMIT_IN_BACKGROUND:
        submission_threads.run(advance, volume_id, backend_id=backend_id)
    else:
        advance(volume_id)


def advance(volume_id: int) -> None:
    """Ask Ganeti for the next step of a queued deletion; failures are logged and tried again later."""
    volume = _doomed().filter(pk=volume_id).first()
    if volume is None:
        return
    try:
        _send(volume)
    except (ServiceUnavailable, clients.GanetiApiError) as error:
        log.warning("volume %d is not deleted yet: %s", volume_id, error)


def run_queue() -> int:
    """Advance deletions that nobody looked after lately, the clusters side by side; return how many."""
    due = _doomed().filter(updated__lt=clock.now() - RETRY_AFTER)
    backends = list(Backend.objects.filter(pk__in=due.order_by().values("backend")).order_by("pk"))
    done = sum(side_by_side.on_each(backends, lambda backend: _run_queue_of(due, backend)))
    # What was on a cluster that is no more is deleted by any that can reach its storage.
    return done + (_run_queue_of(due, None) if due.filter(backend=None).exists() else 0)


def _run_queue_of(due: QuerySet[Volume], backend: Backend | None) -> int:
    rows = due.filter(backend=backend).order_by("updated")
    ids = list(rows.values_list("pk", flat=True)[:_BATCH])
    for volume_id in ids:
        # One step at a time: whoever moves ``updated`` does it.
        if Volume.objects.filter(pk=volume_id, updated__lt=clock.now() - RETRY_AFTER).update(
            updated=clock.now()
        ):
            advance(volume_id)
    return len(ids)


def _doomed() -> QuerySet[Volume]:
    return Volume.objects.select_related("volume_type", "backend").filter(
        status=VolumeStatus.DELETING, machine=None, deleted=False
    )


def _send(volume: Volume) -> None:
    """Create the instance that takes the volume's data along, unless it exists, and remove it."""
    name = names.disk_name(volume.pk)
    candidates = _backends(volume)
    if not candidates:
        raise ServiceUnavailable(f"no backend can delete volume {volume.pk}")
    for backend in candidates:
        with clients.rapi_for(backend) as rapi:
            if _exists(rapi, name):
                _remove(volume, backend, rapi)
                return
    backend = candidates[0]
    with clients.rapi_for(backend) as rapi:
        job = rapi.CreateInstance(requests.doomed_instance(volume, name), reason=name)
        _remove(volume, backend, rapi, after=job)


def _exists(rapi: clients.RapiClient, name: str) -> bool:
    try:
        rapi.GetInstance(name)
    except clients.RapiRefused as error:
        if error.not_found:
            return False
        raise
    return True


def _remove(volume: Volume, backend: Backend, rapi: clients.RapiClient, after: int | None = None) -> None:
    depends = None if after is None else [[after, ["success"]]]
    job = rapi.DeleteInstance(names.disk_name(volume.pk), depends=depends, reason=names.disk_name(volume.pk))
    log.info("volume %d is deleted by job %d of %s", volume.pk, job, backend.clustername)
    Volume.objects.filter(pk=volume.pk, status=VolumeStatus.DELETING).update(
        backendjobid=job, updated=clock.now()
    )


def _backends(volume: Volume) -> Sequence[Backend]:
    """Return the clusters that can reach the volume's data: its own, or any when that is not there."""
    online = Backend.objects.filter(offline=False)
    able = [backend for backend in online if volume.volume_type.template in backend.disk_templates]
    if volume.backend in able:
        # What the others know of it need not be asked: one of them may be dead.
        return [volume.backend]
    # Storage that all clusters share does not care which one, so a drained cluster comes last.
    return sorted(able, key=lambda b: (b.drained, secrets.randbelow(1000)))


def apply(event: OpStatus) -> bool:
    """Finish the deletion that *event* shows to be done; return whether it was about a doomed volume.

    Only the removal of the volume's own instance proves that the data are gone.
    """
    volume_id = names.volume_id_of(event.instance)
    if volume_id is None:
        return False
    if event.operation == Opcode.INSTANCE_CREATE and event.status == "error":
        # Its storage may be another cluster's: the next attempt is made by any that can.
        _doomed().filter(pk=volume_id).update(backend=None)
    if event.operation != Opcode.INSTANCE_REMOVE or event.status != "success":
        return True
    try:
        volume = locks.lock_one(_doomed().filter(pk=volume_id))
    except Volume.DoesNotExist:
        return True
    _finish(volume)
    return True
