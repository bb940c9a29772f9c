"""One action on many rows of a list: each on its own, and what became of each (web contract 6.3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from astakos.web.access import is_fragment, part_of_page
from branding.fault_texts import text_of
from synnefo.errors import BadRequest, SynnefoError
from synnefo.texts import sentence

#: Rows that one request changes.
MAX_ROWS = 500
#: Seconds after which one request begins with no further row: a thread of the server is not held for minutes.
LONGEST = 10.0
_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row; *reason* says why it failed, *left* that its turn did not come."""

    id: int
    label: str
    done: bool
    reason: str = ""
    left: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What became of all rows; those that failed and those that are left are offered again."""

    outcomes: tuple[Outcome, ...]

    @property
    def done(self) -> int:
        """Return how many rows were done."""
        return sum(outcome.done for outcome in self.outcomes)

    @property
    def left(self) -> int:
        """Return for how many rows there was no time."""
        return sum(outcome.left for outcome in self.outcomes)

    @property
    def failed(self) -> int:
        """Return how many rows could not be done."""
        return len(self.outcomes) - self.done - self.left

    @property
    def status(self) -> int:
        """Return the status of the answer that shows what was not done."""
        return 409 if self.failed else 200

    def context(self, *, action: str, reason: str) -> dict[str, Any]:
        """Give the list of outcomes what it shows and asks for again."""
        return {
            "outcomes": self.outcomes,
            "failed": self.failed,
            "left": self.left,
            "retry_action": action,
            "retry_reason": reason,
        }


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


def confirm(
    request: HttpRequest,
    *,
    title: str,
    action: str,
    field: str,
    items: Sequence[tuple[int, str]],
    back: str,
    danger: bool,
) -> HttpResponse:
    """Ask once more before *action*, and for a reason; *field* has the (id, label) of *items* again."""
    context = {
        "title": title,
        "button": title,
        "action": action,
        "address": request.path,
        "items": items,
        "field": field,
        "danger": danger,
        "with_reason": True,
        "back": back,
    }
    if is_fragment(request):
        return part_of_page(request, "astakos/projects/confirm_form.html", context)
    return render(request, "astakos/projects/confirm.html", context)


def perform(items: Iterable[tuple[int, str]], act: Callable[[int], object]) -> Report:
    """Do *act* with each of *items*, (id, label), as far as ``LONGEST`` seconds reach; at least with one."""
    outcomes: list[Outcome] = []
    end = time.monotonic() + LONGEST
    for pk, label in items:
        if outcomes and time.monotonic() > end:
            outcomes.append(Outcome(pk, label, False, left=True))
            continue
        try:
            act(pk)
        except SynnefoError as error:
            outcomes.append(Outcome(pk, label, False, text_of(error)))
        else:
            outcomes.append(Outcome(pk, label, True))
    return Report(tuple(outcomes))
