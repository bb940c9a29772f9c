"""One lent screen: from the connection to the guest to the end of the client (compute contract 8.3)."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import ssl
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import Server as WebSocketServer
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import NegotiationError
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol

from gtools.vncauthproxy import rfb
from gtools.vncauthproxy.channels import Channel, ChannelClosed, TcpChannel, WebSocketChannel, pump
from gtools.vncauthproxy.control import ConsoleKind, ControlError, ForwardRequest
from gtools.vncauthproxy.options import ProxyOptions

logger = logging.getLogger("snf-vncauthproxy")
#: What the library says about strangers' broken requests is of interest to nobody.
websocket_logger = logging.getLogger("snf-vncauthproxy.websocket")
websocket_logger.setLevel(logging.CRITICAL)

GOING_AWAY = 1001
#: Largest WebSocket message from a client, in bytes; a pasted text is the longest thing there is.
MAX_WEBSOCKET_MESSAGE = 1 << 20


class Session:
    """A screen that one client may have: the first to come, if it knows the password.

    sockets: bound to the session's own port. tls: for clients of ``vnc-wss``.
    """

    def __init__(
        self,
        request: ForwardRequest,
        *,
        port: int,
        sockets: list[socket.socket],
        options: ProxyOptions,
        tls: ssl.SSLContext | None,
    ) -> None:
        self.request = request
        self.port = port
        self.ticket = secrets.token_urlsafe(24)
        self._sockets = sockets
        self._options = options
        self._tls = tls
        self._guest: Channel | None = None
        self._client: asyncio.Future[Channel] = asyncio.get_running_loop().create_future()
        self._ended = asyncio.Event()
        self._servers: list[asyncio.Server | WebSocketServer] = []

    def __str__(self) -> str:
        host, port = self.request.destination
        return f"port {self.port} to {host}:{port}"

    # -- opening ---------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Reach the guest's screen, then let a client come; raises ``ControlError``."""
        self._guest = await self._reach_guest()
        for listener in self._sockets:
            if self.request.kind is ConsoleKind.VNC:
                self._servers.append(await asyncio.start_server(self._tcp_client, sock=listener))
            else:
                server = serve_websocket(self._websocket_client, listener, self._options, tls=self._tls)
                self._servers.append(await server)
        self._sockets = []

    async def _reach_guest(self) -> Channel:
        host, port = self.request.destination
        failure: Exception | None = None
        for attempt in range(max(1, self._options.connect_retries)):
            if attempt:
                await asyncio.sleep(self._options.retry_wait)
            try:
                async with asyncio.timeout(self._options.server_timeout):
                    return await _connect(host, port)
            except (OSError, TimeoutError, ChannelClosed, rfb.RfbError) as error:
                failure = error
                logger.info("%s, try %d: %s", self, attempt + 1, error or type(error).__name__)
        raise ControlError(f"{self}: the guest's screen can't be reached: {failure}")

    # -- the client ------------------------------------------------------------------------------------

    async def attend(self, channel: Channel) -> bool:
        """Give *channel* the screen and wait until it is done; False: another one came before."""
        if self._client.done():
            return False
        self._client.set_result(channel)
        await self._ended.wait()
        return True

    async def _tcp_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        channel = TcpChannel(reader, writer)
        try:
            await self.attend(channel)
        finally:
            await channel.close()

    async def _websocket_client(self, connection: ServerConnection) -> None:
        if not await self.attend(WebSocketChannel(connection)):
            await connection.close(GOING_AWAY)

    async def run(self) -> None:
        """Wait for the client, check its password, carry bytes; everything is closed in the end."""
        try:
            async with asyncio.timeout(self._options.connect_timeout):
                client = await self._client
            self._stop_listening()
            async with asyncio.timeout(self._options.handshake_timeout):
                await rfb.admit_client(client, self.request.password)
            logger.info("%s: connected", self)
            assert self._guest is not None
            await pump(client, self._guest)
            logger.info("%s: ended", self)
        except TimeoutError:
            logger.info("%s: nobody came in time", self)
        except (ChannelClosed, rfb.RfbError) as error:
            logger.warning("%s: %s", self, error)
        finally:
            await self.close()

    def _stop_listening(self) -> None:
        for server in self._servers:
            if isinstance(server, WebSocketServer):
                server.close(close_connections=False)
            else:
                server.close()

    async def close(self) -> None:
        """End the session, in whatever state it is."""
        if not self._client.done():
            self._client.cancel()
        elif not self._client.cancelled():
            await self._client.result().close()
        self._ended.set()
        for server in self._servers:
            server.close()
        for listener in self._sockets:
            listener.close()
        if self._guest is not None:
            await self._guest.close()


async def _connect(host: str, port: int) -> Channel:
    reader, writer = await asyncio.open_connection(host, port)
    channel = TcpChannel(reader, writer)
    try:
        await rfb.greet_guest(channel)
    except BaseException:
        await channel.close()
        raise
    return channel


async def serve_websocket(
    handler: Callable[[ServerConnection], Any],
    listener: socket.socket,
    options: ProxyOptions,
    *,
    tls: ssl.SSLContext | None,
    process_request: Any = None,
) -> WebSocketServer:
    """Start a WebSocket server for consoles on the bound *listener*."""
    secured: dict[str, Any] = {"ssl_handshake_timeout": options.handshake_timeout} if tls else {}
    return await serve(
        handler,
        sock=listener,
        ssl=tls,
        origins=[Origin(origin) for origin in options.origin] or None,
        select_subprotocol=_select_subprotocol,
        process_request=process_request,
        # Frames are as good as compressed by RFB's own encodings.
        compression=None,
        open_timeout=options.handshake_timeout,
        close_timeout=2,
        max_size=MAX_WEBSOCKET_MESSAGE,
        server_header=None,
        logger=websocket_logger,
        **secured,
    )


def _select_subprotocol(
    _connection: ServerProtocol | ServerConnection, offered: list[Subprotocol] | Any
) -> Subprotocol | None:
    """Take "binary"; clients that offer nothing are taken at their word that they send bytes."""
    if "binary" in offered:
        return Subprotocol("binary")
    if offered:
        raise NegotiationError("only the subprotocol binary is spoken here")
    return None
