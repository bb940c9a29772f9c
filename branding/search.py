"""The search over everything a visitor has; each service answers for its own things (web contract 4.1)."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from branding import navigation
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, ServiceUnavailable

log = logging.getLogger(__name__)

MIN_LENGTH, MAX_LENGTH = 2, 100
#: Hits of one kind that the box under the search field and the page of results show.
FEW, MANY = 5, 50


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found: its name, what tells it from others, where it is.

    ``url`` is empty for what has no page; then ``copy`` (an id, an address) is what one wants from it.
    ``state`` is shown with its colour, in the words of ``state_label`` if there are any.
    """

    title: str
    detail: str = ""
    url: str = ""
    copy: str = ""
    state: str = ""
    state_label: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of things to search; ``find(credentials, text, limit)`` returns at most ``limit`` hits."""

    name: str
    order: int
    label: Any
    icon: str
    find: Callable[[Credentials, str, int], list[Hit]]


@dataclass(frozen=True, slots=True)
class Found:
    """The hits of one kind; ``has_more`` when there are others, ``failed`` when nobody could be asked."""

    name: str
    label: Any
    icon: str
    hits: tuple[Hit, ...]
    has_more: bool = False
    failed: bool = False


_kinds: list[Kind] = []


def provide(kind: Kind) -> None:
    """Let the search find things of *kind*."""
    _kinds.append(kind)


def clean(text: str) -> str:
    """Return what to search for, without space around it; raises ``BadRequest`` for what nobody typed."""
    text = text.strip()
    if len(text) > MAX_LENGTH:
        raise BadRequest(f"q: at most {MAX_LENGTH} characters.")
    if "\0" in text:
        raise BadRequest("q: a NUL character is in no name.")
    return text


def find(request: HttpRequest, credentials: Credentials, *, text: str, limit: int) -> list[Found]:
    """Return what the visitor has that *text* (of ``clean``) is a part of, by kind, and pages.

    The number of queries depends on the kinds, not on what is found. A kind whose system does not answer
    says so and leaves the others alone.
    """
    if len(text) < MIN_LENGTH:
        return []
    found = [_pages(request, text, limit)]
    found += [
        _of_kind(kind, credentials, text, limit) for kind in sorted(_kinds, key=lambda kind: kind.order)
    ]
    return [group for group in found if group.hits or group.failed]


def _of_kind(kind: Kind, credentials: Credentials, text: str, limit: int) -> Found:
    try:
        hits = kind.find(credentials, text, limit + 1)
    except ServiceUnavailable:
        log.warning("search of %s: unavailable", kind.name, exc_info=True)
        return Found(kind.name, kind.label, kind.icon, (), failed=True)
    return Found(kind.name, kind.label, kind.icon, tuple(hits[:limit]), has_more=len(hits) > limit)


def _pages(request: HttpRequest, text: str, limit: int) -> Found:
    wanted = _folded(text)
    hits = [
        Hit(str(link.label), detail=str(group.label), url=link.url)
        for group in navigation.groups(request)
        for link in group.links
        if wanted in _folded(str(link.label))
    ]
    return Found("page", _("Pages"), "home", tuple(hits[:limit]))


def _folded(text: str) -> str:
    """Return *text* without capitals and accents, which people leave out when they are in a hurry."""
    letters = unicodedata.normalize("NFD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
