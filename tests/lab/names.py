"""Host names that resolve in this process only."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping
from typing import Any


@contextlib.contextmanager
def resolve_here(names: Mapping[str, str]) -> Iterator[None]:
    """Let ``socket.getaddrinfo`` know these names; /etc/hosts of the machine stays as it is."""
    original = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return original(names.get(name, host), *arguments, **options)

    socket.getaddrinfo = getaddrinfo
    try:
        yield
    finally:
        # Another cluster may have put itself on top meanwhile: only undo what is ours.
        if socket.getaddrinfo is getaddrinfo:
            socket.getaddrinfo = original
