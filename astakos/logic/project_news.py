"""Telling people what became of projects, applications and memberships: by mail and in their browser."""

from __future__ import annotations

from django.conf import settings

from astakos.logic import project_mails
from astakos.models import Project, ProjectApplication, ProjectMembership, User
from synnefo import notifications

_MAX_REASON = 200


def submitted(application: ProjectApplication, *, is_new: bool) -> None:
    """Tell the reviewers of a new application, unless a reviewer made it himself."""
    project_mails.submitted(application, is_new=is_new)
    notifications.tell(
        [uuid for uuid in settings.ASTAKOS_PROJECT_ADMINS if uuid != application.applicant.uuid],
        "application.submitted",
        f"project:{application.project.uuid}",
        project=application.project.realname,
        application=application.pk,
        user=application.applicant.email,
    )


def approved(application: ProjectApplication, *, previous_state: str) -> None:
    """Tell the applicant and the site that an application was approved."""
    project_mails.approved(application, previous_state=previous_state)
    _tell_applicant(application, "approved")


def denied(application: ProjectApplication) -> None:
    """Tell the applicant that an application was denied, and why."""
    project_mails.denied(application)
    _tell_applicant(application, "denied")


def _tell_applicant(application: ProjectApplication, answer: str) -> None:
    notifications.tell(
        [application.applicant.uuid],
        f"application.{answer}",
        f"project:{application.project.uuid}",
        project=application.project.realname,
        application=application.pk,
    )


def state_changed(project: Project, change: str, *, reason: str) -> None:
    """Tell the owner that his project was suspended, resumed, terminated or reinstated."""
    project_mails.state_changed(project, change, reason=reason)
    if project.owner is not None:
        notifications.tell(
            [project.owner.uuid],
            f"project.{change}",
            f"project:{project.uuid}",
            project=project.realname,
            reason=reason[:_MAX_REASON],
        )


def requested(membership: ProjectMembership, *, leaving: bool) -> None:
    """Tell the owner that somebody asks to join or to leave."""
    project_mails.requested(membership, leaving=leaving)
    owner = membership.project.owner
    if owner is not None:
        notifications.tell(
            [owner.uuid],
            "membership.leave_requested" if leaving else "membership.requested",
            f"project:{membership.project.uuid}",
            project=membership.project.realname,
            user=membership.person.email,
        )


def membership_changed(membership: ProjectMembership, change: str, *, reason: str = "") -> None:
    """Tell a member that he was accepted, rejected, removed, suspended, resumed or enrolled."""
    project_mails.membership_changed(membership, change, reason=reason)
    person: User = membership.person
    notifications.tell(
        [person.uuid],
        f"membership.{change}",
        f"project:{membership.project.uuid}",
        project=membership.project.realname,
        reason=reason[:_MAX_REASON],
    )
