"""One action on many rows of a list: each on its own, and what became of each (web contract 6.3)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from django.http import HttpRequest

from branding.fault_texts import text_of
from synnefo.errors import BadRequest, SynnefoError
from synnefo.texts import sentence

#: Rows that one request changes.
MAX_ROWS = 500
_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row; *reason* says why it failed."""

    id: int
    label: str
    done: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a bulk bar asks for; ``everything`` means all rows of the list, ``ids`` are the chosen ones."""

    action: str
    ids: tuple[int, ...]
    everything: bool
    confirmed: bool


def wanted_of(request: HttpRequest, *, field: str, actions: Collection[str]) -> Wanted:
    """Read the form of a bulk bar; *field* has the rows. Raises ``BadRequest``."""
    action, ids = request.POST.get("action", ""), request.POST.getlist(field)
    if action not in actions:
        raise BadRequest("Choose what is to be done with the selected rows")
    if len(ids) > MAX_ROWS or not all(map(_is_number, ids)):
        raise BadRequest(sentence("Choose at most %(limit)s rows by their numbers", limit=MAX_ROWS))
    return Wanted(
        action,
        tuple(map(int, ids)),
        everything=request.POST.get("everything") == "1",
        confirmed=request.POST.get("confirmed") == "1",
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS


def perform(items: Iterable[tuple[int, str]], act: Callable[[int], object]) -> list[Outcome]:
    """Do *act* with each of *items*, (id, label)."""
    outcomes = []
    for pk, label in items:
        try:
            act(pk)
        except SynnefoError as error:
            outcomes.append(Outcome(pk, label, False, text_of(error)))
        else:
            outcomes.append(Outcome(pk, label, True))
    return outcomes
