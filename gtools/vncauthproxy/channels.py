"""Both ends of a session as streams of bytes: TCP connections and WebSockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Protocol

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

_CHUNK = 64 * 1024


class ChannelClosed(Exception):
    """The other side went away in the middle of a handshake."""


class Channel(Protocol):
    """A stream of bytes in both directions."""

    async def read(self) -> bytes:
        """Return some bytes, none at the end."""

    async def read_exactly(self, count: int) -> bytes:
        """Return *count* bytes; raises ``ChannelClosed``."""

    async def write(self, data: bytes) -> None:
        """Send *data* and wait while the other side is slow; raises ``ChannelClosed``."""

    async def close(self) -> None:
        """Close the connection; never raises."""


class TcpChannel:
    """A TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        sock = writer.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX:
            # A guest's screen can be still for hours; a dead peer must be noticed all the same.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def read(self) -> bytes:
        """Return some bytes, none at the end."""
        try:
            return await self._reader.read(_CHUNK)
        except OSError:
            return b""

    async def read_exactly(self, count: int) -> bytes:
        """Return *count* bytes; raises ``ChannelClosed``."""
        try:
            return await self._reader.readexactly(count)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise ChannelClosed("the connection was closed") from error

    async def write(self, data: bytes) -> None:
        """Send *data* and wait while the other side is slow; raises ``ChannelClosed``."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise ChannelClosed("the connection was closed") from error

    async def close(self) -> None:
        """Close the connection; never raises."""
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(self._writer.wait_closed(), 2)


class WebSocketChannel:
    """A WebSocket whose binary messages are pieces of one stream."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._rest = b""

    async def _receive(self) -> bytes:
        while True:
            try:
                message = await self._connection.recv()
            except ConnectionClosed:
                return b""
            if isinstance(message, str):
                await self._connection.close(1003)
                return b""
            if message:
                return message

    async def read(self) -> bytes:
        """Return some bytes, none at the end."""
        data, self._rest = self._rest, b""
        return data or await self._receive()

    async def read_exactly(self, count: int) -> bytes:
        """Return *count* bytes; raises ``ChannelClosed``."""
        while len(self._rest) < count:
            more = await self._receive()
            if not more:
                raise ChannelClosed("the WebSocket was closed")
            self._rest += more
        data, self._rest = self._rest[:count], self._rest[count:]
        return data

    async def write(self, data: bytes) -> None:
        """Send *data* and wait while the other side is slow; raises ``ChannelClosed``."""
        try:
            await self._connection.send(data)
        except ConnectionClosed as error:
            raise ChannelClosed("the WebSocket was closed") from error

    async def close(self) -> None:
        """Close the connection; never raises."""
        await self._connection.close()


async def pump(one: Channel, other: Channel) -> None:
    """Carry bytes both ways until either side ends."""

    async def carry(source: Channel, target: Channel) -> None:
        with contextlib.suppress(ChannelClosed):
            while data := await source.read():
                await target.write(data)

    tasks = [asyncio.create_task(carry(one, other)), asyncio.create_task(carry(other, one))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
