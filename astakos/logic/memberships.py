"""Joining and leaving projects (identity contract 3.6).

Every use case locks the project's row, then the membership's, then the user's, then holdings. The last free
seat therefore goes to exactly one of two people who take it at once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from astakos.logic import project_news, projects, quota_policy
from astakos.logic.limits import sync_holdings
from astakos.logic.project_queries import is_project_admin
from astakos.models import (
    MembershipState,
    Policy,
    Project,
    ProjectMembership,
    ProjectMembershipLog,
    ProjectState,
    User,
)
from astakos.models.project import ACCEPTED_STATES
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one, retry_on_deadlock
from synnefo.errors import Conflict, Forbidden, NotFound, SynnefoError
from synnefo.texts import sentence

_ALIVE = (ProjectState.ACTIVE, ProjectState.SUSPENDED)
#: People with such a membership cannot join once more.
ASSOCIATED = (MembershipState.REQUESTED, *ACCEPTED_STATES)


@dataclass(frozen=True, slots=True)
class _Rule:
    """When an action on a membership is allowed; who but project administrators may take it."""

    states: Collection[MembershipState]
    by_member: bool
    policy: str | None
    takes_seat: bool = False


_RULES: Mapping[str, _Rule] = {
    "accept": _Rule((MembershipState.REQUESTED,), False, "member_join_policy", takes_seat=True),
    "reject": _Rule((MembershipState.REQUESTED,), False, None),
    "cancel": _Rule((MembershipState.REQUESTED,), True, None),
    "leave": _Rule(ACCEPTED_STATES, True, "member_leave_policy"),
    "remove": _Rule(ACCEPTED_STATES, False, "member_leave_policy"),
}
ACTIONS = tuple(_RULES)


@dataclass(frozen=True, slots=True)
class MembershipDetails:
    """A membership as its viewers read it; ``reached`` says when it first was in each state."""

    id: int
    user: str
    email: str
    name: str
    project: str
    project_name: str
    state: str
    allowed_actions: tuple[str, ...]
    reached: Mapping[str, dt.datetime]


# -- looking ---------------------------------------------------------------------------------------------


def list_memberships(credentials: Credentials, *, project: str | None = None) -> list[MembershipDetails]:
    """Return the caller's memberships and those of his projects; a project administrator gets all."""
    rows = ProjectMembership.objects.all()
    if not is_project_admin(credentials):
        rows = rows.filter(Q(person__uuid=credentials.user_id) | Q(project__owner__uuid=credentials.user_id))
    if project is not None:
        rows = rows.filter(project__uuid=project)
    return described(credentials, rows)


def show_membership(credentials: Credentials, *, membership_id: int) -> MembershipDetails:
    """Return one membership; raises ``NotFound``, or ``Forbidden`` for one of others."""
    found = described(credentials, ProjectMembership.objects.filter(pk=_checked_id(membership_id)))
    if not found:
        raise NotFound(sentence("There is no membership %(membership_id)s", membership_id=membership_id))
    membership = found[0]
    owner = Project.objects.filter(uuid=membership.project, owner__uuid=credentials.user_id)
    if not (membership.user == credentials.user_id or is_project_admin(credentials) or owner.exists()):
        raise Forbidden(
            sentence("Membership %(membership_id)s is not visible to you", membership_id=membership_id)
        )
    return membership


def _checked_id(membership_id: int) -> int:
    if not 0 < membership_id < 1 << 63:
        raise NotFound(sentence("There is no membership %(membership_id)s", membership_id=membership_id))
    return membership_id


