"""``name:<regular expression>`` and ``id:<id>`` on the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Choice:
    """One selector; exactly one of the two is set."""

    name: re.Pattern[str] | None = None
    id: str | None = None

    def fits(self, item: Mapping[str, Any]) -> bool:
        """Whether an item with ``id`` and ``name`` is meant."""
        if self.name is not None:
            return self.name.search(str(item["name"])) is not None
        return str(item["id"]) == self.id


def parse_choice(text: str) -> Choice:
    """Read one selector; raises ``ValueError`` with a text for people."""
    kind, colon, value = text.strip().partition(":")
    if not colon or not value or kind not in ("name", "id"):
        raise ValueError(f"'{text}' must be name:<regular expression> or id:<id>")
    if kind == "id":
        return Choice(id=value)
    try:
        return Choice(name=re.compile(value, re.IGNORECASE))
    except re.error as error:
        raise ValueError(f"'{value}' is no regular expression: {error}") from None


def chosen(items: Iterable[Mapping[str, Any]], choices: Sequence[Choice]) -> list[Mapping[str, Any]]:
    """Return the items that one of the choices means, in the order of the choices; all without any."""
    listed = list(items)
    if not choices:
        return listed
    found: list[Mapping[str, Any]] = []
    for choice in choices:
        found += [item for item in listed if choice.fits(item) and item not in found]
    return found
