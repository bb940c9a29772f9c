"""Files inside a guest's mounted file system, out of which no path or symbolic link leads.

Every path is resolved by the kernel as if the mount were the root directory (openat2, RESOLVE_IN_ROOT): a
link such as /etc -> ../../etc in an image can't reach the node's files.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
import stat
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from gtools.osprovider.errors import DeployError

SYS_OPENAT2 = 437
RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_IN_ROOT = 0x10
RESOLVE = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_IN_ROOT
OPEN_HOW = struct.Struct("=QQQ")
MAX_READ_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 64

_libc = ctypes.CDLL(None, use_errno=True)


class ImageRoot:
    """The root directory of a guest; all paths are the guest's own."""

    def __init__(self, directory: str) -> None:
        self._root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._root)

    def read(self, path: str) -> bytes | None:
        """Return a regular file's content, None if there is no such file."""
        try:
            descriptor = self._open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except (FileNotFoundError, NotADirectoryError):
            return None
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise DeployError(f"{path} in the image is not a regular file")
            content = file.read(MAX_READ_BYTES + 1)
        if len(content) > MAX_READ_BYTES:
            raise DeployError(f"{path} in the image is too large")
        return content

    def status(self, path: str) -> os.stat_result | None:
        """Return what a path leads to, None if nothing."""
        try:
            descriptor = self._open(path, os.O_PATH)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            return os.fstat(descriptor)
        finally:
            os.close(descriptor)

    def names(self, path: str) -> list[str]:
        """Return the names in a directory, none if it does not exist."""
        try:
            descriptor = self._open(path, os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            return []
        try:
            return sorted(os.listdir(descriptor))  # noqa: PTH208  (of a descriptor)
        finally:
            os.close(descriptor)

    def write(self, path: str, content: bytes, *, uid: int, gid: int, mode: int) -> None:
        """Create or replace a file; it appears complete, with owner and mode, or not at all."""
        with self._parent(path) as (parent, name):
            with contextlib.suppress(FileNotFoundError):
                if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                    raise DeployError(f"{path} in the image is a directory")
            temporary = f".{secrets.token_hex(8)}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(temporary, flags, 0o600, dir_fd=parent)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fchown(descriptor, uid, gid)
                    os.fchmod(descriptor, mode)
                    os.fsync(descriptor)
                os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            except OSError as error:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=parent)
                raise DeployError(f"{path} in the image: {error.strerror}") from None

    def rewrite(self, path: str, content: bytes) -> None:
        """Replace an existing file, keeping owner and mode."""
        before = self.status(path)
        uid, gid, mode = (0, 0, 0o644) if before is None else (before.st_uid, before.st_gid, before.st_mode)
        self.write(path, content, uid=uid, gid=gid, mode=stat.S_IMODE(mode))

    def remove(self, path: str) -> None:
        """Remove a file if it exists."""
        with contextlib.suppress(FileNotFoundError), self._parent(path) as (parent, name):
            os.unlink(name, dir_fd=parent)

    def make_directory(self, path: str, *, uid: int = 0, gid: int = 0, mode: int = 0o755) -> None:
        """Create a directory with its parents; those that exist stay as they are."""
        parts = self._parts(path)
        for count in range(1, len(parts) + 1):
            prefix = "/".join(parts[:count])
            if self.status(prefix) is not None:
                continue
            with self._parent(prefix) as (parent, name):
                try:
                    os.mkdir(name, 0o700, dir_fd=parent)
                except OSError as error:
                    raise DeployError(f"/{prefix} in the image: {error.strerror}") from None
                descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
                try:
                    os.fchown(descriptor, uid, gid)
                    os.fchmod(descriptor, mode)
                finally:
                    os.close(descriptor)

    @contextlib.contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, str]]:
        parts = self._parts(path)
        if not parts:
            raise DeployError("a path in the image is empty")
        descriptor = self._open("/".join(parts[:-1]) or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield descriptor, parts[-1]
        finally:
            os.close(descriptor)

    def _parts(self, path: str) -> list[str]:
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if ".." in parts or "\0" in path or len(parts) > MAX_DEPTH:
            raise DeployError(f"the path {path[:200]!r} is not allowed")
        return parts

    def _open(self, path: str, flags: int) -> int:
        relative = "/".join(self._parts(path)) or "."
        how = OPEN_HOW.pack(flags | os.O_CLOEXEC, 0, RESOLVE)
        buffer = ctypes.create_string_buffer(how, len(how))
        descriptor: int = _libc.syscall(SYS_OPENAT2, self._root, os.fsencode(relative), buffer, len(how))
        if descriptor >= 0:
            return descriptor
        number = ctypes.get_errno()
        if number == errno.ENOENT:
            raise FileNotFoundError(number, os.strerror(number), path)
        if number == errno.ENOTDIR:
            raise NotADirectoryError(number, os.strerror(number), path)
        raise DeployError(f"{path[:200]!r} in the image: {os.strerror(number)}")
