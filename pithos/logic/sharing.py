"""Changing grants and groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.conf import settings

from astakos import public as astakos
from pithos.logic.permissions import MAX_HOLDER, Sharing
from pithos.models import Access, Grant, GroupMember, Node
from synnefo.errors import BadRequest


def set_sharing(node: Node, sharing: Sharing) -> None:
    """Make ``sharing`` the whole set of a path's grants."""
    Grant.objects.filter(node=node).delete()
    Grant.objects.bulk_create(
        [
            Grant(node=node, access=access, holder=holder)
            for access, holders in ((Access.READ, sharing.read), (Access.WRITE, sharing.write))
            for holder in sorted(holders)
        ]
    )


def groups_of(owner: str) -> dict[str, list[str]]:
    """Return an account's groups with their members, sorted. One query."""
    groups: dict[str, list[str]] = {}
    rows = GroupMember.objects.filter(owner=owner).order_by("name", "member").values_list("name", "member")
    for name, member in rows:
        groups.setdefault(name, []).append(member)
    return groups


def parse_group(name: str, value: str) -> tuple[str, list[str]]:
    """Return a group's stored name and its members from a header; raise BadRequest (contract 4.3)."""
    group = name.lower()
    if not group or "-" in group or "_" in group:
        raise BadRequest(f"The group name {group!r} is empty or contains '-' or '_'.")
    members = list(dict.fromkeys(item for item in value.replace(" ", "").split(",") if item))
    if len(group) > MAX_HOLDER or any(len(member) > MAX_HOLDER for member in members):
        raise BadRequest(f"A group's name or member is longer than {MAX_HOLDER} characters.")
    limit: int = settings.PITHOS_ACC_MAX_GROUP_MEMBERS
    if len(members) > limit:
        raise BadRequest(f"The group {group} would have {len(members)} members; at most {limit} are allowed.")
    return group, members


def set_groups(owner: str, groups: Mapping[str, list[str]], *, replace: bool) -> None:
    """Change an account's groups: the named ones, or with ``replace`` all; no members deletes a group.

    Raises BadRequest for too many groups and for members who are no users.
    """
    _check_members(member for members in groups.values() for member in members)
    rows = GroupMember.objects.filter(owner=owner)
    (rows if replace else rows.filter(name__in=groups)).delete()
    GroupMember.objects.bulk_create(
        [
            GroupMember(owner=owner, name=name, member=member)
            for name, members in groups.items()
            for member in members
        ]
    )
    limit: int = settings.PITHOS_ACC_MAX_GROUPS
    count = GroupMember.objects.filter(owner=owner).values("name").distinct().count()
    if count > limit:
        raise BadRequest(f"There would be {count} groups; at most {limit} are allowed.")


def _check_members(members: Iterable[str]) -> None:
    wanted = set(members)
    if not wanted:
        return
    known = astakos.user_catalog(uuids=sorted(wanted)).emails_by_uuid
    unknown = sorted(wanted - set(known))
    if unknown:
        raise BadRequest(f"There is no user {unknown[0]}.")