def described(credentials: Credentials, rows: QuerySet[ProjectMembership]) -> list[MembershipDetails]:
    """Describe memberships, by key, in three queries, however many there are."""
    memberships = list(rows.select_related("person", "project", "project__owner").order_by("pk"))
    # Once for each project: as a part of every row it would be counted as often as there are members.
    taken: dict[int, int] = dict(
        ProjectMembership.objects.filter(
            project__in=rows.order_by().values("project"), state__in=ACCEPTED_STATES
        )
        .order_by()
        .values_list("project")
        .annotate(count=Count("pk"))
    )
    reached: dict[int, dict[str, dt.datetime]] = {}
    log = ProjectMembershipLog.objects.filter(membership__in=rows.order_by().values("pk")).order_by("-id")
    for membership_id, state, date in log.values_list("membership_id", "to_state", "date"):
        reached.setdefault(membership_id, {})[MembershipState(state).label] = date
    return [
        MembershipDetails(
            id=row.pk,
            user=row.person.uuid,
            email=row.person.email,
            name=row.person.realname,
            project=row.project.uuid,
            project_name=row.project.realname,
            state=MembershipState(row.state).label,
            allowed_actions=tuple(
                action
                for action in ACTIONS
                if _refusal(credentials, row, action, taken.get(row.project_id, 0)) is None
            ),
            reached=reached.get(row.pk, {}),
        )
        for row in memberships
    ]


# -- rules -----------------------------------------------------------------------------------------------


def _refusal(
    credentials: Credentials, membership: ProjectMembership, action: str, taken: int
) -> SynnefoError | None:
    """Return why *action* is refused, the first reason of the contract's order, or ``None``."""
    rule, project = _RULES[action], membership.project
    if membership.state not in rule.states:
        label = MembershipState(membership.state).label
        return Conflict(
            sentence(
                "Cannot %(action)s membership %(membership)s: it is %(label)s",
                action=action,
                membership=membership.pk,
                label=label,
            )
        )
    if action == "accept" and not membership.person.is_active:
        return Conflict("The user is not active")
    mine = membership.person.uuid == credentials.user_id
    owned = project.owner is not None and project.owner.uuid == credentials.user_id
    if not ((mine if rule.by_member else owned) or is_project_admin(credentials)):
        return Forbidden(sentence("You may not %(action)s this membership", action=action))
    if project.state not in _ALIVE:
        return Conflict(
            sentence(
                "Project %(project)s is %(state)s",
                project=project.uuid,
                state=ProjectState(project.state).label,
            )
        )
    if rule.policy is not None and getattr(project, rule.policy) == Policy.CLOSED:
        word = "Leaving" if rule.policy == "member_leave_policy" else "Joining"
        return Conflict(sentence("%(word)s project %(project)s is closed", word=word, project=project.uuid))
    if rule.takes_seat:
        return _seat_refusal(project, membership.state, taken)
    return None


def _seat_refusal(project: Project, state: int | None, taken: int) -> SynnefoError | None:
    already = state in ACCEPTED_STATES
    if not already and taken + 1 > project.limit_on_members_number:
        limit = project.limit_on_members_number
        return Conflict(
            sentence(
                "Project %(project)s has %(taken)s members and may have %(limit)s",
                project=project.uuid,
                taken=taken,
                limit=limit,
            )
        )
    return None


def _seats_taken(project: Project) -> int:
    return ProjectMembership.objects.filter(project=project, state__in=ACCEPTED_STATES).count()


def _locked_project(project_id: int) -> Project:
    return lock_one(Project.objects.filter(pk=project_id).select_related("owner"))


def _locked_membership(membership_id: int) -> ProjectMembership:
    """Lock project, then membership; raises ``NotFound``."""
    found = ProjectMembership.objects.filter(pk=_checked_id(membership_id)).values_list(
        "project_id", flat=True
    )
    project_id = found.first()
    if project_id is None:
        raise NotFound(sentence("There is no membership %(membership_id)s", membership_id=membership_id))
    project = _locked_project(project_id)
    membership = lock_one(ProjectMembership.objects.filter(pk=membership_id).select_related("person"))
    membership.project = project
    return membership


# -- acting ----------------------------------------------------------------------------------------------


