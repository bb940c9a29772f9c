"""Accepting, rejecting and removing many members at once (web contract 6.3, P-07)."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from astakos.logic import member_lists, memberships
from astakos.web import bulk
from astakos.web.access import ready_required
from astakos.web.project_members import ACTIONS, chosen_of, members_page
from astakos.web.projects import UUID, credentials_of, reason_of, see_other
from synnefo.credentials import Credentials

#: What takes something away from people asks once more, and for a reason.
_CONFIRMED = ("reject", "remove")


@require_http_methods(["GET", "HEAD", "POST"])
@ready_required
def act_on_many(request: HttpRequest, uuid: str) -> HttpResponse:
    """Accept, reject or remove the selected members, each on its own."""
    if request.method != "POST":
        return see_other("astakos-project-members", uuid)
    credentials = credentials_of(request)
    member_lists.require_ruler(credentials, project=uuid)
    wanted = bulk.wanted_of(request, field="members", actions=ACTIONS)
    members = _members(request, credentials, uuid, wanted)
    if not members:
        messages.error(request, _("Select at least one member."))
        return members_page(request, uuid, status=422)
    if wanted.action in _CONFIRMED and not wanted.confirmed:
        return _confirm(request, uuid, wanted.action, members)
    reason = reason_of(request)
    report = bulk.perform(
        members,
        lambda pk: memberships.act(credentials, membership_id=pk, action=wanted.action, reason=reason),
    )
    if report.done:
        text = ngettext("%(count)d membership changed.", "%(count)d memberships changed.", report.done)
        messages.success(request, text % {"count": report.done})
    if report.done == len(report.outcomes):
        return see_other("astakos-project-members", uuid)
    return members_page(
        request, uuid, status=report.status, **report.context(action=wanted.action, reason=reason)
    )


def _members(
    request: HttpRequest, credentials: Credentials, uuid: str, wanted: bulk.Wanted
) -> list[tuple[int, str]]:
    if not wanted.everything:
        found = member_lists.of_project(project=uuid, ids=wanted.ids)
    else:
        chosen = chosen_of(request.POST, request.POST.get("which", ""))
        found = member_lists.chosen_names(credentials, project=uuid, chosen=chosen, limit=bulk.MAX_ROWS)
    return [(member.id, member.email) for member in found]


def _confirm(request: HttpRequest, uuid: str, action: str, members: list[tuple[int, str]]) -> HttpResponse:
    count = len(members)
    titles = {
        "reject": ngettext("Reject %(count)d request", "Reject %(count)d requests", count),
        "remove": ngettext("Remove %(count)d member", "Remove %(count)d members", count),
    }
    return bulk.confirm(
        request,
        title=titles[action] % {"count": count},
        action=action,
        field="members",
        items=members,
        back=reverse("astakos-project-members", args=[uuid]),
        danger=True,
    )


urlpatterns: list[URLPattern] = [
    re_path(rf"^ui/projects/{UUID}/members/change/?$", act_on_many, name="astakos-project-members-change"),
]
