"""Pages of projects: lists, search, details, joining, leaving (web contract 10, P-01 to P-03, P-05, P-08)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from astakos.logic import keyset, memberships, project_actions, project_pages, project_queries
from astakos.logic.project_pages import Chosen, ProjectRow
from astakos.logic.project_queries import ProjectDetails, is_project_admin
from astakos.logic.quotas import project_quotas
from astakos.logic.resources import public_resources
from astakos.models import MembershipState
from astakos.models.project import ACCEPTED_STATES
from astakos.web import project_commands, project_texts
from astakos.web.access import is_fragment, part_of_page, ready_required, user_of, with_fragments
from astakos.web.lists import key_of, per_page, ways
from branding.fault_texts import text_of
from branding.states import label_of
from branding.tables import Chip, Column, Table, chips
from synnefo.credentials import Credentials
from synnefo.errors import Conflict, Forbidden, NotFound
from synnefo.texts import sentence

UUID = r"(?P<uuid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"


def credentials_of(request: HttpRequest) -> Credentials:
    """Return the reader of a page as use cases know him."""
    return Credentials(user_id=user_of(request).uuid)


def units() -> dict[str, str]:
    """Return the unit of every resource that pages may show; empty for plain counts."""
    return {item.name: item.unit or "" for item in public_resources()}


def see_other(name: str, *args: object) -> HttpResponse:
    """Return the way to a page after a change."""
    response = HttpResponseRedirect(reverse(name, args=args))
    response.status_code = 303
    return response


_COLUMNS = (
    Column("name", gettext_lazy("Name"), sort="name", fixed=True),
    Column("status", gettext_lazy("Status")),
    Column("owner", gettext_lazy("Owner")),
    Column("applied", gettext_lazy("Applied for")),
    Column("expires", gettext_lazy("Expires"), sort="end"),
    Column("members", gettext_lazy("Members"), number=True),
    Column("action", gettext_lazy("Action"), fixed=True),
)


# -- lists ---------------------------------------------------------------------------------------------


@require_safe
@ready_required
def index(request: HttpRequest) -> HttpResponse:
    """List the reader's projects; administrators see all."""
    return list_page(request)


def list_page(request: HttpRequest, *, status: int = 200, **extra: object) -> HttpResponse:
    """Render the list of projects with *extra* for its template."""
    credentials = credentials_of(request)
    is_admin = is_project_admin(credentials)
    chosen = _chosen(request, is_admin)
    batch = project_pages.related(
        credentials,
        chosen=chosen,
        after=key_of(request, "before"),
        limit=per_page(request, settings.ASTAKOS_PAGINATE_BY),
    )
    context = {
        "rows": batch.rows,
        "is_admin": is_admin,
        "chosen": chosen,
        "commands": project_commands.of_list(),
        "table": Table(request, "projects", _COLUMNS, sort=chosen.sort),
        "total": batch.total,
        "most": keyset.MAX_COUNTED,
        "statuses": [(status, label_of(status.capitalize())) for status in project_pages.STATUSES],
        "sorts": _sorts(),
        "per_page": request.GET.get("per_page", ""),
        "filtered": chosen != Chosen(sort=chosen.sort) or "before" in request.GET,
        "chips": _chips(request, chosen),
        "path": reverse("astakos-projects"),
        **ways(request, "before", batch.next),
        **extra,
    }
    if is_fragment(request):
        return part_of_page(request, "astakos/projects/rows.html", context)
    return with_fragments(render(request, "astakos/projects/index.html", context, status=status))


def _chosen(request: HttpRequest, is_admin: bool) -> Chosen:
    status, sort = request.GET.get("status", ""), request.GET.get("sort", "")
    return Chosen(
        text=request.GET.get("q", "")[: project_pages.MAX_SEARCH],
        status=status if status in project_pages.STATUSES else "",
        pending_only=is_admin and request.GET.get("pending") == "1",
        show_base=is_admin and request.GET.get("show_base") == "1",
        sort=sort if sort in project_pages.SORTS else "-created",
    )


def _sorts() -> list[tuple[str, str]]:
    """Return the orders to choose from where a list has no heads to click on."""
    return [
        ("-created", _("Newest first")),
        ("created", _("Oldest first")),
        ("name", _("Name, from A to Z")),
        ("-name", _("Name, from Z to A")),
        ("end", _("What expires first")),
        ("-end", _("What expires last")),
    ]


def _chips(request: HttpRequest, chosen: Chosen) -> list[Chip]:
    filters = [
        ("q", chosen.text),
        ("status", label_of(chosen.status.capitalize()) if chosen.status else ""),
        ("pending", _("Pending review") if chosen.pending_only else ""),
        ("show_base", _("System projects too") if chosen.show_base else ""),
    ]
    return chips(request, [(name, label) for name, label in filters if label])


