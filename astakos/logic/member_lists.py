"""The members of a project a page at a time, for its owner (web contract 10, P-07)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from astakos.logic import keyset
from astakos.logic.memberships import MembershipDetails, described
from astakos.logic.project_queries import is_project_admin
from astakos.models import MembershipState, Project, ProjectMembership
from synnefo.credentials import Credentials
from synnefo.errors import Forbidden, NotFound
from synnefo.texts import sentence

#: Orders of a list of members: field and whether the largest comes first.
SORTS = {
    "created": ("pk", False),
    "-created": ("pk", True),
    "email": ("person__email", False),
    "-email": ("person__email", True),
    "name": ("person__last_name", False),
    "-name": ("person__last_name", True),
}
_MAX_TEXT = 100


@dataclass(frozen=True, slots=True)
class ChosenMembers:
    """Which members a reader wants to see: in *states*, with *text* in name or address, in an order."""

    states: Collection[MembershipState]
    text: str = ""
    sort: str = "created"


@dataclass(frozen=True, slots=True)
class MemberBatch:
    """Some members of a list; ``next`` continues it, ``total`` is counted to ``keyset.MAX_COUNTED``."""

    rows: tuple[MembershipDetails, ...]
    next: int | None
    total: int


@dataclass(frozen=True, slots=True)
class MemberName:
    """A membership and whose it is."""

    id: int
    email: str


def list_members(
    credentials: Credentials,
    *,
    project: str,
    chosen: ChosenMembers,
    after: int | None = None,
    limit: int = 50,
) -> MemberBatch:
    """Return the *chosen* members of a project, at most *limit*, and where the list goes on.

    Raises ``NotFound``, or ``Forbidden`` for anybody but the owner and project administrators.
    """
    members = _chosen_members(credentials, project, chosen)
    field, descending = SORTS[chosen.sort]
    among = ProjectMembership.objects.filter(project__uuid=project)
    found = keyset.behind(members, among=among, field=field, descending=descending, after=after)
    ids = list(found.values_list("pk", flat=True)[: limit + 1])
    shown = ids[:limit]
    place = {pk: number for number, pk in enumerate(shown)}
    details = described(credentials, ProjectMembership.objects.filter(pk__in=shown))
    following = shown[-1] if len(ids) > limit else None
    total = len(shown) if after is None and following is None else keyset.count(members)
    return MemberBatch(tuple(sorted(details, key=lambda row: place[row.id])), following, total)


def _chosen_members(
    credentials: Credentials, project: str, chosen: ChosenMembers
) -> QuerySet[ProjectMembership]:
    require_ruler(credentials, project=project)
    members = ProjectMembership.objects.filter(project__uuid=project, state__in=chosen.states)
    text = chosen.text.replace("\0", "").strip()[:_MAX_TEXT]
    for word in text.split():
        members = members.filter(
            Q(person__email__icontains=word)
            | Q(person__first_name__icontains=word)
            | Q(person__last_name__icontains=word)
        )
    return members


def require_ruler(credentials: Credentials, *, project: str) -> None:
    """Raise ``NotFound``, or ``Forbidden`` for anybody but the owner and project administrators."""
    owner = Project.objects.filter(uuid=project).values_list("owner__uuid", flat=True).first()
    known = owner is not None or Project.objects.filter(uuid=project).exists()
    if not known:
        raise NotFound(sentence("There is no project %(project)s", project=project))
    if owner != credentials.user_id and not is_project_admin(credentials):
        raise Forbidden("Only the owner sees the members")


def chosen_names(
    credentials: Credentials, *, project: str, chosen: ChosenMembers, limit: int
) -> list[MemberName]:
    """Return whose the *chosen* memberships are, at most *limit*; raises as ``list_members`` does."""
    found = _chosen_members(credentials, project, chosen).order_by("pk").values_list("pk", "person__email")
    return [MemberName(*row) for row in found[:limit]]


def of_project(*, project: str, ids: Iterable[int]) -> list[MemberName]:
    """Return those of *ids* that are memberships of *project*, with their members' addresses."""
    found = ProjectMembership.objects.filter(project__uuid=project, pk__in=list(ids)).order_by("pk")
    return [MemberName(*row) for row in found.values_list("pk", "person__email")]
