"""Sentences that are English for programs and may be in a reader's language on pages (web contract 6.5)."""

from __future__ import annotations

from typing import Any


class Text(str):
    """An English sentence that remembers what it was made of, so that a page can make it anew.

    ``template`` is the message's id in the catalogues, with ``%(name)s`` fields; ``values`` fill them.
    """

    template: str
    values: dict[str, Any]


def sentence(template: str, **values: object) -> Text:
    """Return *template* with its fields filled from *values*."""
    text = Text(template % values)
    text.template = template
    text.values = values
    return text
