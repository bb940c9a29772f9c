"""Telling systemd and probes that the dispatcher is alive."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from django.conf import settings


def notify(state: str) -> None:
    """Send *state* (``READY=1``, ``STOPPING=1``, ``WATCHDOG=1``) to systemd when it started us."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    # A supervisor that went away must not take the dispatcher along.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
        connection.sendto(state.encode(), address)


def touch() -> None:
    """Move the health file's time to now."""
    if settings.DISPATCHER_HEALTH_FILE:
        with contextlib.suppress(OSError):
            Path(settings.DISPATCHER_HEALTH_FILE).touch()
