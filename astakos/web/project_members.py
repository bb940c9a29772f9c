"""Members of a project: who they are, who wants in or out, adding people (web contract 10, P-07, P-08)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_safe

from astakos.logic import keyset, member_lists, memberships, project_pages, project_queries, users
from astakos.logic.member_lists import ChosenMembers
from astakos.logic.memberships import MembershipDetails
from astakos.models import MembershipState
from astakos.models.project import ACCEPTED_STATES
from astakos.web import bulk, project_commands, project_texts
from astakos.web.access import is_fragment, part_of_page, ready_required, with_fragments
from astakos.web.lists import key_of, per_page, ways
from astakos.web.projects import UUID, attempt, confirm, credentials_of, reason_of, see_other
from branding.tables import Column, Table, chips
from synnefo.errors import NotFound
from synnefo.texts import sentence

_WAITING = (MembershipState.REQUESTED, MembershipState.LEAVE_REQUESTED)
_STATES: dict[str, Sequence[MembershipState]] = {
    "": (MembershipState.REQUESTED, *ACCEPTED_STATES),
    "approved": ACCEPTED_STATES,
    "pending": _WAITING,
}
ACTIONS = ("accept", "reject", "remove")
_MAX_ADDRESSES = 200
_COLUMNS = (
    Column("name", gettext_lazy("Name"), sort="name"),
    Column("email", gettext_lazy("E-mail address"), sort="email", fixed=True),
    Column("status", gettext_lazy("Status")),
    Column("requested", gettext_lazy("Requested"), sort="-created"),
    Column("joined", gettext_lazy("Joined")),
    Column("action", gettext_lazy("Action"), fixed=True),
)


class AddressesForm(forms.Form):
    """E-mail addresses of people to add."""

    addresses = forms.CharField(
        label=gettext_lazy("E-mail addresses"),
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("One a line, or with commas between. They must have an account here."),
    )

    def clean_addresses(self) -> list[str]:
        """Return the addresses, each once."""
        found = list(dict.fromkeys(filter(None, re.split(r"[\s,;]+", self.cleaned_data["addresses"]))))
        if len(found) > _MAX_ADDRESSES:
            raise forms.ValidationError(
                _("Add at most %(limit)d people at once."), params={"limit": _MAX_ADDRESSES}
            )
        return found


@require_safe
@ready_required
def show(request: HttpRequest, uuid: str, which: str = "") -> HttpResponse:
    """List the members and those who wait for the owner."""
    return members_page(request, uuid, which or "")


def chosen_of(values: Mapping[str, Any], which: str) -> ChosenMembers:
    """Return which members *values* of an address or a form ask for."""
    sort = values.get("sort", "")
    return ChosenMembers(
        states=_STATES.get(which, _STATES[""]),
        text=values.get("q", ""),
        sort=sort if sort in member_lists.SORTS else "created",
    )


def members_page(
    request: HttpRequest, uuid: str, which: str = "", *, status: int = 200, **extra: object
) -> HttpResponse:
    """Render the list of members with *extra* for its template; raises ``NotFound`` or ``Forbidden``."""
    credentials = credentials_of(request)
    chosen = chosen_of(request.GET, which)
    batch = member_lists.list_members(
        credentials,
        project=uuid,
        chosen=chosen,
        after=key_of(request, "after"),
        limit=per_page(request, settings.ASTAKOS_PAGINATE_BY),
    )
    path = reverse(
        "astakos-project-members-of" if which else "astakos-project-members",
        args=[uuid, which] if which else [uuid],
    )
    context: dict[str, Any] = {
        "live": f"{path}?{request.GET.urlencode()}",
        "path": path,
        "project": project_queries.show_project(credentials, uuid=uuid),
        "which": which,
        "q": chosen.text,
        "rows": [_row(member) for member in batch.rows],
        "table": Table(request, "members", _COLUMNS, sort=chosen.sort),
        "total": batch.total,
        "most": keyset.MAX_COUNTED,
        "chips": chips(request, [("q", chosen.text)]),
        "counts": project_pages.member_counts(uuid=uuid),
        "form": AddressesForm(),
        "commands": project_commands.of_members(uuid),
        **ways(request, "after", batch.next),
        **extra,
    }
    if is_fragment(request):
        return part_of_page(request, "astakos/projects/member_rows.html", context)
    return with_fragments(render(request, "astakos/projects/members.html", context, status=status))


def _row(member: MembershipDetails) -> dict[str, Any]:
    return {
        "member": member,
        "state": project_texts.membership_text(member.state),
        "requested": member.reached.get("requested"),
        "joined": member.reached.get("accepted"),
        "actions": [(action, label_of(action)) for action in ACTIONS if action in member.allowed_actions],
    }


def label_of(action: str) -> str:
    """Return what a button for *action* says."""
    return {"accept": _("Accept"), "reject": _("Reject"), "remove": _("Remove")}[action]


@require_http_methods(["GET", "HEAD", "POST"])
@ready_required
def add(request: HttpRequest, uuid: str) -> HttpResponse:
    """Make people members by their addresses; with an unknown one nobody is added."""
    if request.method != "POST":
        return see_other("astakos-project-members", uuid)
    credentials = credentials_of(request)
    member_lists.require_ruler(credentials, project=uuid)
    form = AddressesForm(request.POST)
    if not form.is_valid():
        return members_page(request, uuid, form=form, status=422)
    addresses: list[str] = form.cleaned_data["addresses"]
    known = users.catalog(emails=addresses).uuids_by_email
    unknown = [address for address in addresses if address not in known]
    if unknown:
        text = _("Nobody has these addresses: %(addresses)s.") % {"addresses": ", ".join(unknown)}
        return _refused(request, uuid, [text], [address for address in addresses if address in known])
    report = bulk.perform(
        enumerate(addresses),
        lambda number: memberships.enroll(credentials, project=uuid, email=addresses[number].lower()),
    )
    if report.done < len(addresses):
        return _refused(
            request, uuid, _failures(report), [item.label for item in report.outcomes if not item.done]
        )
    text = ngettext("%(count)d person added.", "%(count)d people added.", len(addresses))
    messages.success(request, text % {"count": len(addresses)})
    return see_other("astakos-project-members", uuid)


def _failures(report: bulk.Report) -> list[str]:
    failures = [f"{item.label}: {item.reason}" for item in report.outcomes if item.reason]
    if report.left:
        text = ngettext(
            "There was no time for %(count)d of them; add the rest now.",
            "There was no time for %(count)d of them; add the rest now.",
            report.left,
        )
        failures.append(text % {"count": report.left})
    return failures


def _refused(request: HttpRequest, uuid: str, errors: list[str], kept: list[str]) -> HttpResponse:
    """Show what was wrong, with the addresses worth another try in the box."""
    form = AddressesForm({"addresses": "\n".join(kept)})
    form.is_valid()
    form.errors.pop("addresses", None)
    for error in errors:
        form.add_error("addresses", error)
    return members_page(request, uuid, form=form, status=422)


@require_http_methods(["GET", "HEAD", "POST"])
@ready_required
def act(request: HttpRequest, uuid: str, membership_id: str, action: str) -> HttpResponse:
    """Accept, reject or remove one member."""
    credentials = credentials_of(request)
    member_lists.require_ruler(credentials, project=uuid)
    found = member_lists.of_project(project=uuid, ids=[int(membership_id)])
    if not found:
        raise NotFound(sentence("There is no membership %(membership_id)s", membership_id=membership_id))
    member = found[0]
    if request.method != "POST":
        return confirm(
            request, title=label_of(action), text=member.email, button=label_of(action),
            danger=action != "accept", reason=action != "accept",
            back=reverse("astakos-project-members", args=[uuid]),
        )  # fmt: skip
    done = attempt(
        request,
        lambda: memberships.act(
            credentials, membership_id=member.id, action=action, reason=reason_of(request)
        ),
        _("Done."),
    )
    return see_other("astakos-project-members", uuid) if done else members_page(request, uuid, status=409)


_MEMBERS = rf"^ui/projects/{UUID}/members"
urlpatterns: list[URLPattern] = [
    re_path(rf"{_MEMBERS}/?$", show, name="astakos-project-members"),
    re_path(rf"{_MEMBERS}/(?P<which>approved|pending)/?$", show, name="astakos-project-members-of"),
    re_path(rf"{_MEMBERS}/add/?$", add, name="astakos-project-members-add"),
    re_path(
        rf"^ui/projects/{UUID}/memberships/(?P<membership_id>[0-9]{{1,18}})/(?P<action>accept|reject|remove)/?$",
        act,
        name="astakos-project-membership-act",
    ),
]
