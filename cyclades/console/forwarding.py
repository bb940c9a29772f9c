"""The client of the console proxy's control protocol (compute contract 8.3)."""

from __future__ import annotations

import json
import socket
import ssl
import time
from dataclasses import dataclass

from cyclades.console.proxies import ProxyServer

_TRIES = 5
_PAUSE = 0.2
#: Seconds for each step. The proxy itself gives up on a guest after its own --server-timeout.
TIMEOUT = 60.0
_CONNECT_TIMEOUT = 5.0
_MAX_REPLY = 1024


class ForwardingRefused(Exception):
    """The proxy answered no; the text is for logs."""


class ProxyUnavailable(Exception):
    """The proxy could not be asked, or its answer is none; the text is for logs."""


@dataclass(frozen=True)
class Forwarding:
    """Where the end client finds the screen. websocket_url: where a browser may come instead, or empty."""

    host: str
    port: int
    websocket_url: str = ""


def request_forwarding(
    proxy: ProxyServer, *, destination: tuple[str, int], password: str, kind: str
) -> Forwarding:
    """Ask *proxy* to lend the screen at *destination* to who knows *password*.

    kind: ``vnc``, ``vnc-ws`` or ``vnc-wss``. Raises ``ForwardingRefused`` or ``ProxyUnavailable``.
    """
    body = {
        "source_port": 0,
        "destination_address": destination[0],
        "destination_port": destination[1],
        "password": password,
        "auth_user": proxy.auth_user,
        "auth_password": proxy.auth_password,
        "type": kind,
    }
    try:
        with _connect(proxy) as connection:
            connection.settimeout(TIMEOUT)
            connection.sendall(json.dumps(body).encode())
            data = _receive(connection)
    except (OSError, ssl.SSLError) as error:
        raise ProxyUnavailable(f"{proxy.server_address}:{proxy.server_port}: {error}") from error
    return _parse(data)


def _connect(proxy: ProxyServer) -> socket.socket:
    address = (proxy.server_address, proxy.server_port)
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE)
        try:
            plain = socket.create_connection(address, timeout=_CONNECT_TIMEOUT)
            break
        except ConnectionRefusedError:
            # It may be about to start; other failures took their time already.
            if attempt == _TRIES - 1:
                raise
    if not proxy.enable_ssl:
        return plain
    try:
        return _tls_context(proxy).wrap_socket(plain, server_hostname=proxy.server_address)
    except BaseException:
        plain.close()
        raise


def _tls_context(proxy: ProxyServer) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=proxy.ca_cert)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not proxy.strict:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _receive(connection: socket.socket) -> bytes:
    data = b""
    while len(data) <= _MAX_REPLY:
        more = connection.recv(_MAX_REPLY + 1 - len(data))
        if not more:
            break
        data += more
        # Some proxies leave the connection open until the client closes it.
        if data.rstrip().endswith(b"}"):
            break
    return data


def _parse(data: bytes) -> Forwarding:
    try:
        reply = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ProxyUnavailable("the proxy's reply is no JSON") from error
    if not isinstance(reply, dict):
        raise ProxyUnavailable("the proxy's reply is no object")
    if reply.get("status") != "OK":
        raise ForwardingRefused(str(reply.get("reason") or "no reason given")[:200])
    port, host, url = reply.get("source_port"), reply.get("proxy_address"), reply.get("websocket_url")
    if not isinstance(port, int) or not 0 < port < 65536:
        raise ProxyUnavailable("the proxy's reply names no port")
    return Forwarding(
        host if isinstance(host, str) and host else socket.getfqdn(),
        port,
        url if isinstance(url, str) else "",
    )
