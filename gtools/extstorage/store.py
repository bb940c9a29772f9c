"""The actions on a directory of volume files."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from gtools.extstorage.errors import StorageError
from gtools.extstorage.request import Request

_MIB = 1 << 20
_TOOL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SECONDS = 60


class FileStore:
    """Volumes as sparse files below ``directory``, shown to guests through loop devices."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def create(self, request: Request) -> None:
        """Make a volume, or with ``reuse_data`` make sure that it is there; nothing is ever overwritten."""
        path = self._path(request)
        if request.reuse_data:
            self._make_room(self._existing(request), request.size or 0)
            return
        if request.size is None:
            raise StorageError("VOL_SIZE is missing")
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise StorageError(f"the volume {request.name} exists already") from None
        except OSError as error:
            raise StorageError(f"{path} can't be made: {error.strerror}") from None
        try:
            os.ftruncate(descriptor, request.size * _MIB)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _make_room(self, path: Path, size: int) -> None:
        """Let a volume that grew while no server had it be as big as it is to be; *size* in MiB."""
        with _locked(path):
            if path.stat().st_size < size * _MIB:
                os.truncate(path, size * _MIB)

    def attach(self, request: Request) -> str:
        """Return the block device that shows the volume on this node, and what QEMU may open in its stead.

        QEMU uses the second line if the cluster has ``access=userspace`` for the template. Ganeti 3.0 can't
        plug block devices into running guests of QEMU 6.0 and later: it passes them to a driver that takes
        nothing but regular files.
        """
        path = self._existing(request)
        with _locked(path):
            device = _loop_of(path) or _losetup(["--find", "--show", str(path)]).strip()
        return f"{device}\nkvm:{path.resolve()}"

    def detach(self, request: Request) -> None:
        """Take the volume's block device away from this node, if there is one."""
        path = self._path(request)
        if not path.exists():
            return
        with _locked(path):
            found = _loop_of(path)
            if found:
                _losetup(["--detach", found])

    def remove(self, request: Request) -> None:
        """Delete the volume, unless ``keep_data`` says that it only leaves its instance."""
        self.detach(request)
        if not request.keep_data:
            self._path(request).unlink(missing_ok=True)

    def grow(self, request: Request) -> None:
        """Make the volume bigger; smaller is refused."""
        path = self._existing(request)
        if request.new_size is None:
            raise StorageError("VOL_NEW_SIZE is missing")
        wanted = request.new_size * _MIB
        with _locked(path):
            if wanted < path.stat().st_size:
                raise StorageError("a volume can't shrink")
            os.truncate(path, wanted)
            found = _loop_of(path)
            if found:
                _losetup(["--set-capacity", found])

    def setinfo(self, request: Request) -> None:
        """Do nothing: a file has no place for Ganeti's remark."""

    def verify(self, request: Request) -> None:
        """Make sure that the store is there."""
        self._require_directory()

    def _path(self, request: Request) -> Path:
        """Return the volume's file; one that got its name after its creation is renamed now."""
        self._require_directory()
        path = self.directory / request.name
        former = self.directory / request.ganeti_name
        if former != path and not path.exists() and former.exists():
            former.rename(path)
        return path

    def _existing(self, request: Request) -> Path:
        path = self._path(request)
        if not path.is_file():
            raise StorageError(f"there is no volume {request.name} in {self.directory}")
        return path

    def _require_directory(self) -> None:
        if not self.directory.is_dir():
            raise StorageError(f"the directory of volumes is missing: {self.directory}")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other actions of this node off the volume's device meanwhile."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _loop_of(path: Path) -> str | None:
    output = _losetup(["--associated", str(path), "--output", "NAME", "--noheadings"])
    return next((line.strip() for line in output.splitlines() if line.strip()), None)


def _losetup(arguments: Sequence[str]) -> str:
    command = ["losetup", *arguments]
    environment = {"PATH": _TOOL_PATH, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StorageError(f"losetup can't be run: {error}") from None
    if done.returncode != 0:
        raise StorageError(f"losetup failed ({done.returncode}): {done.stderr.strip()[-300:]}")
    return done.stdout
