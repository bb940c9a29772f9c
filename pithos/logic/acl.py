"""Who may read or write a whole container, in Swift's notation (object-storage contract 22.2).

An element is ``.r:*`` (everybody, without a token), ``.rlistings`` (whoever may read may list), an account,
``account:user``, ``*:user``, ``account:*`` or ``*:*``. Users are accounts of their own here, and projects are
accounts of their members. ``.r:host`` and ``.r:.domain`` let in who says that he comes from there,
``.r:-host`` keeps him out, and the last one that fits decides: this tells pages apart, not people.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pithos.models import ContainerPolicy
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest

#: Who calls without a token. Grants of objects, ``*`` included, are for users and do not reach him.
ANONYMOUS = Credentials(user_id="")


@dataclass(frozen=True, slots=True)
class ReferredCredentials(Credentials):
    """Who calls from another site's page, whose address his browser tells."""

    referrer: str = ""


MAX_ACL = 2048
_PREFIX = "AUTH_"
_REFERRERS = (".r:", ".ref:", ".referer:", ".referrer:")
_LISTINGS = ".rlistings"


def parse_acl(header: str, *, for_reading: bool) -> str:
    """Return the elements of a header in their kept form; raise BadRequest."""
    elements = [_element(item.strip(), for_reading) for item in header.split(",") if item.strip()]
    text = ",".join(elements)
    if len(text) > MAX_ACL:
        raise BadRequest(f"An access list has at most {MAX_ACL} characters.")
    return text


def _element(item: str, for_reading: bool) -> str:
    if not item.isprintable() or " " in item:
        raise BadRequest("An access list's elements hold no spaces.")
    if not item.startswith("."):
        return item
    if not for_reading:
        raise BadRequest("X-Container-Write names users, not referrers.")
    if item == _LISTINGS:
        return item
    for prefix in _REFERRERS:
        if item.startswith(prefix):
            sign = "-" if item.startswith(f"{prefix}-") else ""
            host = item[len(prefix) + len(sign) :]
            host = host[1:] if len(host) > 1 and host.startswith("*") else host
            if host and host != ".":
                return f".r:{sign}{host}"
    raise BadRequest(f"The access list has an unknown element {item[:64]!r}.")


def may_read(credentials: Credentials, account: str, container: str) -> bool:
    """Tell whether the container's access list lets the caller read objects. One query."""
    elements = _elements(account, container, "read_acl")
    return _lets_in(credentials, elements) or _names(credentials, elements)


def may_list(credentials: Credentials, account: str, container: str) -> bool:
    """Tell whether the container's access list lets the caller see its listing. One query."""
    elements = _elements(account, container, "read_acl")
    return (_LISTINGS in elements and _lets_in(credentials, elements)) or _names(credentials, elements)


def may_write(credentials: Credentials, account: str, container: str) -> bool:
    """Tell whether the container's access list lets the caller write objects. One query."""
    return _names(credentials, _elements(account, container, "write_acl"))


def _elements(account: str, container: str, column: str) -> list[str]:
    texts = ContainerPolicy.objects.filter(
        node__name=container, node__parent__name=account, node__parent__parent__isnull=True
    ).values_list(column, flat=True)
    return [item for text in texts for item in text.split(",") if item]


def _lets_in(credentials: Credentials, elements: Sequence[str]) -> bool:
    """Tell what the referrers among ``elements`` say; the last that fits decides."""
    host = _host(credentials.referrer) if isinstance(credentials, ReferredCredentials) else ""
    allowed = False
    for element in elements:
        if element.startswith(".r:"):
            pattern = element.removeprefix(".r:").removeprefix("-").lower()
            if pattern in ("*", host) or (pattern.startswith(".") and host.endswith(pattern)):
                allowed = not element.startswith(".r:-")
    return allowed


def _host(referrer: str) -> str:
    try:
        return (urlsplit(referrer).hostname or "").lower()
    except ValueError:
        return ""


def _names(credentials: Credentials, elements: Sequence[str]) -> bool:
    # Who follows a public link is called "*" and is no user either.
    return credentials.user_id not in ("", "*") and not set(elements).isdisjoint(_spellings(credentials))


def _spellings(credentials: Credentials) -> Iterator[str]:
    user = credentials.user_id
    yield from ("*:*", f"*:{user}")
    for name in (user, *credentials.projects):
        for account in (name, _PREFIX + name):
            yield from (account, f"{account}:*", f"{account}:{user}")
