"""Applying for projects and answering applications (web contract 10, P-04, P-06)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from astakos.logic import applications, pending_applications, project_queries
from astakos.logic.project_queries import (
    ApplicationDetails,
    Capacity,
    ProjectDetails,
    is_project_admin,
)
from astakos.web import project_commands, project_texts
from astakos.web.access import ready_required
from astakos.web.project_forms import ApplicationForm
from astakos.web.projects import (
    UUID,
    attempt,
    confirm,
    credentials_of,
    found_row,
    reason_of,
    see_other,
    units,
)
from branding.fault_texts import text_of
from synnefo import clock
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Conflict, Forbidden
from synnefo.texts import sentence

_SALT = "astakos.project-application"
#: Seconds between seeing a summary and sending it.
_MAX_AGE = 24 * 3600
_ANSWERS = {
    "approve": applications.approve,
    "deny": applications.deny,
    "cancel": applications.cancel,
    "dismiss": applications.dismiss,
}


# -- applying ------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@ready_required
def add(request: HttpRequest) -> HttpResponse:
    """Apply for a new project."""
    return _apply(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@ready_required
def modify(request: HttpRequest, uuid: str) -> HttpResponse:
    """Apply for a change of a project."""
    credentials = credentials_of(request)
    project = project_queries.show_project(credentials, uuid=uuid)
    if not (is_project_admin(credentials) or project.owner == credentials.user_id):
        raise Forbidden("Only the owner may change the project")
    if project.state in ("uninitialized", "deleted"):
        raise Conflict(sentence("Project %(project)s is %(state)s", project=uuid, state=project.state))
    return _apply(request, project)


def _apply(request: HttpRequest, project: ProjectDetails | None) -> HttpResponse:
    credentials = credentials_of(request)
    limit = _reached_limit(credentials, project)
    if limit is not None:
        context = {"limit": limit, "project": project}
        return render(request, "astakos/projects/limit_reached.html", context, status=_status(request))
    if request.method != "POST":
        return _form_page(request, ApplicationForm(project=project), project)
    form = ApplicationForm(_posted(request, credentials, project), project=project)
    if "edit" in request.GET:
        return _form_page(request, form, project)
    if not form.is_valid():
        return _form_page(request, form, project, status=422)
    if "verify" in request.GET:
        return _summary(request, form, project, credentials)
    return _submit(request, form, project, credentials)


def _status(request: HttpRequest) -> int:
    return 409 if request.method == "POST" else 200


def _reached_limit(credentials: Credentials, project: ProjectDetails | None) -> int | None:
    """Return the limit of pending applications when one more is too many; replacing one's own is free."""
    if is_project_admin(credentials):
        return None
    application = project.last_application if project else None
    if application and application.state == "pending" and application.applicant == credentials.user_id:
        return None
    return pending_applications.limit_reached(user_id=credentials.user_id)


def _binding(credentials: Credentials, project: ProjectDetails | None) -> str:
    return f"{credentials.user_id}/{project.uuid if project else 'new'}"


def _posted(
    request: HttpRequest, credentials: Credentials, project: ProjectDetails | None
) -> Mapping[str, Any]:
    """Return the values of the form, or those that the summary page carried along, signed.

    Raises ``BadRequest`` for a summary that was tampered with, is another's or too old.
    """
    blob = request.POST.get("application")
    if blob is None:
        return {name: value for name, value in request.POST.items() if name != "csrfmiddlewaretoken"}
    try:
        document = signing.loads(blob, salt=_SALT, max_age=_MAX_AGE)
    except signing.BadSignature:
        raise BadRequest("This summary is no longer valid; fill in the form again") from None
    if document["of"] != _binding(credentials, project):
        raise BadRequest("This summary is of another application")
    values: dict[str, Any] = document["values"]
    return values


def _form_page(
    request: HttpRequest, form: ApplicationForm, project: ProjectDetails | None, *, status: int = 200
) -> HttpResponse:
    context = {"form": form, "project": project}
    return render(request, "astakos/projects/apply.html", context, status=status)


def _summary(
    request: HttpRequest, form: ApplicationForm, project: ProjectDetails | None, credentials: Credentials
) -> HttpResponse:
    values = {name: form.data.get(name, "") for name in form.fields if name in form.data}
    blob = signing.dumps({"of": _binding(credentials, project), "values": values}, salt=_SALT, compress=True)
    body = form.body()
    wanted = _imagined(body, project, credentials)
    context = {
        "project": project,
        "lines": project_texts.difference(wanted, project, units()),
        "comments": wanted.comments,
        "warnings": form.warnings(),
        "blob": blob,
        "commands": project_commands.of_application(body, project),
    }
    return render(request, "astakos/projects/verify.html", context)