def act(credentials: Credentials, *, membership_id: int, action: str, reason: str = "") -> None:
    """Accept, reject, cancel, leave or remove a membership.

    Raises ``NotFound``, ``Conflict`` and ``Forbidden`` in the order of the contract (3.3).
    """
    _act(credentials, membership_id, action, reason)


@retry_on_deadlock
def _act(credentials: Credentials, membership_id: int, action: str, reason: str) -> None:
    with atomic():
        membership = _locked_membership(membership_id)
        taken = _seats_taken(membership.project) if _RULES[action].takes_seat else 0
        refusal = _refusal(credentials, membership, action, taken)
        if refusal is not None:
            raise refusal
        actor = projects.actor_of(credentials)
        _EFFECTS[action](membership, reason, actor)
        audit.record(
            credentials, f"membership.{action}", f"membership:{membership.pk}",
            project=membership.project.uuid, user=membership.person.uuid, reason=reason,
        )  # fmt: skip


def _enter_accepted(membership: ProjectMembership, reason: str, actor: User | None, action: str) -> None:
    projects.move_memberships([membership], MembershipState.ACCEPTED, reason, actor=actor)
    if not membership.initialized:
        membership.initialized = True
        membership.save(update_fields=["initialized"])
    _sync(membership)
    quota_policy.membership_changed(membership, action)


def _sync(membership: ProjectMembership) -> None:
    sync_holdings(project_ids=[membership.project_id], people=[membership.person.uuid])


def _accept(membership: ProjectMembership, reason: str, actor: User | None) -> None:
    _enter_accepted(membership, reason, actor, "ACCEPT")
    project_news.membership_changed(membership, "accepted", reason=reason)


def _reject(membership: ProjectMembership, reason: str, actor: User | None) -> None:
    projects.move_memberships([membership], MembershipState.REJECTED, reason, actor=actor)
    project_news.membership_changed(membership, "rejected", reason=reason)


def _cancel(membership: ProjectMembership, reason: str, actor: User | None) -> None:
    projects.move_memberships([membership], MembershipState.CANCELLED, reason, actor=actor)


def _leave(membership: ProjectMembership, reason: str, actor: User | None) -> None:
    if membership.project.member_leave_policy == Policy.AUTO:
        _enter_removed(membership, reason, actor, "LEAVE")
    else:
        projects.move_memberships([membership], MembershipState.LEAVE_REQUESTED, reason, actor=actor)
        # A suspended member who asks to leave has quota again until the owner agrees.
        _sync(membership)
        project_news.requested(membership, leaving=True)


def _remove(membership: ProjectMembership, reason: str, actor: User | None) -> None:
    _enter_removed(membership, reason, actor, "REMOVE")
    project_news.membership_changed(membership, "removed", reason=reason)


def _enter_removed(membership: ProjectMembership, reason: str, actor: User | None, action: str) -> None:
    projects.move_memberships([membership], MembershipState.REMOVED, reason, actor=actor)
    user = lock_one(User.objects.filter(pk=membership.person_id).select_related("base_project"))
    if user.default_project == membership.project.uuid:
        projects.reset_default_project(user)
    _sync(membership)
    quota_policy.membership_changed(membership, action)


_EFFECTS = {"accept": _accept, "reject": _reject, "cancel": _cancel, "leave": _leave, "remove": _remove}


@retry_on_deadlock
def join(credentials: Credentials, *, project: str, reason: str = "") -> int:
    """Ask to join a project and return the membership's id; open projects accept at once while seats last.

    Raises ``NotFound``, ``Conflict`` for a project that has ended or is closed, or a standing membership.
    """
    user = User.objects.filter(uuid=credentials.user_id).first()
    if user is None:
        raise Forbidden("Only users join projects")
    with atomic():
        row = _by_uuid(project)
        if row is None or row.state == ProjectState.DELETED:
            raise NotFound(sentence("There is no project %(project)s", project=project))
        _require_open(row)
        membership, created = _membership_of(user, row)
        if not created and membership.state in ASSOCIATED:
            label = MembershipState(membership.state).label
            raise Conflict(
                sentence(
                    "You have a membership in project %(project)s already: it is %(label)s",
                    project=project,
                    label=label,
                )
            )
        _enter_requested(membership, created, reason, user)
        has_seat = _seats_taken(row) + 1 <= row.limit_on_members_number
        if row.member_join_policy == Policy.AUTO and has_seat:
            _enter_accepted(membership, reason, user, "JOIN")
        else:
            project_news.requested(membership, leaving=False)
        audit.record(credentials, "membership.join", f"membership:{membership.pk}", project=project)
    return membership.pk


