"""What notifications say in the reader's language; each service registers its kinds (web contract 4.1)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from synnefo.notifications import Note

#: Returns the address of what a note is about, empty for what has no page.
Address = Callable[[Note], str]


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind reads: a look, a text with ``%(name)s`` fields for the note's details, where it leads."""

    name: str
    tone: str
    text: Any
    address: Address = lambda note: ""


@dataclass(frozen=True, slots=True)
class ShownNote:
    """A notification as a reader sees it."""

    id: int
    kind: str
    tone: str
    text: str
    url: str
    created: dt.datetime
    is_read: bool


class _Details(dict[str, Any]):
    """The details of an older release may lack a field that today's text names."""

    def __missing__(self, key: str) -> str:
        return "–"


_kinds: dict[str, Kind] = {}


def provide(kind: Kind) -> None:
    """Register the text of a kind."""
    _kinds[kind.name] = kind


def kinds() -> dict[str, Kind]:
    """Return all kinds by name."""
    return dict(_kinds)


def shown(note: Note) -> ShownNote:
    """Return *note* in the language of the request; a kind nobody registered still says what it is about."""
    kind = _kinds.get(note.kind)
    if kind is None:
        text, tone, url = _("News of %(target)s") % {"target": note.target}, "info", ""
    else:
        text, tone, url = str(kind.text) % _Details(note.details), kind.tone, kind.address(note)
    return ShownNote(note.id, note.kind, tone, text, url, note.created, note.is_read)
