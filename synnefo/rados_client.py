"""Ceph's RADOS through the system's binding, with bounded waits (Django-free: Ganeti nodes use it too).

The binding is Debian's package python3-rados. It is no PyPI package, so it is loaded from the system's
directory when this interpreter does not see it, and only when RADOS is really used.
"""

from __future__ import annotations

import errno
import importlib
import importlib.util
import math
import os
import sysconfig
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

R = TypeVar("R")

_SYSTEM_PACKAGES = Path("/usr/lib/python3/dist-packages")
#: Seconds for which an unreachable cluster is not asked again.
_PAUSE_SECONDS = 2.0
_FULL = {errno.ENOSPC, errno.EDQUOT}
_lock = threading.Lock()
_binding: Any = None
#: Handles of a parent process: threads behind them do not exist after a fork, so closing them would hang.
_abandoned: list[Any] = []


class RadosError(Exception):
    """An operation failed; the text is for the log."""


class RadosUnavailable(RadosError):
    """The binding, the configuration or the cluster cannot be used now."""


class RadosNotFound(RadosError):
    """There is no such object."""


class RadosFull(RadosError):
    """The cluster or the pool has no room."""


class RadosChanged(RadosError):
    """A condition of a write was not met: the object is not as it was."""


def load_binding() -> Any:
    """Return the module ``rados``; raise `RadosUnavailable` saying what to install."""
    global _binding  # noqa: PLW0603  (loaded once)
    with _lock:
        if _binding is None:
            _binding = _find_binding()
        return _binding


def _find_binding() -> Any:
    try:
        return importlib.import_module("rados")
    except ImportError:
        suffix = sysconfig.get_config_var("EXT_SUFFIX")
        spec = importlib.util.spec_from_file_location("rados", _SYSTEM_PACKAGES / f"rados{suffix}")
        try:
            if spec is None or spec.loader is None:
                raise ImportError("no loader for it")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        except ImportError as error:
            raise RadosUnavailable(f"RADOS needs the system's package python3-rados ({error})") from error
        return module


class Cluster:
    """One cluster: pools opened on first use, every wait bounded.

    conf: path of ceph.conf. client: name such as ``client.admin``. connect_seconds and operation_seconds:
    how long to wait before the cluster counts as unavailable. create: make missing pools.
    """

    def __init__(
        self, conf: str, *, client: str, connect_seconds: float, operation_seconds: float, create: bool
    ) -> None:
        self._conf = conf
        self._client = client
        self._timeouts = (connect_seconds, operation_seconds)
        self._create = create
        self._opening = threading.Lock()
        self._pid = os.getpid()
        self._handle: Any = None
        self._pools: dict[tuple[str, str], Any] = {}
        self._timed_out = 0
        self._asked_again = 0.0

    def run(self, pool: str, operation: Callable[[Any], R], *, purpose: str = "") -> R:
        """Call ``operation`` with the pool's context; raise only `RadosError`.

        Contexts are shared by all threads but for those of different ``purpose``. After two timeouts
        without a success between them the cluster is left alone for a moment, and then asked by one caller
        only: an outage must not hold up every worker for the whole timeout.
        """
        self._check_pause()
        rados = load_binding()
        try:
            result = operation(self._context(pool, purpose))
        except rados.TimedOut as error:
            self._note_timeout()
            raise RadosUnavailable(f"{pool}: {error}") from error
        except rados.Error as error:
            translated = _translated(pool, error)
            if not isinstance(translated, RadosUnavailable):  # a refusal is an answer too
                self._timed_out = 0
            raise translated from error
        self._timed_out = 0
        return result

    def close(self) -> None:
        """End the connection."""
        with self._opening:
            self._forget_parent()
            for context in self._pools.values():
                context.close()
            self._pools.clear()
            if self._handle is not None:
                self._handle.shutdown()
                self._handle = None

    def _check_pause(self) -> None:
        if self._timed_out < 2:
            return
        now = time.monotonic()
        with self._opening:
            if now < self._asked_again:
                raise RadosUnavailable("the cluster did not answer a moment ago")
            self._asked_again = now + self._timeouts[1] + _PAUSE_SECONDS

    def _note_timeout(self) -> None:
        self._timed_out += 1
        self._asked_again = time.monotonic() + _PAUSE_SECONDS

    def _context(self, pool: str, purpose: str) -> Any:
        found = self._pools.get((pool, purpose)) if self._pid == os.getpid() else None
        if found is not None:
            return found
        with self._opening:
            self._forget_parent()
            if (pool, purpose) not in self._pools:
                self._pools[pool, purpose] = self._open(pool)
            return self._pools[pool, purpose]

    def _forget_parent(self) -> None:
        if self._pid != os.getpid():
            _abandoned.append((self._handle, self._pools))
            self._handle, self._pools, self._pid = None, {}, os.getpid()

    def _open(self, pool: str) -> Any:
        rados = load_binding()
        handle = self._handle or self._connect(rados)
        self._handle = handle
        if self._create and not handle.pool_exists(pool):
            try:
                handle.create_pool(pool)
            except rados.ObjectExists:
                pass  # another process was faster
        context = handle.open_ioctx(pool)
        # Without this a write to a full cluster waits for room instead of failing.
        context.set_osdmap_full_try()
        return context

    def _connect(self, rados: Any) -> Any:
        if not Path(self._conf).is_file():
            raise RadosUnavailable(f"{self._conf} does not exist")
        # Whole seconds are all that Ceph takes, and 0 would be for ever.
        connect_seconds, operation_seconds = (str(math.ceil(max(1.0, s))) for s in self._timeouts)
        # Only making a pool and asking for statistics go to the monitor; a new pool takes its time.
        monitor_seconds = str(max(15, 3 * int(operation_seconds)))
        handle = rados.Rados(
            name=self._client,
            conffile=self._conf,
            conf={
                "client_mount_timeout": connect_seconds,
                "rados_mon_op_timeout": monitor_seconds,
                "rados_osd_op_timeout": operation_seconds,
            },
        )
        handle.connect()
        return handle


def _translated(pool: str, error: Exception) -> RadosError:
    number = getattr(error, "errno", None)
    text = f"{pool}: {error}"
    if number == errno.ENOENT:
        return RadosNotFound(text)
    if number in _FULL:
        return RadosFull(text)
    # A version that is too low or too high, an exclusive creation, a comparison: above 4095 is its offset.
    if number in (errno.ERANGE, errno.EOVERFLOW, errno.EEXIST, errno.ECANCELED) or abs(number or 0) >= 4095:
        return RadosChanged(text)
    return RadosUnavailable(text) if number in (errno.ETIMEDOUT, errno.ENOTCONN) else RadosError(text)
