"""Headers of Swift's dialect that change something: removals, ends, access lists, policies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

from pithos.api.headers import normalise_key, prefixed
from pithos.api.parameters import path_header
from pithos.logic.acl import parse_acl
from pithos.logic.nodes import Address
from pithos.paths import check_account
from synnefo import clock
from synnefo.errors import BadRequest

_FAR = 10**11
#: What stands before an account's id in this dialect.
PREFIX = "AUTH_"


def with_removals(items: dict[str, str], headers: dict[str, str], level: str) -> dict[str, str]:
    """Return metadata to merge: an empty value for each ``X-Remove-<Level>-Meta-*`` header."""
    removed = prefixed(headers, f"x-remove-{level.lower()}-meta-")
    gone = {f"X-{level}-Meta-{normalise_key(name)}": "" for name in removed if name}
    return {**gone, **items}


def expires_in(headers: dict[str, str]) -> datetime | None:
    """Return when the object is to end, by X-Delete-At or X-Delete-After; raise BadRequest for the past."""
    at, after = headers.get("x-delete-at"), headers.get("x-delete-after")
    if after:
        return clock.now() + timedelta(seconds=_seconds("X-Delete-After", after))
    if not at:
        return None
    moment = datetime.fromtimestamp(_seconds("X-Delete-At", at), UTC)
    if moment <= clock.now():
        raise BadRequest("X-Delete-At is in the past.")
    return moment


def _seconds(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 11 or int(text) >= _FAR:
        raise BadRequest(f"{name} must be a number of seconds.")
    return int(text)


def policies_in(headers: dict[str, str]) -> dict[str, str]:
    """Return the container policies that Swift's clients know under names of their own."""
    policy: dict[str, str] = {}
    quota = headers.get("x-container-meta-quota-bytes")
    if quota is not None:
        policy["quota"] = quota or "0"
    if "x-remove-container-meta-quota-bytes" in headers:
        policy["quota"] = "0"
    enabled = headers.get("x-versions-enabled")
    if enabled is not None:
        policy["versioning"] = "auto" if enabled.lower() in ("true", "1", "yes", "on") else "none"
    return policy


def address_in(value: str | None, header: str, account: str) -> Address:
    """Return the address in a header; the leading slash may be missing, and escapes are undone once more."""
    text = unquote(value or "").lstrip("/")
    return path_header(f"/{text}", header, check_account(account.removeprefix(PREFIX)))


def access_lists_in(headers: dict[str, str]) -> dict[str, str]:
    """Return the access lists to set, by column; an empty list takes access away."""
    lists: dict[str, str] = {}
    for name, column in (("read", "read_acl"), ("write", "write_acl")):
        text = headers.get(f"x-container-{name}")
        if text is not None:
            lists[column] = parse_acl(text, for_reading=name == "read")
        elif f"x-remove-container-{name}" in headers:
            lists[column] = ""
    return lists