@require_safe
@ready_required
def search(request: HttpRequest) -> HttpResponse:
    """Find projects that everybody may join."""
    chosen = _chosen(request, is_admin=False)
    batch = project_pages.search(
        credentials_of(request),
        text=chosen.text,
        sort=chosen.sort,
        after=key_of(request, "before"),
        limit=per_page(request, settings.ASTAKOS_PAGINATE_BY_ALL),
    )
    context = {
        "rows": batch.rows,
        "q": chosen.text,
        "table": Table(request, "projects", _COLUMNS, sort=chosen.sort),
        "total": batch.total,
        "most": keyset.MAX_COUNTED,
        "chips": chips(request, [("q", chosen.text)]),
        **ways(request, "before", batch.next),
    }
    return render(request, "astakos/projects/search.html", context)


@require_safe
@ready_required
def how_it_works(request: HttpRequest) -> HttpResponse:
    """Explain projects."""
    return render(request, "astakos/projects/how_it_works.html")


# -- one project ---------------------------------------------------------------------------------------


def found_row(credentials: Credentials, uuid: str) -> ProjectRow:
    """Return a project's row; raises ``NotFound``."""
    row = project_pages.row_of(credentials, uuid=uuid)
    if row is None:
        raise NotFound(sentence("There is no project %(project)s", project=uuid))
    return row


@require_safe
@ready_required
def show(request: HttpRequest, uuid: str) -> HttpResponse:
    """Show a project; one that was never approved has only its application to show."""
    return project_page(request, uuid)


def project_page(request: HttpRequest, uuid: str, *, status: int = 200) -> HttpResponse:
    """Render the page of a project; raises ``NotFound`` or ``Forbidden``."""
    credentials = credentials_of(request)
    project = project_queries.show_project_of_application(credentials, uuid=uuid)
    application = project.last_application
    if project.state in ("uninitialized", "deleted"):
        if application is None:
            raise NotFound(sentence("There is no project %(project)s", project=uuid))
        return see_other("astakos-project-application", uuid, application.id)
    context = _project_context(credentials, project)
    return render(request, "astakos/projects/show.html", context, status=status)


#: What makes somebody a member, who sees what the project uses.
_MEMBERS = tuple(MembershipState(state).label for state in ACCEPTED_STATES)


def _project_context(credentials: Credentials, project: ProjectDetails) -> dict[str, Any]:
    row = found_row(credentials, project.uuid)
    is_admin, is_owner = is_project_admin(credentials), project.owner == credentials.user_id
    names = [item.resource for item in project.resources]
    sees_usage = is_admin or is_owner or row.mine.state in _MEMBERS
    usage = {
        quota.resource: quota.usage
        for quota in (project_quotas(resources=names, projects=[project.uuid]) if sees_usage else ())
    }
    application = project.last_application
    pending = application if application is not None and application.state == "pending" else None
    privileged = is_admin or is_owner
    return {
        "project": project,
        "row": row,
        "is_admin": is_admin,
        "is_owner": is_owner,
        "privileged": privileged,
        "may_modify": is_admin or (is_owner and not project.system_project),
        "sees_usage": sees_usage,
        "resources": project_texts.resource_lines(project.resources, units(), usage),
        "counts": project_pages.member_counts(uuid=project.uuid),
        "pending": pending,
        "lines": project_texts.difference(pending, project, units()) if pending else [],
        "history": project_pages.history(uuid=project.uuid) if privileged else [],
        "actions": _admin_actions(project) if is_admin else [],
        "membership": project_texts.membership_text(row.mine.state),
        "joining": project_texts.policy_text(project.join_policy),
        "leaving": project_texts.policy_text(project.leave_policy),
        "max_members": project_texts.members_text(project.max_members),
        "ends": project_texts.date_text(project.end_date),
        "commands": project_commands.of_project(project.uuid),
    }


def _admin_actions(project: ProjectDetails) -> list[tuple[str, str]]:
    labels = {
        "suspend": _("Suspend"),
        "unsuspend": _("Resume"),
        "terminate": _("Terminate"),
        "reinstate": _("Reinstate"),
    }
    possible = {
        "active": ("suspend", "terminate"),
        "suspended": ("unsuspend", "terminate"),
        "terminated": ("reinstate",),
    }.get(project.state, ())
    return [
        (action, labels[action])
        for action in possible
        if not (project.system_project and action == "terminate")
    ]


# -- actions -------------------------------------------------------------------------------------------


