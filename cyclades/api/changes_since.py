"""The ``changes-since`` parameter of lists (compute contract 4.1)."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.http import HttpRequest

from synnefo import clock
from synnefo.errors import BadRequest


def changes_since(request: HttpRequest) -> dt.datetime | None:
    """Return the moment in UTC after which the client wants changes; ``None`` when not asked.

    Raises ``BadRequest`` for a value that is no ISO 8601 moment with its zone, lies in the future or
    more than ``POLL_LIMIT`` seconds back.
    """
    text = request.GET.get("changes-since")
    if not text:
        return None
    since = parse_moment(text, "changes-since")
    now = clock.now()
    if since > now:
        raise BadRequest("changes-since value set in the future.")
    if (now - since).total_seconds() > settings.POLL_LIMIT:
        raise BadRequest("Too old changes-since value.")
    return since


def parse_moment(text: str, name: str) -> dt.datetime:
    """Return the ISO 8601 moment *text* in UTC; raises ``BadRequest``, also for one without a zone."""
    try:
        moment = dt.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no zone")
        return moment.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"Invalid {name} parameter.") from error
