"""Signed addresses: who holds one may do one thing with one object for a while (contract 22.2)."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from pithos.logic.metadata import USER_DOMAIN
from pithos.models import Attribute, Cluster
from synnefo import clock
from synnefo.errors import Unauthorized

_KEYS = ("Temp-Url-Key", "Temp-Url-Key-2")
_DIGESTS = {40: "sha1", 64: "sha256", 128: "sha512"}
_NAMED = ("sha1", "sha256", "sha512")
_REFUSED = "The signed address is not valid, or not any more."


@dataclass(frozen=True)
class TempUrl:
    """What a signed address says of itself."""

    signature: str
    expires: str
    prefix: str | None = None
    ip_range: str = ""


def check(
    signed: TempUrl,
    *,
    method: str,
    account: str,
    container: str,
    name: str,
    roots: Iterable[str],
    address: str,
) -> None:
    """Raise Unauthorized unless ``signed`` allows ``method`` on the object for a client at ``address``.

    ``roots``: what may stand before ``/AUTH_<account>/…`` in the signed path.
    """
    expires = _moment(signed.expires)
    if expires is None or expires < clock.now() or not _is_inside(address, signed.ip_range):
        raise Unauthorized(_REFUSED)
    if signed.prefix is not None and not name.startswith(signed.prefix):
        raise Unauthorized(_REFUSED)
    target = name if signed.prefix is None else signed.prefix
    lead = "" if signed.prefix is None else "prefix:"
    paths = [f"{lead}{root}/AUTH_{account}/{container}/{target}" for root in roots]
    # Who may read may ask whether it is there.
    methods = ("HEAD", "GET", "PUT", "POST") if method == "HEAD" else (method,)
    good = False
    for message in _messages(methods, signed, paths):
        for key in keys_of(account, container):
            good |= _matches(signed.signature, key, message)
    if not good:
        raise Unauthorized(_REFUSED)


def keys_of(account: str, container: str) -> list[str]:
    """Return the keys that sign addresses of a container: its own and the account's. One query."""
    names = [f"X-{level}-Meta-{key}" for level in ("Account", "Container") for key in _KEYS]
    rows = Attribute.objects.filter(
        domain=USER_DOMAIN, key__in=names, is_latest=True, version__cluster=Cluster.CURRENT
    )
    own = rows.filter(node__parent=None, node__name=account)
    container_rows = rows.filter(node__parent__name=account, node__parent__parent=None, node__name=container)
    return [value for value in own.union(container_rows).values_list("value", flat=True) if value]


def _messages(methods: Iterable[str], signed: TempUrl, paths: Iterable[str]) -> Iterator[str]:
    lead = f"ip={signed.ip_range}\n" if signed.ip_range else ""
    for method in methods:
        for path in paths:
            yield f"{lead}{method}\n{_epoch(signed.expires)}\n{path}"


def _matches(signature: str, key: str, message: str) -> bool:
    name, separator, encoded = signature.partition(":")
    if separator:
        try:
            given = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        except (binascii.Error, ValueError):
            return False
        algorithm = name if name in _NAMED else ""
    else:
        algorithm = _DIGESTS.get(len(signature), "")
        try:
            given = bytes.fromhex(signature)
        except ValueError:
            return False
    if not algorithm:
        return False
    return hmac.compare_digest(hmac.digest(key.encode(), message.encode(), algorithm), given)


def _moment(text: str) -> datetime | None:
    if text.isascii() and text.isdigit() and len(text) <= 11:
        return datetime.fromtimestamp(int(text), UTC)
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _epoch(text: str) -> str:
    """Return the time as it is signed: always as epoch seconds."""
    moment = _moment(text)
    return "" if moment is None else str(int(moment.timestamp()))


def _is_inside(address: str, ip_range: str) -> bool:
    if not ip_range:
        return True
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(ip_range, strict=False)
    except ValueError:
        return False
