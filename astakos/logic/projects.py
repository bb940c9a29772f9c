"""System projects, memberships and what a user's account means for them (identity contract 3.2, 4.2)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from django.db.models import OuterRef, Q, Subquery

from astakos.logic import project_news, quota_policy
from astakos.logic.limits import sync_holdings
from astakos.models import (
    Component,
    MembershipState,
    Policy,
    Project,
    ProjectLog,
    ProjectMembership,
    ProjectMembershipLog,
    ProjectResourceQuota,
    ProjectState,
    Resource,
    User,
)
from astakos.models.project import ACTUALLY_ACCEPTED
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one, lock_rows, retry_on_deadlock
from synnefo.errors import Conflict, Forbidden, MethodNotAllowed, NotFound
from synnefo.texts import sentence

USER_DEACTIVATION = "user_deactivation"
_SYSTEM_PROJECT_YEARS = 100


def create_system_project(user: User, *, actor: User | None = None) -> Project:
    """Create the project that holds *user*'s own quota, at the resources' system defaults.

    Runs in the caller's transaction; sets ``base_project`` and ``default_project`` without saving the user.
    """
    # Resources are registered under their component's lock; a resource registered at this moment would
    # otherwise miss this project, and this project the resource.
    lock_rows(Component.objects.only("id"))
    now = clock.now()
    project = Project.objects.create(
        uuid=user.uuid,
        realname=f"system:{user.uuid}",
        name=f"system:{user.uuid}",
        description=f"system project for user {user.email}",
        creation_date=now,
        end_date=now + dt.timedelta(days=365 * _SYSTEM_PROJECT_YEARS),
        member_join_policy=Policy.CLOSED,
        member_leave_policy=Policy.CLOSED,
        limit_on_members_number=1,
        private=True,
        is_base=True,
        state=ProjectState.ACTIVE,
    )
    ProjectLog.objects.create(project=project, to_state=ProjectState.ACTIVE, date=now, actor=actor)
    ProjectResourceQuota.objects.bulk_create(
        ProjectResourceQuota(
            project=project,
            resource=resource,
            project_capacity=resource.uplimit,
            member_capacity=resource.uplimit,
        )
        for resource in Resource.objects.all()
    )
    membership = ProjectMembership.objects.create(
        person=user, project=project, state=MembershipState.ACCEPTED, initialized=True
    )
    ProjectMembershipLog.objects.create(
        membership=membership, to_state=MembershipState.ACCEPTED, date=now, actor=actor
    )
    sync_holdings(project_ids=[project.pk])
    user.base_project = project
    user.default_project = project.uuid
    return project


def suspend_for_user(user: User) -> None:
    """Suspend what depends on *user*'s being active: system project, memberships, owned projects.

    Runs in the caller's transaction.
    """
    owned = Q(owner=user) | Q(pk=user.base_project_id)
    projects = lock_rows(Project.objects.filter(owned, state=ProjectState.ACTIVE).select_related("owner"))
    memberships = lock_rows(
        ProjectMembership.objects.filter(person=user, state__in=ACTUALLY_ACCEPTED).select_related(
            "person", "project"
        )
    )
    move_projects(projects, ProjectState.SUSPENDED, USER_DEACTIVATION)
    move_memberships(memberships, MembershipState.SUSPENDED, USER_DEACTIVATION)
    _settle(projects, memberships, "SUSPEND")


def unsuspend_for_user(user: User) -> None:
    """Undo ``suspend_for_user``; what was suspended for another reason stays so."""
    owned = Q(owner=user) | Q(pk=user.base_project_id)
    project_reason = ProjectLog.objects.filter(
        project=OuterRef("pk"), to_state=ProjectState.SUSPENDED
    ).order_by("-id")
    membership_reason = ProjectMembershipLog.objects.filter(
        membership=OuterRef("pk"), to_state=MembershipState.SUSPENDED
    ).order_by("-id")
    projects = lock_rows(
        Project.objects.filter(owned, state=ProjectState.SUSPENDED)
        .annotate(suspension=Subquery(project_reason.values("reason")[:1]))
        .filter(suspension=USER_DEACTIVATION)
        .select_related("owner")
    )
    memberships = lock_rows(
        ProjectMembership.objects.filter(person=user, state=MembershipState.SUSPENDED)
        .annotate(suspension=Subquery(membership_reason.values("reason")[:1]))
        .filter(suspension=USER_DEACTIVATION)
        .select_related("person", "project")
    )
    move_projects(projects, ProjectState.ACTIVE, "user_activation")
    move_memberships(memberships, MembershipState.ACCEPTED, "user_activation")
    _settle(projects, memberships, "UNSUSPEND")


def move_projects(
    projects: Iterable[Project], state: ProjectState, reason: str, *, actor: User | None = None
) -> None:
    """Give locked *projects* another state and log it; their limits are the caller's to recompute."""
    rows = list(projects)
    Project.objects.filter(pk__in=[row.pk for row in rows]).update(state=state)
    now = clock.now()
    ProjectLog.objects.bulk_create(
        ProjectLog(project=row, from_state=row.state, to_state=state, date=now, actor=actor, reason=reason)
        for row in rows
    )
    for row in rows:
        row.state = state


