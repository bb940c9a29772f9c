"""What users are told in their browser: written with the change, read page by page (web contract 4.1)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Max

from synnefo import clock
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic

PAGE = 50
#: More than this many unread ones are not counted, so that counting stays cheap.
MOST_COUNTED = 100
_BATCH = 5000


@dataclass(frozen=True, slots=True)
class Note:
    """A notification as it was written; ``details`` are what its text is made of."""

    id: int
    kind: str
    target: str
    details: dict[str, Any]
    created: dt.datetime
    is_read: bool


@dataclass(frozen=True, slots=True)
class NotePage:
    """Notifications, newest first; ``next`` continues the list, ``None`` at its end."""

    notes: tuple[Note, ...]
    next: int | None


def tell(users: Collection[str], kind: str, target: str, **details: Any) -> None:
    """Leave a notification for each of *users* (ids) in the caller's transaction.

    ``kind`` is ``<noun>.<what happened>``, ``target`` names the object as in the audit trail, ``details``
    are short JSON values without secrets.
    """
    from synnefo.models import Notification

    now = clock.now()
    Notification.objects.bulk_create(
        Notification(user=user, kind=kind, target=target, details=details, created=now)
        for user in sorted(set(users))
        if user
    )


def page_of(credentials: Credentials, *, before: int | None = None, limit: int = PAGE) -> NotePage:
    """Return the acting user's notifications, or those older than the one with the id *before*."""
    from synnefo.models import Notification

    rows = Notification.objects.filter(user=credentials.user_id).order_by("-id")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = [
        Note(row.pk, row.kind, row.target, row.details, row.created, row.read is not None)
        for row in rows[: limit + 1]
    ]
    return NotePage(tuple(found[:limit]), found[limit - 1].id if len(found) > limit else None)


def told_since(
    credentials: Credentials, *, prefix: str, since: dt.datetime, limit: int
) -> list[tuple[str, dt.datetime]]:
    """Return what the acting user was told of since a moment, and when: targets that begin with *prefix*."""
    from synnefo.models import Notification

    rows = Notification.objects.filter(
        user=credentials.user_id, created__gte=since, target__startswith=prefix
    )
    return list(rows.order_by("-id").values_list("target", "created")[:limit])


def unread_count(credentials: Credentials) -> int:
    """Return how many notifications the acting user has not read, at most ``MOST_COUNTED``."""
    from synnefo.models import Notification

    unread = Notification.objects.filter(user=credentials.user_id, read__isnull=True)
    return unread.order_by()[:MOST_COUNTED].count()


def mark_read(credentials: Credentials, *, up_to: int) -> int:
    """Mark the acting user's notifications up to the id *up_to* as read; return how many that were.

    Those that came after the user looked stay unread.
    """
    from synnefo.models import Notification

    with atomic():
        unread = Notification.objects.filter(user=credentials.user_id, read__isnull=True, pk__lte=up_to)
        return unread.update(read=clock.now())


def delete_old() -> int:
    """Delete what is older than ``UI_NOTIFICATIONS_DAYS``, a batch at a time; return how many rows."""
    from synnefo.models import Notification

    moment = clock.now() - dt.timedelta(days=settings.UI_NOTIFICATIONS_DAYS)
    deleted = 0
    while True:
        batch = Notification.objects.filter(created__lt=moment).order_by("created", "pk")[:_BATCH]
        last = batch.values("pk").aggregate(last=Max("pk"))["last"]
        if last is None:
            return deleted
        deleted += Notification.objects.filter(created__lt=moment, pk__lte=last).delete()[0]
