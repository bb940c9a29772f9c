"""Waiting for a file to change, by inotify; where there is none, only time passes."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import time

_IN_MODIFY = 0x2


class FileWatch:
    """Notes from its making on whether a file changes."""

    def __init__(self, path: str) -> None:
        self._notices = _watch(path)

    @property
    def is_told(self) -> bool:
        """Tell whether changes end a wait; otherwise the caller has to look at the file now and then."""
        return self._notices is not None

    def forget(self) -> None:
        """Forget the changes so far: the caller looks at the file now."""
        if self._notices is not None:
            with contextlib.suppress(BlockingIOError):
                os.read(self._notices, 65536)

    def wait(self, seconds: float) -> bool:
        """Wait for a change since `forget`, at most so long; return whether there was one."""
        notices = self._notices
        if notices is None:
            time.sleep(seconds)
            return False
        # Not select: this process may have more than a thousand files open.
        poll = select.poll()
        poll.register(notices, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def close(self) -> None:
        """End watching."""
        if self._notices is not None:
            os.close(self._notices)
            self._notices = None


def _watch(path: str) -> int | None:
    """Return a descriptor that is readable after changes of a file; None if the system has no such thing."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "inotify_init1"):
        return None
    notices: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if notices < 0:
        # This user watches as many files as the system allows.
        return None
    if libc.inotify_add_watch(notices, os.fsencode(path), _IN_MODIFY) < 0:
        os.close(notices)
        return None
    return notices
