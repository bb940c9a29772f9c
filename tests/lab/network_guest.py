"""A guest that is only a network: an own network namespace at the other end of a device of the node.

The test talks through sockets that live in the guest's namespace, so nothing has to run there.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

from tests.lab.instance import LabError
from tests.lab.namespaces import Namespaces

_CLONE_NEWNET = 0x40000000
_ETH_P_ALL = 3
_libc = ctypes.CDLL(None, use_errno=True)


def _in_thread(work: Callable[[], Any]) -> Any:
    """Run something in a thread of its own: a thread's network namespace is its own business."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


class NetworkGuest:
    """``eth0`` in a namespace of its own, whose other end is ``device`` on the node."""

    def __init__(self, node: Namespaces, device: str, mac: str) -> None:
        self.node, self.device, self.mac = node, device, mac
        self._namespace = _in_thread(self._make)
        make = ["link", "add", "eth0", "address", mac, "type", "veth", "peer", "name", device]
        self.ip(*make, "netns", str(node.init_pid))
        self.ip("link", "set", "lo", "up")
        self.ip("link", "set", "eth0", "up")

    def _make(self) -> int:
        if _libc.unshare(_CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY)

    def ip(self, *words: str) -> str:
        """Run ``ip`` inside."""
        command = ["nsenter", f"--net=/proc/{os.getpid()}/fd/{self._namespace}", "ip", *words]
        result = subprocess.run(command, check=False, capture_output=True, text=True)
        if result.returncode != 0:
            raise LabError(f"ip {' '.join(words)}: {result.stderr}")
        return result.stdout

    def open_socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket of the guest's."""

        def make() -> socket.socket:
            if _libc.setns(self._namespace, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            return socket.socket(family, kind, protocol)

        handle: socket.socket = _in_thread(make)
        return handle

    @contextlib.contextmanager
    def wire(self) -> Iterator[socket.socket]:
        """A socket that sends and receives frames."""
        with self.open_socket(socket.AF_PACKET, socket.SOCK_RAW) as handle:
            handle.bind(("eth0", _ETH_P_ALL))
            yield handle

    def has_carrier(self) -> bool:
        """Whether the node has taken the device up."""
        return "LOWER_UP" in self.ip("link", "show", "eth0").split(">")[0]

    def close(self) -> None:
        """The namespace, and with it the device, goes."""
        with contextlib.suppress(LabError):
            self.ip("link", "delete", "eth0")
        os.close(self._namespace)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def receive(wire: socket.socket, wanted: Callable[[bytes], bool], seconds: float = 20.0) -> bytes | None:
    """The first frame that is wanted, None when there was none in time."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        wire.settimeout(left)
        try:
            frame = wire.recv(2048)
        except TimeoutError:
            return None
        if wanted(frame):
            return frame
    return None


def ask(wire: socket.socket, question: bytes, wanted: Callable[[bytes], bool]) -> bytes:
    """The first frame that is wanted, asking again as any peer does whose question may have been lost."""
    for _ in range(20):
        wire.send(question)
        answer = receive(wire, wanted, 3.0)
        if answer is not None:
            return answer
    raise AssertionError("no answer")
