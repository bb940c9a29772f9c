"""Where a long list stands, as its address says it (web contract 1.8).

Pages of a list follow each other by key: the address holds the last row that was shown, not a page's number.
"""

from __future__ import annotations

from django.http import HttpRequest

from branding import preferences
from branding.tables import PER_PAGE

_MAX_KEY_DIGITS = 18


def key_of(request: HttpRequest, name: str) -> int | None:
    """Return where a list goes on, ``None`` for its beginning and for nonsense."""
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_KEY_DIGITS else None


def per_page(request: HttpRequest, default: int) -> int:
    """Return how many rows the reader wants: by the address, as chosen before, or *default*."""
    chosen = key_of(request, "per_page")
    return chosen if chosen in PER_PAGE else preferences.of_request(request).per_page or default


def ways(request: HttpRequest, name: str, following: int | None) -> dict[str, str | None]:
    """Give a template the queries that lead on and back to the beginning, ``None`` where there is no way.

    *name* is the parameter of the key, *following* the key that continues the list. Filters are kept.
    """
    others = request.GET.copy()
    others.pop(name, None)
    beginning = others.urlencode() if name in request.GET else None
    if following is None:
        return {"next_query": None, "first_query": beginning}
    others[name] = str(following)
    return {"next_query": others.urlencode(), "first_query": beginning}
