"""The address of the page that shows a console (compute contract 8.4).

What the server must know (host, port, name) is in the query, what opens the console is in the fragment,
which browsers send to nobody. The place is signed, so that no stranger's link can put another screen into
our page unasked.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from django.conf import settings
from django.core import signing

from cyclades.logic.console import Console

_SALT = "cyclades.console"
#: Seconds in which a signed address connects by itself; the proxy waits less for its client.
_SIGNED_SECONDS = 120
_HOST = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*", re.I
)


@dataclass(frozen=True)
class Place:
    """Where the page's WebSocket leads."""

    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> str:
        """The place as an address without a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def policy_source(self) -> str:
        """The place as a source of a content security policy, which can't name IPv6 addresses."""
        return f"{self.scheme}:" if ":" in self.host else self.origin


def page_address(console: Console) -> str:
    """Return the address of the page that shows *console*; its secret parts are in the fragment."""
    place, path = _place_of(console)
    public = {
        "host": place.host,
        "port": str(place.port),
        "type": "vnc-ws" if place.scheme == "ws" else "vnc-wss",
        "machine": console.server_name,
        "signature": signing.dumps(place.origin, salt=_SALT),
    }
    secret = {"password": console.password, **({"path": path} if path else {})}
    base = settings.CYCLADES_BASE_URL.rstrip("/")
    return f"{base}/ui/machines/console?{urlencode(public, quote_via=quote)}#{urlencode(secret)}"


def _place_of(console: Console) -> tuple[Place, str]:
    if console.websocket_url:
        url = urlsplit(console.websocket_url)
        default = 443 if url.scheme == "wss" else 80
        return Place(url.scheme, url.hostname or "", url.port or default), url.path
    return Place("ws" if console.kind == "vnc-ws" else "wss", console.host, console.port), ""


def place_in(query: Mapping[str, str]) -> Place | None:
    """Return the place that a page's *query* names, ``None`` when it names none."""
    host, port = query.get("host", "").strip("[]"), query.get("port", "")
    if not (_HOST.fullmatch(host) or _is_address(host)) or not (port.isascii() and port.isdigit()):
        return None
    if not 0 < int(port[:6]) < 65536:
        return None
    return Place("ws" if query.get("type") == "vnc-ws" else "wss", host, int(port))


def is_signed(place: Place, query: Mapping[str, str]) -> bool:
    """Tell whether we made the address that names *place*, just now."""
    try:
        signed = signing.loads(query.get("signature", "")[:1000], salt=_SALT, max_age=_SIGNED_SECONDS)
    except signing.BadSignature:
        return False
    return bool(signed == place.origin)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host
