"""Telling the outside how a daemon is: systemd's notification socket and a health file. Imports no Django."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path


def notify_systemd(state: str) -> None:
    """Send a state such as ``READY=1`` to systemd, if it started us."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
        connection.sendto(state.encode(), address)


def write_health(path: str | None, values: Mapping[str, object]) -> None:
    """Replace the health file: a JSON object with ``time`` (seconds since the epoch) and the values."""
    if not path:
        return
    target = Path(path)
    temporary = target.with_name(f"{target.name}.new")
    # A full or missing disk must not stop the daemon from working.
    with contextlib.suppress(OSError):
        temporary.write_text(json.dumps({"time": time.time(), "pid": os.getpid(), **values}) + "\n")
        temporary.replace(target)
