"""Tags of servers, kept in Ganeti too (compute contract 9.4)."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings

from synnefo.errors import BadRequest

USER_PREFIX = "cyclades:user:"
MAX_TAG = 60


def user_tag(tag: str) -> str:
    """Return the stored form of a user's tag."""
    return USER_PREFIX + tag


def check_tag(tag: object) -> str:
    """Return *tag* if it may be one; else ``BadRequest``."""
    if not isinstance(tag, str) or not 1 <= len(tag) <= MAX_TAG or "/" in tag or "," in tag:
        raise BadRequest(f"A tag must be text of 1 to {MAX_TAG} characters without '/' and ','")
    return tag


def check_tags(tags: Sequence[object]) -> list[str]:
    """Return *tags* without repetitions; raises ``BadRequest`` for bad ones and for too many."""
    checked = list(dict.fromkeys(check_tag(tag) for tag in tags))
    limit = settings.CYCLADES_VM_MAX_TAGS
    if len(checked) > limit:
        raise BadRequest(f"A server can have at most {limit} tags, not {len(checked)}")
    return checked
