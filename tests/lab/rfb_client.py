"""A viewer of consoles for tests: VNC authentication, keys, and what the screen looks like."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

from gtools.vncauthproxy.rfb import response_to

RETURN = 0xFF0D


class Refused(Exception):
    """The server did not let the viewer in."""


class RfbClient:
    """RFB over a pair of functions: ``receive()`` gives bytes, none at the end, ``send`` takes them."""

    def __init__(self, receive: Callable[[], bytes], send: Callable[[bytes], Any]) -> None:
        self._receive = receive
        self.send = send
        self._rest = b""
        self.security_types: list[int] = []
        self.size = (0, 0)
        self.name = ""

    @classmethod
    def over(cls, connection: socket.socket) -> RfbClient:
        connection.settimeout(30)
        return cls(lambda: connection.recv(65536), connection.sendall)

    def read(self, count: int) -> bytes:
        while len(self._rest) < count:
            more = self._receive()
            if not more:
                raise Refused("the connection was closed")
            self._rest += more
        data, self._rest = self._rest[:count], self._rest[count:]
        return data

    def log_in(self, password: str, version: bytes = b"RFB 003.008\n") -> RfbClient:
        greeting = self.read(12)
        assert greeting == b"RFB 003.008\n", greeting
        self.send(version)
        if version == b"RFB 003.003\n":
            self.security_types = [struct.unpack("!I", self.read(4))[0]]
        else:
            self.security_types = list(self.read(self.read(1)[0]))
            self.send(bytes([2]))
        self.send(response_to(self.read(16), password))
        if struct.unpack("!I", self.read(4))[0]:
            reason = self.read(struct.unpack("!I", self.read(4))[0]) if version[10:11] == b"8" else b""
            raise Refused(reason.decode())
        return self

    def share(self) -> RfbClient:
        """Send ClientInit, learn the screen's size and name, and ask for raw pixels of four bytes."""
        self.send(b"\1")
        width, height = struct.unpack("!HH", self.read(4))
        self.read(16)
        self.size = (width, height)
        self.name = self.read(struct.unpack("!I", self.read(4))[0]).decode()
        pixels = struct.pack("!BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
        self.send(struct.pack("!B3x", 0) + pixels + struct.pack("!BxHi", 2, 1, 0))
        return self

    def picture(self) -> bytes:
        """Return the whole screen, four bytes a pixel."""
        width, height = self.size
        self.send(struct.pack("!BBHHHH", 3, 0, 0, 0, width, height))
        frame = bytearray(width * height * 4)
        left = width * height
        while left > 0:
            kind = self.read(1)[0]
            if kind == 2:
                continue
            if kind == 3:
                self.read(3)
                self.read(struct.unpack("!I", self.read(4))[0])
                continue
            assert kind == 0, kind
            for _ in range(struct.unpack("!xH", self.read(3))[0]):
                x, y, w, h, encoding = struct.unpack("!HHHHi", self.read(12))
                assert encoding == 0, encoding
                data = self.read(w * h * 4)
                for row in range(h):
                    at = ((y + row) * width + x) * 4
                    frame[at : at + w * 4] = data[row * w * 4 : (row + 1) * w * 4]
                left -= w * h
        return bytes(frame)

    def press(self, symbol: int) -> None:
        for pressed in (1, 0):
            self.send(struct.pack("!BB2xI", 4, pressed, symbol))

    def type(self, text: str) -> None:
        for letter in text:
            self.press(ord(letter))
