"""Where limits come from: the capacities of projects, the state of memberships (identity contract 2.2).

Limits are replaced, usage is never touched. Callers hold the rows of the projects locked, so that two
changes of one project cannot interleave.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Q

from astakos.models import Holding, Project, ProjectMembership, ProjectResourceQuota, ProjectState
from astakos.models.project import ACTUALLY_ACCEPTED, INITIALIZED_STATES
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_rows

BATCH = 500

Key = tuple[str, str | None, str]


def user_holder(uuid: str) -> str:
    """Return how the quota holder names a user."""
    return f"user:{uuid}"


def project_holder(uuid: str) -> str:
    """Return how the quota holder names a project, as holder and as source."""
    return f"project:{uuid}"


@dataclass(frozen=True, slots=True)
class Inconsistency:
    """A holding whose limit is not what projects imply; ``expected`` is ``None`` for one too many."""

    holder: str
    source: str | None
    resource: str
    expected: int | None
    actual: int | None


def expected_limits(
    *,
    project_ids: Sequence[int],
    resources: Sequence[str] | None = None,
    people: Sequence[str] | None = None,
) -> dict[Key, int]:
    """Return the limit of every holding that the initialised ones among *project_ids* imply.

    With *people* (uuids) only what these hold as members.
    """
    capacities = ProjectResourceQuota.objects.filter(
        project_id__in=project_ids, project__state__in=INITIALIZED_STATES
    )
    if resources is not None:
        capacities = capacities.filter(resource__name__in=resources)
    members: dict[int, list[tuple[str, bool]]] = defaultdict(list)
    memberships = ProjectMembership.objects.filter(project_id__in=project_ids, initialized=True)
    if people is not None:
        memberships = memberships.filter(person__uuid__in=people)
    for project_id, person, state in memberships.values_list("project_id", "person__uuid", "state"):
        members[project_id].append((person, state in ACTUALLY_ACCEPTED))
    limits: dict[Key, int] = {}
    for project_id, uuid, state, resource, total, per_member in capacities.values_list(
        "project_id",
        "project__uuid",
        "project__state",
        "resource__name",
        "project_capacity",
        "member_capacity",
    ):
        active = state == ProjectState.ACTIVE
        source = project_holder(uuid)
        if people is None:
            limits[(source, None, resource)] = total if active else 0
        for person, accepted in members[project_id]:
            limits[(user_holder(person), source, resource)] = per_member if active and accepted else 0
    return limits


def sync_holdings(
    *,
    project_ids: Sequence[int],
    resources: Sequence[str] | None = None,
    people: Sequence[str] | None = None,
) -> None:
    """Make limits of holdings what projects and memberships say now, creating what is missing.

    *people* (uuids) restricts this to these members' holdings, so that others can go on charging theirs.
    """
    for start in range(0, len(project_ids), BATCH):
        batch = project_ids[start : start + BATCH]
        wanted = expected_limits(project_ids=batch, resources=resources, people=people)
        _write(wanted, _locked_holdings(batch, resources, people))


def _locked_holdings(
    project_ids: Sequence[int], resources: Sequence[str] | None, people: Sequence[str] | None
) -> dict[Key, Holding]:
    sources = [
        project_holder(uuid)
        for uuid in Project.objects.filter(pk__in=project_ids).values_list("uuid", flat=True)
    ]
    if people is None:
        concerned = Q(holder__in=sources, source__isnull=True) | Q(source__in=sources)
    else:
        concerned = Q(holder__in=[user_holder(uuid) for uuid in people], source__in=sources)
    holdings = Holding.objects.filter(concerned)
    if resources is not None:
        holdings = holdings.filter(resource__in=resources)
    return {(row.holder, row.source, row.resource): row for row in lock_rows(holdings)}


def _write(wanted: dict[Key, int], existing: dict[Key, Holding]) -> None:
    changed: dict[int, list[int]] = defaultdict(list)
    for key, limit in wanted.items():
        row = existing.get(key)
        if row is not None and row.limit != limit:
            changed[limit].append(row.pk)
    for limit, keys in changed.items():
        Holding.objects.filter(pk__in=keys).update(limit=limit)
    Holding.objects.bulk_create(
        (
            Holding(holder=holder, source=source, resource=resource, limit=limit)
            for (holder, source, resource), limit in wanted.items()
            if (holder, source, resource) not in existing
        ),
        batch_size=BATCH,
    )


def inconsistencies(*, include_unexpected: bool = False) -> Iterator[Inconsistency]:
    """Yield every difference between the limits that projects imply and those that are held."""
    project_ids = list(Project.objects.filter(state__in=INITIALIZED_STATES).values_list("pk", flat=True))
    wanted: dict[Key, int] = {}
    for start in range(0, len(project_ids), BATCH):
        wanted |= expected_limits(project_ids=project_ids[start : start + BATCH])
    for holder, source, resource, limit in Holding.objects.values_list(
        "holder", "source", "resource", "limit"
    ):
        expected = wanted.pop((holder, source, resource), None)
        if expected != limit and (expected is not None or include_unexpected):
            yield Inconsistency(holder, source, resource, expected, limit)
    for (holder, source, resource), limit in wanted.items():
        yield Inconsistency(holder, source, resource, limit, None)


def repair(credentials: Credentials, *, include_unexpected: bool = False, holder: str | None = None) -> None:
    """Make limits what projects imply; with *include_unexpected* drop holdings that none implies.

    *holder* restricts this to the projects one user or project is concerned with. A holding that a pending
    commission refers to is kept.
    """
    with atomic():
        projects = lock_rows(Project.objects.filter(state__in=INITIALIZED_STATES).only("id", "uuid"))
        found = [
            item
            for item in inconsistencies(include_unexpected=include_unexpected)
            if holder in (None, item.holder)
        ]
        concerned = {item.source or item.holder for item in found}
        sync_holdings(
            project_ids=[project.pk for project in projects if project_holder(project.uuid) in concerned]
        )
        for item in found:
            if item.expected is None:
                Holding.objects.filter(
                    holder=item.holder, source=item.source, resource=item.resource, provisions__isnull=True
                ).delete()
        audit.record(credentials, "quota.repair", "holdings", repaired=len(found))
