# This is the hot path: one system call where pathlib makes several.
"""The block store as a directory, local or on a shared file system (object-storage contract 19.1).

A block lives in ``blocks/aa/bb/cc/<hash>``, a map in ``maps/aa/bb/cc/<name>``: 16.7 million directories, so
that 100 million blocks are six in each. A file appears under its name only when it is complete and on disk:
it is written under a temporary name beside it, synchronised, renamed, and then its directories are
synchronised.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from typing import BinaryIO

from pithos.blocks import (
    CORRUPT_SUFFIX,
    BlockCorrupt,
    BlockMissing,
    BlockStore,
    BlockStoreError,
    Entry,
    Kind,
    StoreFull,
)
from pithos.blocks.verification import Verification
from pithos.hashing import block_digest, trimmed_length

TEMPORARY_PREFIX = ".tmp-"
DISCARDED_PREFIX = ".gc-"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_TOUCH_SECONDS = 60.0
_FAN_OUT = 3


class DirectoryStore(BlockStore):
    """Blocks as files under ``root``.

    ``umask`` bits are cleared from 0666 and 0777. ``fsync``: "always" waits until file and name are on disk;
    "rename" only until the content is, so that after a power failure a block is whole or absent; "never"
    waits for nothing. ``verify``: see `Verification`.
    """

    has_files = True

    def __init__(
        self, root: str, *, block_size: int, algorithm: str, umask: int, fsync: str | bool, verify: str
    ) -> None:
        super().__init__(block_size=block_size, algorithm=algorithm)
        self.root = os.path.abspath(root)
        self.file_mode = 0o666 & ~umask
        self.directory_mode = 0o777 & ~umask
        mode = {True: "always", False: "never"}.get(fsync, fsync) if isinstance(fsync, bool) else fsync
        self._sync_content = mode != "never"
        self._sync_names = mode == "always"
        self._verification = Verification(verify)

    # -- names

    def path_of(self, digest: bytes) -> str:
        """Return the absolute path where the block of this digest is kept."""
        return self._path("blocks", digest.hex())

    def map_path(self, name: str) -> str:
        """Return the absolute path where the map ``name`` is kept."""
        return self._path("maps", name)

    def _path(self, kind: str, name: str) -> str:
        return os.path.join(self.root, kind, name[0:2], name[2:4], name[4:6], name)

    # -- blocks

    def put(self, data: bytes | bytearray | memoryview) -> bytes:
        """Store one block; an equal one already there is compared and kept, a damaged one replaced."""
        view = memoryview(data)
        if len(view) > self.block_size:
            raise ValueError("longer than a block")
        view = view[: trimmed_length(view)]
        digest = block_digest(view, self.algorithm)
        if digest != self.empty:
            path = self.path_of(digest)
            if not self._holds(path, view):
                self._write(path, view)
        return digest

    def get(self, digest: bytes) -> bytes:
        """Return a block's content without trailing NULs; raise BlockMissing or BlockCorrupt."""
        opened = self.open(digest)
        if opened is None:
            return b""
        file, length = opened
        with file:
            return file.read(length)

    def open(self, digest: bytes) -> tuple[BinaryIO, int] | None:
        """Open a block's file, verified by policy, positioned at its beginning."""
        if digest == self.empty:
            return None
        path = self.path_of(digest)
        try:
            file = open(path, "rb", buffering=0)  # noqa: SIM115  (the caller closes it)
        except FileNotFoundError:
            raise BlockMissing(f"block {digest.hex()} is not in the store") from None
        except OSError as error:
            raise BlockStoreError(f"block {digest.hex()} cannot be opened: {error}") from error
        try:
            length = self._verify(digest, file.fileno())
        except BlockCorrupt:
            self._move_aside(path, os.fstat(file.fileno()).st_ino)
            file.close()
            raise
        except OSError as error:
            file.close()
            raise BlockStoreError(f"block {digest.hex()} cannot be read: {error}") from error
        return file, length

    def exists(self, digest: bytes) -> bool:
        """Tell whether the block's file is there; its time is renewed so that collection spares it."""
        return digest == self.empty or self._renew(self.path_of(digest))

    # -- maps

    def put_map_content(self, name: str, content: bytes) -> None:
        """Store a map unless an equal one is there."""
        path = self.map_path(name)
        if not self._holds(path, memoryview(content)):
            self._write(path, memoryview(content))

    def get_map_content(self, name: str) -> bytes:
        """Return a map's content; raise BlockMissing."""
        if "/" in name or name.startswith("."):
            raise BlockMissing(f"map {name!r} is not a name of this store")
        try:
            with open(self.map_path(name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            raise BlockMissing(f"map {name} is not in the store") from None
        except OSError as error:
            raise BlockStoreError(f"map {name} cannot be read: {error}") from error

    # -- for the administrator's commands

    def entries(self, kind: Kind, *, after: str = "", tidy_before: float | None = None) -> Iterator[Entry]:
        """Yield every file in the order of names."""
        return self._walk(kind, os.path.join(self.root, kind), "", after, tidy_before)

    def _walk(
        self, kind: Kind, path: str, prefix: str, after: str, tidy_before: float | None
    ) -> Iterator[Entry]:
        if len(prefix) == 2 * _FAN_OUT:
            yield from self._files(kind, path, after, tidy_before)
            return
        for name in _sorted_names(path):
            longer = prefix + name
            if len(name) == 2 and longer >= after[: len(longer)]:
                yield from self._walk(kind, os.path.join(path, name), longer, after, tidy_before)

    def _files(self, kind: Kind, path: str, after: str, tidy_before: float | None) -> Iterator[Entry]:
        for name in _sorted_names(path):
            file = os.path.join(path, name)
            with contextlib.suppress(FileNotFoundError):
                if name > after and self.is_name(kind, name):
                    state = os.stat(file)
                    yield Entry(name, state.st_size, state.st_mtime)
                elif tidy_before is not None and name.startswith("."):
                    _tidy(path, name, tidy_before)

    def share_done(self, kind: Kind, name: str, seen: int) -> float | None:
        """Return the place of ``name`` among all possible ones: hashes are spread evenly."""
        return int(name[:6], 16) / 16**6

    def stat(self, kind: Kind, name: str) -> Entry | None:
        """Return size and time of a file."""
        try:
            state = os.stat(self._path(kind, name))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BlockStoreError(f"{kind} {name} cannot be examined: {error}") from error
        return Entry(name, state.st_size, state.st_mtime)

    def read(self, kind: Kind, name: str) -> bytes:
        """Return a file's content."""
        try:
            with open(self._path(kind, name), "rb", buffering=0) as file:
                return file.readall()
        except FileNotFoundError:
            raise BlockMissing(f"{name} is not among the {kind} of the store") from None
        except OSError as error:
            raise BlockStoreError(f"{name} of the {kind} cannot be read: {error}") from error

    def discard(self, kind: Kind, name: str, *, unused_since: float) -> bool:
        """Take a file's name away, look at its time again, and only then remove it.

        A presence test renews the time by name: if it came before the name was taken away, the new time is
        seen and the file put back; if it comes after, it finds nothing.
        """
        path = self._path(kind, name)
        aside = os.path.join(os.path.dirname(path), DISCARDED_PREFIX + name)
        try:
            if os.stat(path).st_mtime >= unused_since:
                return False
            os.rename(path, aside)
            if os.stat(aside).st_mtime >= unused_since:
                _put_back(aside, path)
                return False
            os.unlink(aside)
        except FileNotFoundError:
            return True
        except OSError as error:
            raise BlockStoreError(f"{path} cannot be removed: {error}") from error
        return True

    def set_aside(self, kind: Kind, name: str) -> None:
        """Rename a damaged file."""
        path = self._path(kind, name)
        with contextlib.suppress(FileNotFoundError):
            self._move_aside(path, os.stat(path).st_ino)

    # -- files

    def _holds(self, path: str, view: memoryview) -> bool:
        """Tell whether ``path`` already has this content; renews its time if so."""
        try:
            with open(path, "rb", buffering=0) as file:
                length = os.fstat(file.fileno()).st_size
                if not len(view) <= length <= self.block_size and length != len(view):
                    return False
                position = 0
                while position < length:
                    piece = file.read(1 << 20)
                    if not piece:
                        return False
                    same = view[position : position + len(piece)]
                    # An older installation kept trailing NULs; they are no difference.
                    if piece[: len(same)] != same or any(piece[len(same) :]):
                        return False
                    position += len(piece)
        except OSError:
            return False
        return self._renew(path)

    def _renew(self, path: str) -> bool:
        try:
            if time.time() - os.stat(path).st_mtime > _TOUCH_SECONDS:
                os.utime(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise BlockStoreError(f"{path} cannot be examined: {error}") from error
        return True

    def _write(self, path: str, view: memoryview) -> None:
        directory, name = os.path.split(path)
        temporary = os.path.join(directory, f"{TEMPORARY_PREFIX}{name[:16]}-{secrets.token_hex(8)}")
        try:
            created = self._make_directories(directory)
            self._write_file(temporary, view)
            os.rename(temporary, path)
            if self._sync_names:
                for changed in (directory, *created):
                    _sync_directory(changed)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            if error.errno in _FULL:
                raise StoreFull(f"no room for {path}") from error
            raise BlockStoreError(f"{path} cannot be written: {error}") from error

    def _write_file(self, path: str, view: memoryview) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self.file_mode)
        try:
            # The process's own umask may be stricter or laxer than the setting.
            os.fchmod(descriptor, self.file_mode)
            written = 0
            while written < len(view):
                written += os.write(descriptor, view[written:])
            if self._sync_content:
                os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def _make_directories(self, directory: str) -> list[str]:
        """Create what is missing of the fan-out and return the parents that got a new entry."""
        missing: list[str] = []
        path = directory
        while not os.path.isdir(path):
            missing.append(path)
            path = os.path.dirname(path)
        for path in reversed(missing):
            with contextlib.suppress(FileExistsError):  # another writer was faster
                os.mkdir(path, self.directory_mode)
                os.chmod(path, self.directory_mode)
        return [os.path.dirname(path) for path in missing]

    # -- verification

    def _verify(self, digest: bytes, descriptor: int) -> int:
        """Check an open block by policy and return its length; leaves the file at its beginning."""
        state = os.fstat(descriptor)
        length = state.st_size
        mark = (state.st_ino, length, state.st_ctime_ns)
        if 0 < length <= self.block_size and not self._verification.is_due(digest, mark):
            return length
        if length > self.block_size or self._hash(descriptor, length) != digest:
            raise BlockCorrupt(f"block {digest.hex()} does not match its name")
        self._verification.passed(digest, mark)
        return length

    def _hash(self, descriptor: int, length: int) -> bytes:
        """Hash a block's file piece by piece; only the last piece can have trailing NULs of older writers."""
        running = hashlib.new(self.algorithm, usedforsecurity=False)
        position, pending = 0, 0
        while position < length:
            piece = os.pread(descriptor, 1 << 20, position)
            if not piece:
                break
            position += len(piece)
            kept = trimmed_length(piece)
            if kept:
                running.update(bytes(pending))
                running.update(memoryview(piece)[:kept])
                pending = 0
            pending += len(piece) - kept
        return running.digest()

    def _move_aside(self, path: str, inode: int) -> None:
        """Rename a damaged block, so that it counts as missing and a client's next upload heals it."""
        with contextlib.suppress(OSError):
            if os.stat(path).st_ino == inode:  # not what somebody has just put in its place
                os.rename(path, path + CORRUPT_SUFFIX)


def _sorted_names(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))  # noqa: PTH208  (Path objects for 256 names are a waste)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise BlockStoreError(f"{path} cannot be listed: {error}") from error


def _put_back(aside: str, path: str) -> None:
    with contextlib.suppress(FileExistsError):  # somebody has just sent it again
        os.link(aside, path)
    os.unlink(aside)


def _tidy(directory: str, name: str, before: float) -> None:
    """Undo what a killed process left: half-written files go, names taken away for removal come back."""
    file = os.path.join(directory, name)
    if name.startswith(DISCARDED_PREFIX):
        _put_back(file, os.path.join(directory, name.removeprefix(DISCARDED_PREFIX)))
    elif name.startswith(TEMPORARY_PREFIX) and os.stat(file).st_mtime < before:
        os.unlink(file)


def _sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
