"""Approving or denying many applications at once (web contract 6.3, P-01)."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from astakos.logic import applications, project_pages
from astakos.web import bulk
from astakos.web.access import ready_required
from astakos.web.projects import credentials_of, list_page, reason_of, see_other

_ANSWERS = {"approve": applications.approve, "deny": applications.deny}


@require_http_methods(["GET", "HEAD", "POST"])
@ready_required
def review(request: HttpRequest) -> HttpResponse:
    """Approve or deny the selected applications, each on its own; for project administrators.

    Who comes back from the login page gets the list again, here as in all forms below a list.
    """
    if request.method != "POST":
        return see_other("astakos-projects")
    credentials = credentials_of(request)
    wanted = bulk.wanted_of(request, field="applications", actions=_ANSWERS)
    chosen = project_pages.to_review(credentials, applications=wanted.ids)
    if not chosen:
        messages.error(request, _("Select at least one application."))
        return list_page(request, status=422)
    if not wanted.confirmed:
        return _confirm(request, wanted.action, chosen)
    answer, reason = _ANSWERS[wanted.action], reason_of(request)
    report = bulk.perform(chosen, lambda pk: answer(credentials, application_id=pk, reason=reason))
    if report.done:
        text = ngettext("%(count)d application answered.", "%(count)d applications answered.", report.done)
        messages.success(request, text % {"count": report.done})
    if report.done == len(report.outcomes):
        return see_other("astakos-projects")
    return list_page(request, status=report.status, **report.context(action=wanted.action, reason=reason))


def _confirm(request: HttpRequest, action: str, chosen: list[tuple[int, str]]) -> HttpResponse:
    count = len(chosen)
    titles = {
        "approve": ngettext("Approve %(count)d application", "Approve %(count)d applications", count),
        "deny": ngettext("Deny %(count)d application", "Deny %(count)d applications", count),
    }
    return bulk.confirm(
        request,
        title=titles[action] % {"count": count},
        action=action,
        field="applications",
        items=chosen,
        back=reverse("astakos-projects"),
        danger=action == "deny",
    )


urlpatterns: list[URLPattern] = [
    re_path(r"^ui/projects/review/?$", review, name="astakos-projects-review"),
]