def move_memberships(
    memberships: Iterable[ProjectMembership],
    state: MembershipState,
    reason: str,
    *,
    actor: User | None = None,
) -> None:
    """Give locked *memberships* another state and log it; their limits are the caller's to recompute."""
    rows = list(memberships)
    ProjectMembership.objects.filter(pk__in=[row.pk for row in rows]).update(state=state)
    now = clock.now()
    ProjectMembershipLog.objects.bulk_create(
        ProjectMembershipLog(
            membership=row, from_state=row.state, to_state=state, date=now, actor=actor, reason=reason
        )
        for row in rows
    )
    for row in rows:
        row.state = state


def _settle(projects: Sequence[Project], memberships: Sequence[ProjectMembership], action: str) -> None:
    """Recompute limits and tell owners, members and the site's policy; nobody is told of system projects."""
    touched = {project.pk for project in projects} | {membership.project_id for membership in memberships}
    sync_holdings(project_ids=sorted(touched))
    quota_policy.projects_changed(projects, action)
    word = f"{action.lower()}ed"
    for project in projects:
        project_news.state_changed(project, word, reason="")
    for membership in memberships:
        quota_policy.membership_changed(membership, action)
        if not membership.project.is_base:
            project_news.membership_changed(membership, word)


def reset_default_project(user: User) -> None:
    """Let a locked user's new resources be charged to his system project again."""
    base = user.base_project
    user.default_project = base.uuid if base is not None else ""
    user.save(update_fields=["default_project", "updated"])


def actor_of(credentials: Credentials) -> User | None:
    """Return the acting user for a log; ``None`` when a command acts."""
    return User.objects.filter(uuid=credentials.user_id).first() if credentials.user_id else None


@retry_on_deadlock
def set_default_project(credentials: Credentials, *, user_id: str, project: str) -> None:
    """Make *project* the one that *user_id*'s new resources are charged to (identity contract 1.5).

    Raises ``MethodNotAllowed`` for an account that is not accepted, ``NotFound`` without a membership,
    ``Conflict`` for a project that has ended, ``Forbidden`` for one that cannot be used now.
    """
    with atomic():
        # The project first, as everywhere: a removal at this moment must see this default or be seen here.
        lock_rows(Project.objects.filter(uuid=project).only("id"))
        try:
            user = lock_one(User.objects.filter(uuid=user_id))
        except User.DoesNotExist:
            raise NotFound(sentence("User %(user_id)s does not exist", user_id=user_id)) from None
        if not user.is_accepted:
            raise MethodNotAllowed("The account is not accepted")
        membership = (
            ProjectMembership.objects.select_related("project")
            .filter(person=user, project__uuid=project)
            .first()
        )
        if membership is None:
            raise NotFound(
                sentence(
                    "User %(user_id)s is not a member of a project %(project)s",
                    user_id=user_id,
                    project=project,
                )
            )
        state = membership.project.state
        if state in (ProjectState.TERMINATED, ProjectState.DELETED, ProjectState.UNINITIALIZED):
            raise Conflict(
                sentence("Project %(project)s is %(state)s", project=project, state=ProjectState(state).label)
            )
        if state != ProjectState.ACTIVE or membership.state not in ACTUALLY_ACCEPTED:
            raise Forbidden(
                sentence(
                    "User %(user_id)s cannot use project %(project)s now", user_id=user_id, project=project
                )
            )
        user.default_project = project
        user.save(update_fields=["default_project", "updated"])
        audit.record(credentials, "user.set_default_project", f"user:{user_id}", project=project)


def is_member(*, user_id: str, project: str) -> bool:
    """Tell whether the user may use the quota of this active project."""
    return ProjectMembership.objects.filter(
        person__uuid=user_id,
        project__uuid=project,
        state__in=ACTUALLY_ACCEPTED,
        project__state=ProjectState.ACTIVE,
    ).exists()


def active_exists(*, project: str) -> bool:
    """Tell whether a project of this uuid is active."""
    return Project.objects.filter(uuid=project, state=ProjectState.ACTIVE).exists()
