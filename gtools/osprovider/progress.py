"""Telling the progress monitor how a deployment goes (ganeti-backend contract 5.4, 7).

A hanging or broken monitor must not delay the deployment: messages go through a thread, and what it can't
take is dropped.
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

logger = logging.getLogger("snf-image")

INTERVAL_SECONDS = 3.0
CLOSE_SECONDS = 15.0
MAX_WAITING = 200


class Progress:
    """The messages of one deployment."""

    def __init__(self, command: str, instance: str) -> None:
        self._last_copy = time.monotonic()
        self._waiting: queue.Queue[bytes | None] = queue.Queue(MAX_WAITING)
        self._process = _start(command, instance)
        self._thread = threading.Thread(target=self._forward, name="progress", daemon=True)
        self._thread.start()

    def copied(self, position: int, total: int, *, final: bool = False) -> None:
        """Tell how many bytes are copied, at most every `INTERVAL_SECONDS`."""
        now = time.monotonic()
        if not final and now - self._last_copy < INTERVAL_SECONDS:
            return
        self._last_copy = now
        percent = 100.0 if final else round(100.0 * position / total, 2) if total else 0.0
        self._send(type="image-copy-progress", progress=percent, position=position, total=total)

    @contextlib.contextmanager
    def task(self, name: str) -> Iterator[None]:
        """Tell a helper task's start and, if it succeeds, end."""
        logger.info("task %s", name)
        self._send(type="image-helper", subtype="task-start", task=name)
        yield
        self._send(type="image-helper", subtype="task-end", task=name)

    def info(self, text: str) -> None:
        """Tell something of interest."""
        logger.info("%s", text)
        self._send(type="image-info", messages=[text])

    def warning(self, text: str) -> None:
        """Tell something that should not be."""
        logger.warning("%s", text)
        self._send(type="image-warning", messages=[text])

    def error(self, text: str) -> None:
        """Tell why the deployment failed."""
        logger.error("%s", text)
        self._send(type="image-error", messages=[text])

    def close(self) -> None:
        """Wait, within bounds, until the monitor has sent everything."""
        end = time.monotonic() + CLOSE_SECONDS
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=CLOSE_SECONDS)
        self._thread.join(max(0.0, end - time.monotonic()))
        if self._process is None:
            return
        try:
            self._process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            logger.warning("the progress monitor hangs")
            self._process.kill()
            self._process.wait()

    def _send(self, **content: Any) -> None:
        content["timestamp"] = round(time.time(), 6)
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(json.dumps(content).encode() + b"\n")

    def _forward(self) -> None:
        pipe = self._process.stdin if self._process is not None else None
        while (message := self._waiting.get()) is not None:
            if pipe is None:
                continue
            try:
                pipe.write(message)
                pipe.flush()
            except OSError:
                logger.warning("the progress monitor has gone away")
                pipe = None
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _start(command: str, instance: str) -> subprocess.Popen[bytes] | None:
    if not command.strip():
        return None
    try:
        return subprocess.Popen([*shlex.split(command), instance], stdin=subprocess.PIPE)
    except (OSError, ValueError) as error:
        logger.warning("no progress monitor: %s", error)
        return None
