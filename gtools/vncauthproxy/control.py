"""The control protocol: one JSON object each way over one connection (compute contract 8.3).

The request has no frame: it ends where its object ends, which a line break may follow.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

#: Longest request and longest reply, in bytes.
MAX_MESSAGE = 1024
#: Longest host name there is.
_MAX_ADDRESS = 255
_FIELDS = (
    "source_port",
    "destination_address",
    "destination_port",
    "password",
    "auth_user",
    "auth_password",
    "type",
)


class ConsoleKind(StrEnum):
    """How the end client speaks RFB: over TCP, WebSocket or WebSocket in TLS."""

    VNC = "vnc"
    VNC_WS = "vnc-ws"
    VNC_WSS = "vnc-wss"


class ControlError(Exception):
    """The request can't be granted; ``told`` goes into the reply, the text into the log."""

    def __init__(self, text: str, *, told: str = "") -> None:
        super().__init__(text)
        self.told = told


@dataclass(frozen=True)
class ForwardRequest:
    """A request to lend an instance's screen.

    source_port: where to listen, 0 for any free port of the pool. destination: host and port of the
    instance's own VNC server. password: what the end client must know.
    """

    source_port: int
    destination: tuple[str, int]
    password: str
    user: str
    user_password: str
    kind: ConsoleKind


def is_complete(data: bytes) -> bool:
    """Tell whether *data* holds a whole request; what can't become one counts as whole."""
    text = data.decode("utf-8", errors="replace").lstrip()
    if not text:
        return len(data) >= MAX_MESSAGE
    if not text.startswith("{") or len(data) >= MAX_MESSAGE:
        return True
    try:
        json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return True


def parse(data: bytes) -> ForwardRequest:
    """Return the request that *data* holds; raises ``ControlError``."""
    if len(data) > MAX_MESSAGE:
        raise ControlError("the request is too long")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ControlError("the request is no JSON") from error
    if not isinstance(body, dict):
        raise ControlError("the request is no object")
    missing = [name for name in _FIELDS if name not in body]
    if missing:
        raise ControlError(f"fields are missing: {', '.join(missing)}")
    return ForwardRequest(
        source_port=_port(body, "source_port", minimum=0),
        destination=(_text(body, "destination_address", _MAX_ADDRESS), _port(body, "destination_port")),
        password=_text(body, "password"),
        user=_text(body, "auth_user"),
        user_password=_text(body, "auth_password"),
        kind=_kind(body["type"]),
    )


def _port(body: dict[str, Any], name: str, *, minimum: int = 1) -> int:
    value = body[name]
    # Older clients send numbers as text.
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 5:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= 65535:
        raise ControlError(f"{name} is no port number")
    return value


def _text(body: dict[str, Any], name: str, longest: int = MAX_MESSAGE) -> str:
    value = body[name]
    if not isinstance(value, str) or not value or len(value) > longest or not value.isprintable():
        raise ControlError(f"{name} is no usable text")
    return value


def _kind(value: object) -> ConsoleKind:
    try:
        return ConsoleKind(str(value))
    except ValueError:
        raise ControlError("unknown type", told="Unknown proxy type") from None


def granted(port: int, address: str, websocket_url: str = "") -> bytes:
    """Return the reply to a granted request; *websocket_url* is where a browser may come instead."""
    reply: dict[str, object] = {"source_port": port, "status": "OK", "proxy_address": address}
    if websocket_url:
        reply["websocket_url"] = websocket_url
    return json.dumps(reply).encode()


def refused(error: ControlError) -> bytes:
    """Return the reply to a request that is not granted."""
    reply: dict[str, object] = {"source_port": 0, "status": "FAILED", "proxy_address": None}
    if error.told:
        reply["reason"] = error.told
    return json.dumps(reply).encode()
