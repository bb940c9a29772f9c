"""Changing the tags of a server, here at once and in Ganeti by jobs (compute contract 9.4).

Added tags wait as ``PENDADD`` until Ganeti's event; removed ones vanish at once and come back if their job
fails. No change is a task of the server, so it is allowed in every state and beside every task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cyclades.ganeti import jobs, requests
from cyclades.logic.server_change import require_backend
from cyclades.logic.server_state import Access, require_allowed
from cyclades.logic.server_tags import PREFIXES, check_tag, check_tag_count, check_tags
from cyclades.logic.servers import get_server, lock_server, touch
from cyclades.models import JobIntent, Server, ServerTag, TagStatus
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, Forbidden, NotFound


@dataclass(frozen=True)
class Tag:
    """A tag without its namespace, and whether Ganeti has it."""

    name: str
    status: str


@dataclass(frozen=True)
class TagChange:
    """What a change left and started: the tags it is about, the jobs, and whether one was new."""

    tags: list[Tag]
    intents: list[JobIntent] = field(default_factory=list)
    created: bool = False


def list_tags(credentials: Credentials, *, server_id: int, namespace: str = "user") -> list[Tag]:
    """Return the tags of a visible server in the order of their creation; raises ``NotFound``."""
    prefix = _prefix(credentials, namespace)
    server = get_server(credentials, server_id=server_id)
    return [_tag(row, prefix) for row in _rows(server, prefix)]


def get_tag(credentials: Credentials, *, server_id: int, tag: str, namespace: str = "user") -> Tag:
    """Return one tag; raises ``NotFound``."""
    prefix = _prefix(credentials, namespace)
    server = get_server(credentials, server_id=server_id)
    row = ServerTag.objects.filter(server=server, tag=prefix + tag).first()
    if row is None:
        raise NotFound("Tag not found.")
    return _tag(row, prefix)


@locks.retry_on_deadlock
def add_tag(credentials: Credentials, *, server_id: int, tag: str, namespace: str = "user") -> TagChange:
    """Add *tag* unless the server has it, perhaps pending; raises like ``replace_tags``."""
    prefix = _prefix(credentials, namespace)
    with locks.atomic():
        server = _locked(credentials, server_id)
        check_tag(tag, prefix=prefix)
        known = {row.tag: row for row in _rows(server, prefix)}
        if prefix + tag in known:
            return TagChange([_tag(known[prefix + tag], prefix)])
        check_tag_count(len(known) + 1)
        intents = _add(server, [prefix + tag])
        _finish(credentials, server, added=[tag], removed=[])
    return TagChange([Tag(tag, TagStatus.PENDADD)], intents, created=True)


@locks.retry_on_deadlock
def replace_tags(
    credentials: Credentials, *, server_id: int, tags: Sequence[object], namespace: str = "user"
) -> TagChange:
    """Remove the active tags that are not in *tags* and add the others.

    Raises ``NotFound``, ``BadRequest`` (deleted server, bad tags, too many together with pending ones),
    ``Forbidden`` (suspended) and ``ServiceUnavailable`` (backend offline).
    """
    prefix = _prefix(credentials, namespace)
    with locks.atomic():
        server = _locked(credentials, server_id)
        wanted = check_tags(tags, prefix=prefix)
        rows = _rows(server, prefix)
        full = [prefix + tag for tag in wanted]
        removed = [row.tag for row in rows if row.status == TagStatus.ACTIVE and row.tag not in full]
        left = {row.tag: row for row in rows if row.tag not in removed}
        added = [tag for tag in full if tag not in left]
        check_tag_count(len(left) + len(added))
        intents = _remove(server, removed) + _add(server, added)
        _finish(credentials, server, added=added, removed=removed)
    statuses = {row.tag: row.status for row in left.values()}
    shown = [Tag(tag, statuses.get(prefix + tag, TagStatus.PENDADD)) for tag in wanted]
    return TagChange(shown, intents)


@locks.retry_on_deadlock
def delete_tags(
    credentials: Credentials, *, server_id: int, tag: str | None = None, namespace: str = "user"
) -> TagChange:
    """Remove the active *tag*, or all active ones; raises ``NotFound`` when there is none.

    Raises also ``BadRequest`` (deleted server), ``Forbidden`` (suspended) and ``ServiceUnavailable``.
    """
    prefix = _prefix(credentials, namespace)
    with locks.atomic():
        server = _locked(credentials, server_id)
        active = [row.tag for row in _rows(server, prefix) if row.status == TagStatus.ACTIVE]
        removed = active if tag is None else [name for name in active if name == prefix + tag]
        if not removed:
            raise NotFound("Tag not found.")
        intents = _remove(server, removed)
        _finish(credentials, server, added=[], removed=removed)
    return TagChange([], intents)


def _prefix(credentials: Credentials, namespace: str) -> str:
    if namespace not in PREFIXES:
        raise BadRequest(f"The namespace of tags must be one of {', '.join(PREFIXES)}")
    if namespace != "user" and not credentials.is_admin:
        raise Forbidden("Only administrators see these tags")
    return PREFIXES[namespace]


def _rows(server: Server, prefix: str) -> list[ServerTag]:
    return list(ServerTag.objects.filter(server=server, tag__startswith=prefix).order_by("pk"))


def _tag(row: ServerTag, prefix: str) -> Tag:
    return Tag(row.tag.removeprefix(prefix), row.status)


def _locked(credentials: Credentials, server_id: int) -> Server:
    server = lock_server(credentials, server_id=server_id)
    require_allowed(credentials, server, Access.TAGS)
    require_backend(server)
    return server


def _add(server: Server, tags: Sequence[str]) -> list[JobIntent]:
    if not tags:
        return []
    ServerTag.objects.bulk_create(ServerTag(server=server, tag=tag) for tag in tags)
    payloads = [requests.tags_payload(add=batch) for batch in requests.tag_batches(tags)]
    return [jobs.intend(server=server, operation=jobs.TAGS_ADD, payload=payload) for payload in payloads]


def _remove(server: Server, tags: Sequence[str]) -> list[JobIntent]:
    if not tags:
        return []
    ServerTag.objects.filter(server=server, tag__in=tags).delete()
    payloads = [requests.tags_payload(delete=batch) for batch in requests.tag_batches(tags)]
    return [jobs.intend(server=server, operation=jobs.TAGS_DELETE, payload=payload) for payload in payloads]


def _finish(
    credentials: Credentials, server: Server, *, added: Sequence[str], removed: Sequence[str]
) -> None:
    if added or removed:
        touch(server)
        target = f"server:{server.pk}"
        audit.record(credentials, "server.tag", target, added=list(added), removed=list(removed))
