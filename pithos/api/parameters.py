"""Query parameters and the parts of the path, checked (object-storage contract 2, 6)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.http import HttpRequest

from pithos.api.headers import normalise_key
from pithos.logic.aliases import account_of
from pithos.logic.listings import MetaTerm
from pithos.logic.nodes import Address
from pithos.paths import check_account, check_container, check_object
from synnefo.errors import BadRequest

_INTEGER = re.compile(r"[0-9]{1,18}", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{0,18})?", re.ASCII)
_TERM = re.compile(r"\s*([^!=<>\s][^!=<>]*?)\s*(!=|<=|>=|=|<|>)\s*([^\s,]+)\s*")
_LAST_YEAR = 9999


def text(request: HttpRequest, name: str) -> str:
    """Return a query parameter, "" if absent; raise BadRequest for what no column can hold."""
    value = request.GET.get(name, "")
    if "\0" in value or len(value) > 4096:
        raise BadRequest(f"The parameter {name} is too long or contains a NUL character.")
    return value


def flag(request: HttpRequest, name: str) -> bool:
    """Tell whether a parameter is present; clients give flags any value or none."""
    return name in request.GET


def limit(request: HttpRequest) -> int:
    """Return the size of a listing's page; anything unusable means the largest."""
    largest: int = settings.PITHOS_API_LIST_LIMIT
    value = text(request, "limit")
    number = int(value) if _INTEGER.fullmatch(value) else 0
    return min(number, largest) if number > 0 else largest


def until_for_reading(request: HttpRequest) -> datetime | None:
    """Return the moment in the past that a reading request asks about; what is no time counts as absent."""
    value = text(request, "until")
    return _moment(value) if _DECIMAL.fullmatch(value) else None


def until_for_purging(request: HttpRequest) -> datetime | None:
    """Return until when history is to be purged.

    Clients send a fraction or a name here and mean a plain delete, so only digits count (contract 5.5).
    """
    value = text(request, "until")
    return _moment(value) if _INTEGER.fullmatch(value) else None


def _moment(value: str) -> datetime:
    seconds, _, fraction = value.partition(".")
    try:
        whole = datetime.fromtimestamp(int(seconds), UTC)
    except (OverflowError, ValueError, OSError):
        return datetime(_LAST_YEAR, 12, 31, tzinfo=UTC)
    return whole.replace(microsecond=int(fraction[:6].ljust(6, "0")) if fraction else 0)


def check_path(request: HttpRequest) -> None:
    """Raise BadRequest if the request's path is not UTF-8; Django would have escaped it silently."""
    # Django replaces PATH_INFO by its repaired form; the server keeps the request line.
    raw = str(request.META.get("RAW_URI", "")).partition("?")[0]
    try:
        unquote_to_bytes(raw).decode("utf-8")
    except UnicodeError:
        raise BadRequest("The path is not UTF-8.") from None


def account_name(request: HttpRequest, account: str) -> str:
    """Return the account of the path, checked; raise NotFound for an alias of nobody."""
    check_path(request)
    return account_of(check_account(account))


def container_name(request: HttpRequest, account: str, container: str) -> tuple[str, str]:
    """Return account and container of the path, checked."""
    return account_name(request, account), check_container(container)


def address(request: HttpRequest, account: str, container: str, name: str) -> Address:
    """Return the object's address, checked."""
    return Address(account_name(request, account), check_container(container), check_object(name))


def path_header(value: str | None, header: str, account: str) -> Address:
    """Return the address written in a header such as ``Destination: /container/object``."""
    if not value or not value.startswith("/"):
        raise BadRequest(f"The header {header} must look like /container/object.")
    container, _, name = value[1:].partition("/")
    return Address(account_of(check_account(account)), check_container(container), check_object(name))


def meta_terms(value: str) -> tuple[MetaTerm, ...]:
    """Return the conditions of a ``meta`` parameter; what is not understood is ignored."""
    terms: list[MetaTerm] = []
    for part in value.split(",")[:32]:
        stripped = part.strip()
        match = _TERM.fullmatch(part)
        if match:
            terms.append(MetaTerm(_stored(match.group(1)), match.group(2), match.group(3)))
        elif stripped.startswith("!") and not re.search(r"[=<>!]", stripped[1:]) and stripped[1:].strip():
            terms.append(MetaTerm(_stored(stripped[1:].strip()), "!"))
        elif stripped and not re.search(r"[=<>!]", stripped):
            terms.append(MetaTerm(_stored(stripped), ""))
    return tuple(terms)


def _stored(key: str) -> str:
    return f"X-Object-Meta-{normalise_key(key)}"
