"""Tags of servers, kept in Ganeti too (compute contract 9.4)."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings

from cyclades.ganeti import names
from synnefo.errors import BadRequest

USER_PREFIX = "cyclades:user:"
#: Namespace to what its tags begin with; users know of their own only.
PREFIXES = {"user": USER_PREFIX, "system": "cyclades:system:"}
MAX_TAG = 60


def user_tag(tag: str) -> str:
    """Return the stored form of a user's tag."""
    return USER_PREFIX + tag


def check_tag(tag: object, *, prefix: str = USER_PREFIX) -> str:
    """Return *tag* if it may be one, also in Ganeti's encoding; else ``BadRequest``."""
    if not isinstance(tag, str) or not 1 <= len(tag) <= MAX_TAG or "/" in tag or "," in tag:
        raise BadRequest(f"A tag must be text of 1 to {MAX_TAG} characters without '/' and ','")
    if not _is_text(tag) or not names.is_valid_tag(prefix + tag):
        # Every byte that is not ASCII takes three characters of Ganeti's 128.
        raise BadRequest(
            f"The tag '{tag.encode('ascii', 'replace').decode()}' has too many special characters"
        )
    return tag


def _is_text(tag: str) -> bool:
    return "\x00" not in tag and not any("\ud800" <= character <= "\udfff" for character in tag)


def check_tags(tags: Sequence[object], *, prefix: str = USER_PREFIX) -> list[str]:
    """Return *tags* without repetitions; raises ``BadRequest`` for bad ones and for too many."""
    checked = list(dict.fromkeys(check_tag(tag, prefix=prefix) for tag in tags))
    check_tag_count(len(checked))
    return checked


def check_tag_count(count: int) -> None:
    """Raise ``BadRequest`` when a server would have more than ``CYCLADES_VM_MAX_TAGS`` tags."""
    limit = settings.CYCLADES_VM_MAX_TAGS
    if count > limit:
        raise BadRequest(f"A server can have at most {limit} tags, not {count}")
