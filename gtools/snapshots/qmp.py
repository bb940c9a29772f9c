"""The little of QEMU's monitor protocol that a point-in-time copy of a running instance's disk needs.

A monitor serves one client at a time and Ganeti needs it, too, so nobody stays connected while QEMU copies.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from gtools.snapshots.errors import SnapshotError

_SECONDS = 30.0
_MAX_LINE = 16 * 1024 * 1024
JOB_PREFIX = "snf-snapshot-"


class NotRunning(SnapshotError):
    """There is no QEMU behind the monitor's socket."""


class Monitor:
    """One connection to a monitor, ready for commands."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        self._read()  # the greeting
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: Any) -> Any:
        """Run a command and return its answer; raise `SnapshotError` with QEMU's words."""
        given = {name.replace("_", "-"): value for name, value in arguments.items()}
        self._connection.sendall(json.dumps({"execute": command, "arguments": given}).encode() + b"\n")
        while True:
            answer = self._read()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise SnapshotError(f"QEMU refuses {command}: {answer['error'].get('desc', '')}")

    def _read(self) -> Mapping[str, Any]:
        line = self._lines.readline(_MAX_LINE)
        if not line:
            raise NotRunning("QEMU has ended")
        content = json.loads(line)
        if not isinstance(content, dict):
            raise SnapshotError("QEMU's monitor says something unexpected")
        return content

    def close(self) -> None:
        """End the connection, so that others get their turn."""
        self._lines.close()
        self._connection.close()


@contextmanager
def connected(path: str) -> Iterator[Monitor]:
    """Lend a connection to the monitor at a socket; raise `NotRunning` if nobody listens."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_SECONDS)
    try:
        connection.connect(path)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        connection.close()
        raise NotRunning(f"nobody listens at {path}") from error
    except OSError as error:
        connection.close()
        raise SnapshotError(f"{path}: {error}") from error
    try:
        monitor = Monitor(connection)
        try:
            yield monitor
        finally:
            monitor.close()
    except (OSError, ValueError) as error:
        raise SnapshotError(f"{path}: {error}") from error
    finally:
        connection.close()


def is_running(path: str) -> bool:
    """Tell whether an instance runs behind the monitor's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_SECONDS)
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError as error:
            raise SnapshotError(f"{path}: {error}") from error
    return True


def start_backup(path: str, *, disk: str, target: str, job: str) -> None:
    """Have QEMU copy the disk as it is at this moment into the file ``target``, which exists."""
    with connected(path) as monitor:
        for old in monitor.execute("query-jobs"):
            if str(old.get("id", "")).startswith(JOB_PREFIX):
                _end(monitor, old)
        device = _device(monitor.execute("query-block"), disk)
        monitor.execute(
            "drive-backup",
            job_id=job,
            device=device,
            target=target,
            format="raw",
            mode="existing",
            sync="full",
            auto_dismiss=False,
        )


def _end(monitor: Monitor, job: Mapping[str, Any]) -> None:
    """Take away a copy that an agent before us began."""
    if job.get("status") == "concluded":
        monitor.execute("job-dismiss", id=job["id"])
    else:
        monitor.execute("job-cancel", id=job["id"])


def _device(blocks: Any, disk: str) -> str:
    """Return QEMU's name of the device whose data is the file or device ``disk``."""
    for block in blocks:
        inserted = block.get("inserted") or {}
        shown = str(inserted.get("file", ""))
        if shown and _is_same(shown, disk):
            name = str(block.get("device") or inserted.get("node-name") or block.get("qdev") or "")
            if name:
                return name
    raise SnapshotError(f"the running instance does not use {disk}")


def _is_same(shown: str, disk: str) -> bool:
    """Tell whether QEMU's file is the disk: the same file, or another name of the same device."""
    if os.path.realpath(shown) == os.path.realpath(disk):
        return True
    try:
        first, second = os.stat(shown), os.stat(disk)
    except OSError:
        return False
    if first.st_rdev or second.st_rdev:
        return first.st_rdev == second.st_rdev
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def backup_state(path: str, *, job: str) -> tuple[bool, int, int]:
    """Return whether the copy has ended, how much of it is done and how much there is; dismiss an ended one.

    Raises `SnapshotError` if it failed, `NotRunning` if QEMU has gone.
    """
    with connected(path) as monitor:
        found = next((each for each in monitor.execute("query-jobs") if each.get("id") == job), None)
        if found is None:
            raise SnapshotError("QEMU does not know the copy any more")
        if found.get("status") == "concluded":
            monitor.execute("job-dismiss", id=job)
            if found.get("error"):
                raise SnapshotError(f"QEMU's copy failed: {found['error']}")
            return True, 1, 1
        return False, int(found.get("current-progress", 0)), int(found.get("total-progress", 0))


def cancel_backup(path: str, *, job: str) -> None:
    """Stop a copy that nobody wants any more; whatever is wrong with it is fine."""
    try:
        with connected(path) as monitor:
            for found in monitor.execute("query-jobs"):
                if found.get("id") == job:
                    _end(monitor, found)
    except SnapshotError:
        return
