"""Listening sockets on ports of a pool."""

from __future__ import annotations

import contextlib
import errno
import secrets
import socket
from collections.abc import Sequence

#: How many ports of the pool are tried, in case other programs use some.
_TRIES = 50


class NoFreePort(Exception):
    """No port of the pool can be listened at."""


class PortPool:
    """The ports that sessions listen at; each is lent to one session at a time."""

    def __init__(self, address: str, first: int, last: int) -> None:
        self._address = address
        self._all = range(first, last + 1)
        self._lent: set[int] = set()

    @property
    def lent(self) -> frozenset[int]:
        """The ports in use now."""
        return frozenset(self._lent)

    def take(self, wanted: int = 0) -> tuple[int, list[socket.socket]]:
        """Return a port and its bound sockets; *wanted* 0 is any. Raises ``NoFreePort``."""
        for port in self._candidates(wanted):
            try:
                sockets = bind(self._address, port)
            except OSError:
                continue
            self._lent.add(port)
            return port, sockets
        raise NoFreePort(f"no free port in {self._all.start} to {self._all.stop - 1}")

    def _candidates(self, wanted: int) -> Sequence[int]:
        if wanted:
            return [wanted] if wanted in self._all and wanted not in self._lent else []
        free = [port for port in self._all if port not in self._lent]
        # Ports that can't be foretold are one thing less that a stranger knows.
        return secrets.SystemRandom().sample(free, min(_TRIES, len(free)))

    def give_back(self, port: int) -> None:
        """Let *port* be lent again."""
        self._lent.discard(port)


def bind(address: str, port: int) -> list[socket.socket]:
    """Return sockets bound to *port* of *address*, "*" being every address; raises ``OSError``."""
    hosts = ["0.0.0.0", "::"] if address == "*" else [address]  # noqa: S104  (the option's meaning)
    sockets: list[socket.socket] = []
    with contextlib.ExitStack() as undo:
        for host in hosts:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, kind, protocol, _, place = found[0]
            try:
                listener = socket.socket(family, kind, protocol)
            except OSError as error:
                if error.errno == errno.EAFNOSUPPORT and sockets:
                    continue
                raise
            undo.callback(listener.close)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                listener.bind(place)
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL and sockets:
                    listener.close()
                    continue
                raise
            listener.setblocking(False)
            sockets.append(listener)
        undo.pop_all()
    return sockets