def _imagined(
    body: Mapping[str, Any], project: ProjectDetails | None, credentials: Credentials
) -> ApplicationDetails:
    """Return the application that *body* would become, to show it like one."""
    return ApplicationDetails(
        id=0,
        project=project.uuid if project else "",
        state="pending",
        owner=None,
        owner_email=None,
        applicant=credentials.user_id,
        applicant_email="",
        start_date=_moment(body.get("start_date")),
        end_date=_moment(body.get("end_date")),
        issue_date=clock.now(),
        response="",
        resources=tuple(
            Capacity(name, grant["project_capacity"], grant["member_capacity"])
            for name, grant in body["resources"].items()
        ),
        **{
            name: body.get(name)
            for name in (
                "name", "homepage", "description", "comments", "join_policy", "leave_policy", "max_members",
                "private",
            )
        },
    )  # fmt: skip


def _moment(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None


def _submit(
    request: HttpRequest, form: ApplicationForm, project: ProjectDetails | None, credentials: Credentials
) -> HttpResponse:
    try:
        if project is None:
            applications.submit_new(credentials, body=form.body())
        else:
            applications.submit_modification(credentials, project=project.uuid, body=form.body())
    except (BadRequest, Conflict) as error:
        form.add_error(None, text_of(error))
        status = 409 if isinstance(error, Conflict) else 422
        return _form_page(request, form, project, status=status)
    messages.success(request, _("Your application was sent. You will get an e-mail when it is decided."))
    return see_other("astakos-projects")


# -- answering -----------------------------------------------------------------------------------------


@require_safe
@ready_required
def show(request: HttpRequest, uuid: str, app_id: str) -> HttpResponse:
    """Show an application next to what the project has now."""
    return _application_page(request, uuid, int(app_id))


def _application_page(request: HttpRequest, uuid: str, app_id: int, *, status: int = 200) -> HttpResponse:
    credentials = credentials_of(request)
    application = project_queries.show_application(credentials, project=uuid, application_id=app_id)
    project = project_queries.show_project_of_application(credentials, uuid=uuid)
    is_new = project.state in ("uninitialized", "deleted")
    is_admin = is_project_admin(credentials)
    newest = project.last_application
    is_newest = newest is not None and newest.id == app_id
    context = {
        "application": application,
        "project": project,
        "is_new": is_new,
        "status_word": found_row(credentials, uuid).status,
        "lines": project_texts.difference(application, None if is_new else project, units()),
        "newest": newest,
        "is_newest": is_newest,
        "actions": _possible(application, credentials, is_admin) if is_newest else [],
    }
    return render(request, "astakos/projects/application.html", context, status=status)


def _labels() -> dict[str, str]:
    return {"approve": _("Approve"), "deny": _("Deny"), "cancel": _("Cancel"), "dismiss": _("Dismiss")}


def _possible(
    application: ApplicationDetails, credentials: Credentials, is_admin: bool
) -> list[tuple[str, str]]:
    allowed = {"pending": ["approve", "deny", "cancel"], "denied": ["dismiss"]}.get(application.state, [])
    mine = application.applicant == credentials.user_id
    return [
        (action, _labels()[action])
        for action in allowed
        if is_admin or (mine and action in ("cancel", "dismiss"))
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@ready_required
def answer(request: HttpRequest, uuid: str, app_id: str, action: str) -> HttpResponse:
    """Approve, deny, cancel or dismiss an application."""
    credentials = credentials_of(request)
    number = int(app_id)
    application = project_queries.show_application(credentials, project=uuid, application_id=number)
    mine = application.applicant == credentials.user_id and action in ("cancel", "dismiss")
    if not (mine or is_project_admin(credentials)):
        raise Forbidden("Only project administrators answer applications")
    if request.method != "POST":
        return confirm(
            request, title=_labels()[action], text=found_row(credentials, uuid).name,
            button=_labels()[action], danger=action != "approve", reason=True,
            back=reverse("astakos-project-application", args=[uuid, number]),
        )  # fmt: skip
    reason = reason_of(request)
    perform = _ANSWERS[action]
    done = attempt(
        request,
        lambda: perform(credentials, application_id=number, project=uuid, reason=reason),
        _("Done."),
    )
    if not done:
        return _application_page(request, uuid, number, status=409)
    return see_other("astakos-projects")


_NUMBER = r"(?P<app_id>[0-9]{1,18})"
urlpatterns: list[URLPattern] = [
    re_path(r"^ui/projects/add/?$", add, name="astakos-project-add"),
    re_path(rf"^ui/projects/{UUID}/modify/?$", modify, name="astakos-project-modify"),
    re_path(rf"^ui/projects/{UUID}/app/{_NUMBER}/?$", show, name="astakos-project-application"),
    re_path(
        rf"^ui/projects/{UUID}/app/{_NUMBER}/(?P<action>approve|deny|cancel|dismiss)/?$",
        answer,
        name="astakos-project-answer",
    ),
]