def _by_uuid(uuid: str) -> Project | None:
    found = Project.objects.filter(uuid=uuid).values_list("pk", flat=True).first()
    return _locked_project(found) if found is not None else None


def _require_open(project: Project) -> None:
    if project.state not in _ALIVE:
        raise Conflict(
            sentence(
                "Project %(project)s is %(state)s",
                project=project.uuid,
                state=ProjectState(project.state).label,
            )
        )
    if project.member_join_policy == Policy.CLOSED:
        raise Conflict(sentence("Joining project %(project)s is closed", project=project.uuid))


def _membership_of(user: User, project: Project) -> tuple[ProjectMembership, bool]:
    membership, created = ProjectMembership.objects.get_or_create(person=user, project=project)
    membership = lock_one(ProjectMembership.objects.filter(pk=membership.pk).select_related("person"))
    membership.project = project
    return membership, created


def _enter_requested(membership: ProjectMembership, is_new: bool, reason: str, actor: User) -> None:
    if is_new:
        ProjectMembershipLog.objects.create(
            membership=membership, to_state=MembershipState.REQUESTED, date=clock.now(), actor=actor,
            reason=reason,
        )  # fmt: skip
    else:
        projects.move_memberships([membership], MembershipState.REQUESTED, reason, actor=actor)


@retry_on_deadlock
def enroll(credentials: Credentials, *, project: str, email: str, reason: str = "") -> int:
    """Make the user with this address a member at once and return the membership's id.

    For the owner and project administrators. Raises ``Conflict`` for everything that is wrong, so that
    clients show the text, and ``Forbidden``.
    """
    user = User.objects.filter(email=email, email_verified=True).first()
    if user is None or not user.is_accepted:
        raise Conflict(sentence("There is no accepted user with the address %(email)s", email=email[:255]))
    with atomic():
        row = _by_uuid(project)
        if row is None:
            raise Conflict(sentence("There is no project %(project)s", project=project[:255]))
        if not user.is_active:
            raise Conflict("The user is not active")
        owned = row.owner is not None and row.owner.uuid == credentials.user_id
        if not (owned or is_project_admin(credentials)):
            raise Forbidden("Only the owner enrolls members")
        _require_open(row)
        membership, created = _membership_of(user, row)
        state = None if created else membership.state
        refusal = _seat_refusal(row, state, _seats_taken(row))
        if refusal is not None:
            raise refusal
        if state in ACCEPTED_STATES:
            raise Conflict("The user is a member already")
        actor = projects.actor_of(credentials)
        if created:
            # Nothing was requested: the log begins with the acceptance.
            ProjectMembershipLog.objects.create(
                membership=membership, to_state=MembershipState.ACCEPTED, date=clock.now(), actor=actor,
                reason=reason,
            )  # fmt: skip
            ProjectMembership.objects.filter(pk=membership.pk).update(
                state=MembershipState.ACCEPTED, initialized=True
            )
            membership.refresh_from_db(fields=["state", "initialized"])
            _sync(membership)
            quota_policy.membership_changed(membership, "ENROLL")
        else:
            _enter_accepted(membership, reason, actor, "ENROLL")
        project_news.membership_changed(membership, "enrolled")
        audit.record(
            credentials, "membership.enroll", f"membership:{membership.pk}", project=project, user=user.uuid
        )
    return membership.pk
