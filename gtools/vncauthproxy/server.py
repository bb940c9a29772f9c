"""The console proxy: answers Cyclades' requests and keeps the sessions they open (compute contract 8.3)."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import http
import logging
import ssl
from typing import Any

from websockets.asyncio.server import Server as WebSocketServer
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from gtools.vncauthproxy import control
from gtools.vncauthproxy.accounts import Accounts
from gtools.vncauthproxy.channels import WebSocketChannel
from gtools.vncauthproxy.control import ConsoleKind, ControlError, ForwardRequest
from gtools.vncauthproxy.listeners import NoFreePort, PortPool, bind
from gtools.vncauthproxy.options import OptionsError, ProxyOptions
from gtools.vncauthproxy.session import GOING_AWAY, Session, serve_websocket

logger = logging.getLogger("snf-vncauthproxy")


class Proxy:
    """The daemon's whole state; start it once, in a running loop."""

    def __init__(self, options: ProxyOptions) -> None:
        self.options = options
        self._accounts = Accounts(options.auth_file)
        self._ports = PortPool(options.proxy_listen_address, options.min_port, options.max_port)
        self._sessions: set[Session] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._requests: set[asyncio.Task[Any]] = set()
        self._control: asyncio.Server | None = None
        self._websocket: WebSocketServer | None = None
        self._control_tls: ssl.SSLContext | None = None
        self._client_tls: ssl.SSLContext | None = None

    @property
    def sessions(self) -> int:
        """How many screens are lent, or waiting for their client."""
        return len(self._sessions)

    @property
    def control_port(self) -> int:
        """The port that requests come to."""
        assert self._control is not None
        return int(self._control.sockets[0].getsockname()[1])

    # -- life cycle ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Read the files and listen; raises ``AccountsError``, ``OptionsError`` and ``OSError``."""
        options = self.options
        count = self._accounts.load()
        self._prepare_tls()
        self._control = await asyncio.start_server(
            self._answer, options.listen_address, options.listen_port, ssl=self._control_tls
        )
        if options.websocket_port is not None:
            await self._serve_browsers(options.websocket_port)
        logger.info("%d users; requests at %s:%d", count, options.listen_address, self.control_port)

    def _prepare_tls(self) -> None:
        options = self.options
        if options.enable_ssl:
            self._control_tls = _tls_context()
        client_files = options.client_cert_file or options.cert_file
        if client_files.exists():
            self._client_tls = _tls_context()
        self._load_certificates()

    def _load_certificates(self) -> None:
        options = self.options
        if self._control_tls is not None:
            self._control_tls.load_cert_chain(options.cert_file, options.key_file)
        if self._client_tls is not None:
            certificate = options.client_cert_file or options.cert_file
            key = options.client_key_file or (None if options.client_cert_file else options.key_file)
            self._client_tls.load_cert_chain(certificate, key)

    def reload(self) -> None:
        """Read users and certificates anew; raises as ``start``, and what was read before goes on."""
        self._accounts.load()
        self._load_certificates()
        logger.info("users and certificates were read anew")

    async def stop(self) -> None:
        """End everything."""
        for server in (self._control, self._websocket):
            if server is not None:
                server.close()
        # Requests first: one of them may be about to open a session.
        for tasks in (self._requests, self._tasks):
            pending = list(tasks)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    # -- requests --------------------------------------------------------------------------------------

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._requests) >= self.options.max_requests:
            logger.warning("too many requests at a time; one was turned away")
            writer.close()
            return
        task = asyncio.current_task()
        assert task is not None
        self._requests.add(task)
        try:
            writer.write(await self._reply(reader))
            await asyncio.wait_for(writer.drain(), self.options.handshake_timeout)
        except (OSError, TimeoutError):
            logger.info("a requester went away")
        finally:
            self._requests.discard(task)
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 2)

    async def _reply(self, reader: asyncio.StreamReader) -> bytes:
        try:
            request = control.parse(await self._read_request(reader))
            await self._authenticate(request)
            session = await self._open(request)
        except ControlError as error:
            logger.warning("refused: %s", error)
            return control.refused(error)
        options = self.options
        url = ""
        if self._websocket is not None and request.kind is not ConsoleKind.VNC:
            url = f"{options.websocket_url.rstrip('/')}/{session.ticket}"
        return control.granted(session.port, options.public_address, url)

    async def _read_request(self, reader: asyncio.StreamReader) -> bytes:
        data = b""
        try:
            async with asyncio.timeout(self.options.handshake_timeout):
                while not control.is_complete(data):
                    more = await reader.read(control.MAX_MESSAGE + 1 - len(data))
                    if not more:
                        break
                    data += more
        except TimeoutError as error:
            raise ControlError("the request did not come in time") from error
        return data

    async def _authenticate(self, request: ForwardRequest) -> None:
        # Hashing takes milliseconds of computing, during which screens should go on.
        known = await asyncio.to_thread(self._accounts.verify, request.user, request.user_password)
        if not known:
            raise ControlError(
                f"user {request.user[:40]!r} is unknown or has another password", told="Authentication failed"
            )

    async def _open(self, request: ForwardRequest) -> Session:
        if len(self._sessions) >= self.options.max_sessions:
            raise ControlError(f"all {self.options.max_sessions} sessions are in use")
        tls = self._client_tls if request.kind is ConsoleKind.VNC_WSS else None
        if request.kind is ConsoleKind.VNC_WSS and tls is None:
            raise ControlError("vnc-wss needs a certificate", told="vnc-wss needs a certificate")
        try:
            port, sockets = self._ports.take(request.source_port)
        except NoFreePort as error:
            raise ControlError(str(error)) from error
        session = Session(request, port=port, sockets=sockets, options=self.options, tls=tls)
        self._sessions.add(session)
        try:
            await session.open()
        except BaseException as error:
            await session.close()
            self._forget(session)
            if isinstance(error, OSError):
                raise ControlError(f"{session}: {error}") from error
            raise
        task = asyncio.create_task(self._run(session))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return session

    async def _run(self, session: Session) -> None:
        try:
            await session.run()
        finally:
            self._forget(session)

    def _forget(self, session: Session) -> None:
        self._sessions.discard(session)
        self._ports.give_back(session.port)

    # -- browsers at one address -----------------------------------------------------------------------

    async def _serve_browsers(self, port: int) -> None:
        options = self.options
        tls = None if options.websocket_plain else self._client_tls
        if tls is None and not options.websocket_plain:
            raise OptionsError("--websocket-port needs a certificate, or --websocket-plain")
        (listener,) = bind(options.websocket_address, port)
        self._websocket = await serve_websocket(
            self._browser, listener, options, tls=tls, process_request=self._check_path
        )

    @property
    def websocket_port(self) -> int:
        """The port that all browsers come to."""
        assert self._websocket is not None
        return int(next(iter(self._websocket.sockets)).getsockname()[1])

    def _session_at(self, path: str) -> Session | None:
        ticket = path.partition("?")[0].rstrip("/").rpartition("/")[2]
        found = None
        for session in self._sessions:
            if hmac.compare_digest(session.ticket.encode(), ticket.encode()):
                found = session
        return found if found and found.request.kind is not ConsoleKind.VNC else None

    def _check_path(self, connection: ServerConnection, request: Request) -> Response | None:
        if self._session_at(request.path) is None:
            return connection.respond(http.HTTPStatus.NOT_FOUND, "There is no such console.\n")
        return None

    async def _browser(self, connection: ServerConnection) -> Any:
        request = connection.request
        session = self._session_at(request.path) if request else None
        if session is None or not await session.attend(WebSocketChannel(connection)):
            await connection.close(GOING_AWAY)


def _tls_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
