"""Where an OAuth2 client's answers may go: one spelling per address, prefixes by path segment.

Two addresses are compared in their normal form (RFC 3986, 6.2), so that no other spelling of a registered
address is refused and no address that a browser understands otherwise gets through (identity contract 1.9).
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urlsplit

from django.conf import settings

from synnefo.errors import BadRequest

_DEFAULT_PORTS = {"http": 80, "https": 443}
#: Schemes that browsers run, or read from the user's disk.
_DANGEROUS = frozenset(
    {"javascript", "data", "vbscript", "file", "blob", "about", "filesystem", "view-source"}
)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*\Z")
_HOST = re.compile(r"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?\Z")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
#: Left as they are where they stand unescaped; anything else is escaped.
_PATH_SAFE = "/:@!$&'()*+,;=%"
_QUERY_SAFE = _PATH_SAFE + "?"


def normalise(uri: str) -> str:
    """Return the normal form of an absolute *uri*; raises ``BadRequest`` for one no answer may go to."""
    limit = settings.OAUTH2_MAXIMUM_ALLOWED_REDIRECT_URI_LENGTH
    if not uri or len(uri) > limit:
        raise BadRequest(f"'redirect_uri' must have 1 to {limit} characters")
    if not uri.isprintable() or " " in uri or "\\" in uri or _BAD_ESCAPE.search(uri):
        raise BadRequest("'redirect_uri' is not a URI")
    try:
        uri.encode()
        parts = urlsplit(uri)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise BadRequest("'redirect_uri' is not a URI") from None
    if not _SCHEME.match(parts.scheme) or parts.scheme in _DANGEROUS:
        raise BadRequest("'redirect_uri' must be absolute")
    if parts.fragment or "#" in uri:
        raise BadRequest("'redirect_uri' must have no fragment")
    if parts.scheme in _DEFAULT_PORTS and not _starts_with_host(uri, parts.scheme, host):
        raise BadRequest("'redirect_uri' must be absolute")
    if parts.netloc and not _HOST.match(parts.netloc):
        raise BadRequest("'redirect_uri' must name a plain host")
    netloc = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS.get(parts.scheme):
        netloc += f":{port}"
    path = _path(parts.path, has_host=bool(netloc))
    query = f"?{_escaped(parts.query, _QUERY_SAFE)}" if parts.query else ""
    return f"{parts.scheme}:{'//' + netloc if netloc else ''}{path}{query}"


def _starts_with_host(uri: str, scheme: str, host: str) -> bool:
    rest = uri[len(scheme) :]
    return bool(host) and rest.startswith("://") and not rest.startswith(":///")


def _escaped(text: str, safe: str) -> str:
    """Return *text* with escapes in capitals, without needless ones, and with those it lacks."""

    def canonical(match: re.Match[str]) -> str:
        char = chr(int(match[1], 16))
        return char if char in _UNRESERVED else match[0].upper()

    return quote(_ESCAPE.sub(canonical, text), safe=safe)


def _path(path: str, *, has_host: bool) -> str:
    escaped = _escaped(path, _PATH_SAFE)
    if not has_host:
        return escaped
    kept: list[str] = []
    segments = escaped.split("/")[1:]
    for number, segment in enumerate(segments):
        is_last = number == len(segments) - 1
        if segment in (".", ".."):
            if segment == ".." and kept:
                kept.pop()
            if is_last:
                kept.append("")
        else:
            kept.append(segment)
    # A server that decodes slashes first would climb where we saw a name.
    if any(part in (".", "..") for part in re.split(r"[/\\]", unquote("/".join(kept)))):
        raise BadRequest("'redirect_uri' has dot segments behind escaped slashes")
    return "/" + "/".join(kept)


def matches(uri: str, registered: str) -> bool:
    """Tell whether *uri* is the *registered* address or below it; both in normal form."""
    return uri == registered or uri.startswith(registered.rstrip("/") + "/")


def with_parameters(uri: str, parameters: str) -> str:
    """Return *uri* with encoded *parameters* behind the query it has."""
    return f"{uri}{'&' if '?' in uri else '?'}{parameters}"
