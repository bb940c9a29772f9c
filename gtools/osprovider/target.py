"""Writing an image to an instance's disk: sparse where possible, on the medium when done."""

from __future__ import annotations

import ctypes
import fcntl
import os
import stat
import struct
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from gtools.osprovider.errors import DeployError

GRANULE = 64 * 1024
ZEROS = bytes(GRANULE)
BLKZEROOUT = 0x127F
FALLOC_FL_KEEP_SIZE = 0x01
FALLOC_FL_PUNCH_HOLE = 0x02

_libc = ctypes.CDLL(None, use_errno=True)


class Disk:
    """An instance's disk, a block device or a regular file; ``size`` in bytes."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise DeployError(f"disk {path}: {error.strerror}") from None
        mode = os.fstat(self._descriptor).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
            os.close(self._descriptor)
            raise DeployError(f"disk {path} is neither a file nor a block device")
        self._is_file = stat.S_ISREG(mode)
        self.size = os.lseek(self._descriptor, 0, os.SEEK_END)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def require_room(self, size: int) -> None:
        """Raise `DeployError` when so many bytes don't fit."""
        if size > self.size:
            raise DeployError(f"the image needs {size} bytes, the disk has {self.size}")

    def write(self, pieces: Iterable[tuple[int, bytes]], progress: Callable[[int], None]) -> int:
        """Write pieces (length, data; zeros fill up) from the beginning; return how many bytes that were.

        progress: called with the position after each piece.
        """
        position = 0
        for length, data in pieces:
            self.require_room(position + length)
            try:
                self._write_data(position, data)
                self._zero(position + len(data), length - len(data))
            except OSError as error:
                raise DeployError(f"disk {self.path}: {error.strerror}") from None
            position += length
            progress(position)
        return position

    def sync(self) -> None:
        """Wait until everything is on the medium."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise DeployError(f"disk {self.path}: {error.strerror}") from None

    def _write_data(self, position: int, data: bytes) -> None:
        view = memoryview(data)
        at = 0
        while at < len(view):
            is_zero = _is_zero(view[at : at + GRANULE])
            end = at + GRANULE
            while end < len(view) and _is_zero(view[end : end + GRANULE]) == is_zero:
                end += GRANULE
            end = min(end, len(view))
            if is_zero:
                self._zero(position + at, end - at)
            else:
                self._write_all(position + at, view[at:end])
            at = end

    def _write_all(self, position: int, view: memoryview) -> None:
        while view:
            written = os.pwrite(self._descriptor, view, position)
            position += written
            view = view[written:]

    def _zero(self, position: int, length: int) -> None:
        """Make a range read as zeros: a disk may hold an earlier owner's data."""
        if length <= 0 or self._make_hole(position, length):
            return
        while length > 0:
            count = min(length, GRANULE)
            self._write_all(position, memoryview(ZEROS)[:count])
            position += count
            length -= count

    def _make_hole(self, position: int, length: int) -> bool:
        if self._is_file:
            flags = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
            arguments = (ctypes.c_int(flags), ctypes.c_int64(position), ctypes.c_int64(length))
            return bool(_libc.fallocate(self._descriptor, *arguments) == 0)
        if position % 512 or length % 512:
            return False
        try:
            fcntl.ioctl(self._descriptor, BLKZEROOUT, struct.pack("QQ", position, length))
        except OSError:
            return False
        return True


def _is_zero(view: memoryview) -> bool:
    # Views are compared item by item, bytes at once.
    return bytes(view) == ZEROS[: len(view)]
