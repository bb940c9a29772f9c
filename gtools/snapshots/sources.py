"""Where the bytes of a disk are read: from the disk of a stopped instance, from QEMU's copy of a running one.

A stopped instance's disk is read directly, and read again if the instance was started meanwhile. Of a running
one QEMU keeps the state of a moment (``drive-backup``), as after a power failure; so the instance goes on.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gtools.snapshots import qmp
from gtools.snapshots.errors import DiskChanged, SnapshotError
from synnefo.snapshot_requests import SnapshotRequest

#: Tells that work goes on; raises to stop it.
Alive = Callable[[], None]
_POLL_SECONDS = 1.0
#: Names of Ganeti that may be part of a path.
_SUFFIX = ".snapshot"


@dataclass(frozen=True)
class Places:
    """Directories of a node: KVM's monitor sockets, and room for copies of whole disks."""

    monitors: str = "/var/run/ganeti/kvm-hypervisor/ctrl"
    scratch: str = "/var/lib/snf-snapshot-agent"


@contextmanager
def opened(request: SnapshotRequest, places: Places, alive: Alive) -> Iterator[str]:
    """Lend the path of a file or device with the state of one moment of the request's disk.

    Raises `DiskChanged`, also at the end, when what was read is worth nothing; `SnapshotError`.
    """
    if "/" in request.instance or request.instance.startswith("."):
        raise SnapshotError("the instance's name is no name")
    monitor = os.path.join(places.monitors, f"{request.instance}.qmp")
    if not qmp.is_running(monitor):
        yield request.path
        if qmp.is_running(monitor):
            raise DiskChanged("the instance was started while its disk was read")
        return
    target = _target(request, places)
    try:
        _copy_running(request, monitor, target, alive)
        yield str(target)
    finally:
        with suppress(OSError):
            target.unlink()


def _target(request: SnapshotRequest, places: Places) -> Path:
    """Make the file that QEMU copies into; sparse, readable by root only."""
    folder = Path(places.scratch)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = folder / f"{request.instance}-{secrets.token_hex(8)}{_SUFFIX}"
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.truncate(size_of(request.path))
    except OSError as error:
        raise SnapshotError(f"{folder}: {error.strerror}") from error
    return target


def _copy_running(request: SnapshotRequest, monitor: str, target: Path, alive: Alive) -> None:
    job = f"{qmp.JOB_PREFIX}{request.job_id}"
    try:
        qmp.start_backup(monitor, disk=request.path, target=str(target), job=job)
        while not qmp.backup_state(monitor, job=job)[0]:
            alive()
            time.sleep(_POLL_SECONDS)
    except qmp.NotRunning as error:
        raise DiskChanged("the instance was stopped while its disk was copied") from error
    except BaseException:
        qmp.cancel_backup(monitor, job=job)
        raise


def size_of(path: str) -> int:
    """Return the bytes of a file or block device."""
    try:
        with open(path, "rb") as file:
            return file.seek(0, os.SEEK_END)
    except OSError as error:
        raise SnapshotError(f"{path}: {error.strerror}") from error


def clear(places: Places) -> None:
    """Remove what an agent that was killed has left."""
    with suppress(FileNotFoundError):
        for left in Path(places.scratch).glob(f"*{_SUFFIX}"):
            with suppress(OSError):
                left.unlink()
