"""What the shell learns from identity: who is there, projects to search, texts of news (web contract 4.1)."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astakos.logic import project_pages
from astakos.logic.authentication import identity_of
from astakos.logic.terms import unsigned_terms
from astakos.web.sessions import page_user
from branding import activity, facts, notification_texts, search, visitors
from branding.notification_texts import Kind
from branding.templatetags.ui import number_text
from synnefo import notifications
from synnefo.credentials import Credentials
from synnefo.notifications import Note

_TARGET = "project:"


def register() -> None:
    """Tell the shell all of it."""
    visitors.provide(visitor)
    search.provide(search.Kind("project", 20, _("Projects"), "project", find_projects))
    facts.provide("astakos", _facts)
    activity.provide_changes("projects", _changed_projects)
    for kind in _KINDS:
        notification_texts.provide(kind)


def visitor(request: HttpRequest) -> Credentials | None:
    """Return whose session a request carries; raises ``TermsUnsigned``."""
    user = page_user(request)
    if user is None:
        return None
    if unsigned_terms(user):
        raise visitors.TermsUnsigned
    return identity_of(user.pk).credentials()


def find_projects(credentials: Credentials, text: str, limit: int) -> list[search.Hit]:
    """Return the projects that the user has or may join and whose name contains *text*."""
    if settings.ASTAKOS_PROJECTS_VISIBLE is False:
        return []
    return [
        search.Hit(name, url=reverse("astakos-project", args=[uuid]), copy=uuid, state=state)
        for uuid, name, state in project_pages.find(credentials, text=text, limit=limit)
    ]


def _facts(credentials: Credentials) -> list[tuple[str, str]]:
    return [(gettext("Projects"), number_text(len(credentials.projects - {credentials.user_id})))]


def _changed_projects(credentials: Credentials, since: dt.datetime, limit: int) -> list[activity.Change]:
    """Return the projects of which the user was just told something."""
    told = notifications.told_since(credentials, prefix=_TARGET, since=since, limit=limit)
    return [activity.Change("project", target.removeprefix(_TARGET), moment) for target, moment in told]


def _project(note: Note) -> str:
    return reverse("astakos-project", args=[note.target.removeprefix(_TARGET)])


def _members(note: Note) -> str:
    return reverse("astakos-project-members", args=[note.target.removeprefix(_TARGET)])


def _application(note: Note) -> str:
    uuid = note.target.removeprefix(_TARGET)
    return reverse("astakos-project-application", args=[uuid, note.details.get("application", 0)])


_KINDS = (
    Kind("application.submitted", "info", _("%(user)s applies for the project %(project)s."), _application),
    Kind("application.approved", "success", _("Your application for %(project)s was approved."), _project),
    Kind("application.denied", "error", _("Your application for %(project)s was denied."), _application),
    Kind("project.suspended", "warning", _("Your project %(project)s was suspended."), _project),
    Kind("project.unsuspended", "success", _("Your project %(project)s resumes."), _project),
    Kind("project.terminated", "error", _("Your project %(project)s was terminated."), _project),
    Kind("project.reinstated", "success", _("Your project %(project)s was reinstated."), _project),
    Kind("membership.requested", "info", _("%(user)s asks to join %(project)s."), _members),
    Kind("membership.leave_requested", "info", _("%(user)s asks to leave %(project)s."), _members),
    Kind("membership.accepted", "success", _("You are a member of %(project)s now."), _project),
    Kind("membership.enrolled", "success", _("You were made a member of %(project)s."), _project),
    Kind("membership.rejected", "error", _("Your request to join %(project)s was rejected."), _project),
    Kind("membership.removed", "warning", _("You are no longer a member of %(project)s."), _project),
    Kind("membership.suspended", "warning", _("Your membership in %(project)s was suspended."), _project),
    Kind("membership.unsuspended", "success", _("Your membership in %(project)s resumes."), _project),
)
