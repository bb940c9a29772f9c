"""Mail about projects, sent after the commit (identity contract 4.6).

Not mailed: cancellations, dismissals, and whatever a policy decided by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_noop

from astakos.logic import mails, project_reports
from astakos.models import Project, ProjectApplication, ProjectMembership, User


def recipients(setting: str) -> list[str]:
    """Return the addresses that *setting* names, falling back as the settings' help says."""
    chosen = getattr(settings, setting)
    if chosen is None:
        chosen = settings.PROJECT_NOTIFICATIONS_RECIPIENTS
    if chosen is None:
        chosen = (*settings.HELPDESK, *settings.MANAGERS)
    return list(dict.fromkeys(address for _, address in chosen))


def _context(project: Project, context: Mapping[str, object]) -> dict[str, object]:
    """Return what templates get; replaced templates of sites rely on the names."""
    path = f"projects/{project.uuid}"
    return {
        "object": project,
        "project": project,
        "project_url": mails.page_url(path),
        "members_url": mails.page_url(f"{path}/members/pending"),
        **context,
    }


def _tell(
    template: str, text_id: str, subject: str, user: User, /, *, project: Project, **context: object
) -> None:
    mails.send_to_user(
        template, text_id, subject, user=user, context=_context(project, context), name=project.realname
    )


def _tell_staff(
    template: str, text_id: str, subject: str, setting: str, /, *, project: Project, **context: object
) -> None:
    mails.send_to_staff(
        template,
        text_id,
        subject,
        to=recipients(setting),
        context=_context(project, context),
        name=project.realname,
    )


def submitted(application: ProjectApplication, *, is_new: bool) -> None:
    """Tell the reviewers of a new application: all its fields, or only those that change."""
    kind = "creation" if is_new else "modification"
    subject = (
        gettext_noop("Application for a new project (%(name)s)")
        if is_new
        else gettext_noop("Application for a change of the project %(name)s")
    )
    _tell_staff(
        f"project_{kind}",
        f"PROJECT_{kind.upper()}_SUBJECT",
        subject,
        f"PROJECT_{kind.upper()}_RECIPIENTS",
        project=application.project,
        object=application,
        application=application,
        fields=project_reports.application_fields(application),
        application_url=mails.page_url(f"projects/{application.project.uuid}/app/{application.pk}"),
    )


def approved(application: ProjectApplication, *, previous_state: str) -> None:
    """Tell the applicant and the site that an application was approved."""
    subject = gettext_noop("The application for the project %(name)s was approved")
    context: dict[str, Any] = {
        "object": application,
        "application": application,
        "previous_state": previous_state,
    }
    _tell(
        "project_approval",
        "PROJECT_APPROVED_SUBJECT",
        subject,
        application.applicant,
        project=application.project,
        **context,
    )
    _tell_staff(
        "application_approved_admin",
        "EMAIL_ADMIN_APPLICATION_APPROVED",
        subject,
        "PROJECT_NOTIFICATIONS_RECIPIENTS",
        project=application.project,
        **context,
    )


def denied(application: ProjectApplication) -> None:
    """Tell the applicant that an application was denied, and why."""
    _tell(
        "project_denial",
        "PROJECT_DENIED_SUBJECT",
        gettext_noop("The application for the project %(name)s was denied"),
        application.applicant,
        project=application.project,
        object=application,
        application=application,
    )


#: What happened → template, subject id, default subject.
_STATE_MAILS = {
    "terminated": (
        "project_termination",
        "PROJECT_TERMINATION_SUBJECT",
        gettext_noop("The project %(name)s was terminated"),
    ),
    "suspended": (
        "project_suspension",
        "PROJECT_SUSPENSION_SUBJECT",
        gettext_noop("The project %(name)s was suspended"),
    ),
    "unsuspended": (
        "project_unsuspension",
        "PROJECT_UNSUSPENSION_SUBJECT",
        gettext_noop("The project %(name)s resumes"),
    ),
    "reinstated": (
        "project_reinstatement",
        "PROJECT_REINSTATEMENT_SUBJECT",
        gettext_noop("The project %(name)s was reinstated"),
    ),
}


def state_changed(project: Project, change: str, *, reason: str) -> None:
    """Tell the owner that his project was suspended, resumed, terminated or reinstated."""
    if project.owner is None:
        return
    template, text_id, subject = _STATE_MAILS[change]
    _tell(template, text_id, subject, project.owner, project=project, reason=reason)


def requested(membership: ProjectMembership, *, leaving: bool) -> None:
    """Tell the owner that somebody asks to join or to leave."""
    owner = membership.project.owner
    if owner is None:
        return
    kind = "leave_request" if leaving else "request"
    _tell(
        f"project_membership_{kind}",
        f"PROJECT_MEMBERSHIP_{kind.upper()}_SUBJECT",
        gettext_noop("Somebody asks to leave the project %(name)s")
        if leaving
        else gettext_noop("Somebody asks to join the project %(name)s"),
        owner,
        project=membership.project,
        user=membership.person,
        membership=membership,
    )


def membership_changed(membership: ProjectMembership, change: str, *, reason: str = "") -> None:
    """Tell a member that he was accepted, rejected, removed, suspended, resumed or enrolled."""
    enrolled = change == "enrolled"
    _tell(
        "project_membership_enroll" if enrolled else "project_membership_change",
        f"PROJECT_MEMBERSHIP_{'ENROLL' if enrolled else 'CHANGE'}_SUBJECT",
        gettext_noop("You are a member of the project %(name)s")
        if enrolled
        else gettext_noop("Your membership in the project %(name)s changed"),
        membership.person,
        project=membership.project,
        user=membership.person,
        membership=membership,
        action=change,
        reason=reason,
    )
