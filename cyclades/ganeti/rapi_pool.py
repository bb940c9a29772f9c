"""Protection of one cluster and of ourselves: at most so many calls at a time, none while it is broken."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cyclades.ganeti.rapi_errors import RapiUnavailable, RapiUnknown

#: Seconds that a call waits for a free place.
ACQUIRE_SECONDS = 10.0


class RapiPool:
    """Concurrency limit and circuit breaker shared by all calls to one cluster; thread-safe.

    RAPI closes the connection after every answer, so there are no connections worth keeping: the pool is a
    limit only (ganeti-backend contract 1.6).

    ``limit``: calls at a time. ``acquire_timeout``: seconds to wait for a free place.
    ``failure_threshold``: consecutive failures after which calls fail at once. ``cooldown``: seconds until
    one call is let through to see whether the cluster is back.
    """

    def __init__(
        self,
        limit: int = 8,
        *,
        acquire_timeout: float = ACQUIRE_SECONDS,
        failure_threshold: int = 5,
        cooldown: float = 15.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places = threading.BoundedSemaphore(limit)
        self._acquire_timeout = acquire_timeout
        self._failure_threshold = failure_threshold
        self._cooldown = cooldown
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until: float | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether the cluster is set aside now (calls fail without being sent)."""
        with self._lock:
            return self._open_until is not None

    @property
    def consecutive_failures(self) -> int:
        """Failures since the last answer."""
        with self._lock:
            return self._failures

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one place during a call; learn from how the block ends.

        Raises RapiUnavailable without running the block when the cluster is set aside or no place gets free.
        """
        probe = self._admit()
        try:
            if not self._places.acquire(timeout=self._acquire_timeout):
                raise _Busy
        except BaseException as error:
            self._withdraw(probe)
            if isinstance(error, _Busy):
                raise RapiUnavailable("too many calls to this cluster at once") from None
            raise
        try:
            yield
        except (RapiUnavailable, RapiUnknown):
            self._failed(probe)
            raise
        except Exception:
            self._answered()
            raise
        except BaseException:
            self._withdraw(probe)
            raise
        else:
            self._answered()
        finally:
            self._places.release()

    def _admit(self) -> bool:
        """Let a call pass or raise; True when it is the one that probes a broken cluster."""
        with self._lock:
            if self._open_until is None:
                return False
            if self._probing or self._monotonic() < self._open_until:
                raise RapiUnavailable("the cluster does not answer and is set aside for now")
            self._probing = True
            return True

    def _withdraw(self, probe: bool) -> None:
        if probe:
            with self._lock:
                self._probing = False

    def _answered(self) -> None:
        with self._lock:
            self._failures = 0
            self._open_until = None
            self._probing = False

    def _failed(self, probe: bool) -> None:
        with self._lock:
            self._failures += 1
            if probe:
                self._probing = False
            if probe or self._failures >= self._failure_threshold:
                self._open_until = self._monotonic() + self._cooldown


class _Busy(Exception):
    """No place got free in time."""