def confirm(
    request: HttpRequest, *, title: str, text: str, button: str, back: str, danger: bool, reason: bool = False
) -> HttpResponse:
    """Ask before a change, for links in mails and browsers without scripts."""
    context = {
        "title": title,
        "text": text,
        "button": button,
        "back": back,
        "danger": danger,
        "with_reason": reason,
    }
    if is_fragment(request):
        return part_of_page(request, "astakos/projects/confirm_form.html", context)
    return with_fragments(render(request, "astakos/projects/confirm.html", context))


def reason_of(request: HttpRequest) -> str:
    """Return the reason that was typed in."""
    return request.POST.get("reason", "").replace("\0", "").strip()[:4096]


def attempt(request: HttpRequest, action: Callable[[], object], done: str) -> bool:
    """Do *action* and say so; a conflict with the present state is told instead."""
    try:
        action()
    except Conflict as error:
        messages.error(request, text_of(error))
        return False
    messages.success(request, done)
    return True


@require_http_methods(["GET", "HEAD", "POST"])
@ready_required
def take_part(request: HttpRequest, uuid: str, action: str) -> HttpResponse:
    """Join a project, leave it, or withdraw the request to join."""
    credentials = credentials_of(request)
    row = found_row(credentials, uuid)
    words = {
        "join": (_("Join the project"), _("Join")),
        "leave": (_("Leave the project"), _("Leave")),
        "cancel-join-request": (_("Withdraw the request to join"), _("Withdraw")),
    }
    title, button = words[action]
    if request.method != "POST":
        if action != "join" and row.mine.id == 0:
            raise Forbidden("You have no membership in this project")
        return confirm(
            request, title=title, text=_known_name(credentials, row), button=button, danger=action == "leave",
            back=reverse("astakos-projects"),
        )  # fmt: skip
    if not attempt(request, lambda: _take_part(credentials, row, action), _("Done.")):
        return _after_conflict(request, uuid)
    return see_other("astakos-projects")


def _known_name(credentials: Credentials, row: ProjectRow) -> str:
    """Return a project's name to those who may know it; anybody may ask to join what is private."""
    try:
        return project_queries.show_project(credentials, uuid=row.uuid).name
    except Forbidden:
        return row.uuid


def _take_part(credentials: Credentials, row: ProjectRow, action: str) -> None:
    if action == "join":
        memberships.join(credentials, project=row.uuid)
        return
    if row.mine.id == 0:
        raise Forbidden("You have no membership in this project")
    memberships.act(credentials, membership_id=row.mine.id, action="leave" if action == "leave" else "cancel")


def _after_conflict(request: HttpRequest, uuid: str) -> HttpResponse:
    """Show the project as it is now, or the list to those who cannot see it."""
    try:
        response = project_page(request, uuid, status=409)
    except (Forbidden, NotFound):
        context = {"rows": (), "is_admin": False, "chosen": Chosen(), "filtered": False, "total": 0}
        return render(request, "astakos/projects/index.html", context, status=409)
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@ready_required
def control(request: HttpRequest, uuid: str, action: str) -> HttpResponse:
    """Suspend, resume, terminate or reinstate a project; for project administrators."""
    credentials = credentials_of(request)
    if not is_project_admin(credentials):
        raise Forbidden("Only project administrators may do this")
    row = found_row(credentials, uuid)
    title = {
        "suspend": _("Suspend the project"),
        "unsuspend": _("Resume the project"),
        "terminate": _("Terminate the project"),
        "reinstate": _("Reinstate the project"),
    }[action]
    if request.method != "POST":
        return confirm(
            request, title=title, text=row.name, button=title, reason=True,
            danger=action in ("suspend", "terminate"), back=reverse("astakos-project", args=[uuid]),
        )  # fmt: skip
    perform = project_actions.ACTIONS[action]
    reason = reason_of(request)
    if not attempt(request, lambda: perform(credentials, project=uuid, reason=reason), _("Done.")):
        return project_page(request, uuid, status=409)
    return see_other("astakos-project", uuid)


urlpatterns: list[URLPattern] = [
    re_path(r"^ui/projects/?$", index, name="astakos-projects"),
    re_path(r"^ui/projects/search/?$", search, name="astakos-projects-search"),
    re_path(r"^ui/projects/how_it_works/?$", how_it_works, name="astakos-projects-how"),
    re_path(rf"^ui/projects/{UUID}/?$", show, name="astakos-project"),
    re_path(
        rf"^ui/projects/{UUID}/(?P<action>join|leave|cancel-join-request)/?$",
        take_part,
        name="astakos-project-take-part",
    ),
    re_path(
        rf"^ui/projects/{UUID}/(?P<action>suspend|unsuspend|terminate|reinstate)/?$",
        control,
        name="astakos-project-control",
    ),
]
