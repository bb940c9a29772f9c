"""Plays the OS definition: takes the one-time configuration and reports progress like snf-image does."""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from synnefo.tls import unverified_context

logger = logging.getLogger(__name__)

FETCH_TIMEOUT = 30.0
MONITOR_TIMEOUT = 30.0
MAX_CONFIGURATION_BYTES = 4 * 1024 * 1024
COPY_SECONDS = 3.0
COPY_STEPS = 5
TASK_SECONDS = 0.2
TASKS = ("FixPartitionTable", "FilesystemResizeUnmounted", "ChangePassword", "EnforcePersonality")

Wait = Callable[[float], None]


class ImageError(Exception):
    """The image cannot be deployed; the text is what the OS script would have printed last."""


class ImageProvider:
    """Deploys nothing, but takes as long and says as much as if it did.

    ``command`` gets the instance's name as its last argument and the messages on standard input; without
    one they go nowhere.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)

    def deploy(self, instance: str, osparams: dict[str, Any], size: int, wait: Wait) -> None:
        """Run for an instance whose first disk has ``size`` MiB; ``wait`` pretends to work.

        Raises ImageError when the configuration cannot be fetched.
        """
        url = osparams.get("config_url")
        if url:
            fetch_configuration(str(url))
        total = max(size, 1) * 1024 * 1024
        with self._monitor(instance) as send:
            for step in range(COPY_STEPS + 1):
                send({"type": "image-copy-progress", **_position(total, step)})
                if step < COPY_STEPS:
                    wait(COPY_SECONDS / COPY_STEPS)
            for task in TASKS:
                send({"type": "image-helper", "subtype": "task-start", "task": task})
                wait(TASK_SECONDS)
                send({"type": "image-helper", "subtype": "task-end", "task": task})

    @contextlib.contextmanager
    def _monitor(self, instance: str) -> Iterator[Callable[[dict[str, Any]], None]]:
        """Yield a function that sends a message to the progress command; its failures never matter."""
        if not self._command:
            yield lambda message: None
            return
        try:
            process = subprocess.Popen([*self._command, instance], stdin=subprocess.PIPE)
        except OSError as error:
            logger.warning("progress command: %s", error)
            yield lambda message: None
            return
        stream = process.stdin

        def send(message: dict[str, Any]) -> None:
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.write(json.dumps({**message, "timestamp": time.time()}).encode() + b"\n")
                    stream.flush()

        try:
            yield send
        finally:
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
            _finish(process)


def fetch_configuration(url: str) -> dict[str, Any]:
    """Return what the one-time URL answers; ImageError unless it is 200 with a JSON object."""
    if not url.startswith(("http://", "https://")):
        raise ImageError(f"config_url is not an HTTP URL: {url}")
    context = unverified_context()
    try:
        with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT, context=context) as answer:  # noqa: S310
            if answer.status != 200:
                raise ImageError(f"fetching the configuration failed: status {answer.status}")
            data = json.loads(answer.read(MAX_CONFIGURATION_BYTES))
    except urllib.error.HTTPError as error:
        error.close()
        raise ImageError(f"fetching the configuration failed: status {error.code}") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"fetching the configuration failed: {error}") from None
    if not isinstance(data, dict):
        raise ImageError("the configuration is not a JSON object")
    return data


def _position(total: int, step: int) -> dict[str, Any]:
    position = total * step // COPY_STEPS
    return {"position": position, "total": total, "progress": round(100.0 * position / total, 2)}


def _finish(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(MONITOR_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
