"""Members of a project: who they are, who wants in or out, adding people (web contract 10, P-07, P-08)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from astakos.logic import memberships, project_pages, project_queries, users
from astakos.logic.memberships import MembershipDetails
from astakos.models import MembershipState
from astakos.models.project import ACCEPTED_STATES
from astakos.web import project_commands, project_texts
from astakos.web.access import is_fragment, part_of_page, ready_required, with_fragments
from astakos.web.lists import key_of, per_page, ways
from astakos.web.projects import UUID, attempt, confirm, credentials_of, see_other
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound

_WAITING = (MembershipState.REQUESTED, MembershipState.LEAVE_REQUESTED)
_STATES: dict[str, Sequence[MembershipState]] = {
    "": (MembershipState.REQUESTED, *ACCEPTED_STATES),
    "approved": ACCEPTED_STATES,
    "pending": _WAITING,
}
_ACTIONS = ("accept", "reject", "remove")
_MAX_ADDRESSES = 200
_MAX_SELECTED = 500


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
    return _page(request, uuid, which or "")


def _page(
    request: HttpRequest,
    uuid: str,
    which: str = "",
    *,
    form: AddressesForm | None = None,
    status: int = 200,
) -> HttpResponse:
    credentials = credentials_of(request)
    found, following = memberships.list_members(
        credentials,
        project=uuid,
        states=_STATES[which],
        after=key_of(request, "after") or 0,
        limit=per_page(request, settings.ASTAKOS_PAGINATE_BY),
    )
    path = reverse(
        "astakos-project-members-of" if which else "astakos-project-members",
        args=[uuid, which] if which else [uuid],
    )
    context: dict[str, Any] = {
        "live": f"{path}?{request.GET.urlencode()}",
        "project": project_queries.show_project(credentials, uuid=uuid),
        "which": which,
        "rows": [_row(member) for member in found],
        "counts": project_pages.member_counts(uuid=uuid),
        "form": form or AddressesForm(),
        "commands": project_commands.of_members(uuid),
        **ways(request, "after", following),
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
        "actions": [(action, _label(action)) for action in _ACTIONS if action in member.allowed_actions],
    }


def _label(action: str) -> str:
    return {"accept": _("Accept"), "reject": _("Reject"), "remove": _("Remove")}[action]


def _require_owner(credentials: Credentials, uuid: str) -> None:
    memberships.list_members(credentials, project=uuid, states=(), limit=1)


@require_POST
@ready_required
def act_on_many(request: HttpRequest, uuid: str) -> HttpResponse:
    """Accept, reject or remove the selected members, each on its own."""
    credentials = credentials_of(request)
    _require_owner(credentials, uuid)
    action = request.POST.get("action", "")
    chosen = request.POST.getlist("members")
    if action not in _ACTIONS or len(chosen) > _MAX_SELECTED or not all(map(_is_number, chosen)):
        raise BadRequest("Choose members and one of accept, reject and remove")
    if not chosen:
        messages.error(request, _("Select at least one member."))
        return _page(request, uuid, status=422)
    done, failures = 0, []
    for member in memberships.of_project(project=uuid, ids=map(int, chosen)):
        try:
            memberships.act(credentials, membership_id=member.id, action=action)
            done += 1
        except (Conflict, Forbidden, NotFound) as error:
            failures.append(f"{member.email}: {error.message}")
    if done:
        text = ngettext("%(count)d membership changed.", "%(count)d memberships changed.", done)
        messages.success(request, text % {"count": done})
    for failure in failures:
        messages.error(request, failure)
    return _page(request, uuid, status=409) if failures else see_other("astakos-project-members", uuid)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


@require_POST
@ready_required
def add(request: HttpRequest, uuid: str) -> HttpResponse:
    """Make people members by their addresses; with an unknown one nobody is added."""
    credentials = credentials_of(request)
    _require_owner(credentials, uuid)
    form = AddressesForm(request.POST)
    if not form.is_valid():
        return _page(request, uuid, form=form, status=422)
    addresses: list[str] = form.cleaned_data["addresses"]
    known = users.catalog(emails=addresses).uuids_by_email
    unknown = [address for address in addresses if address not in known]
    if unknown:
        text = _("Nobody has these addresses: %(addresses)s.") % {"addresses": ", ".join(unknown)}
        return _refused(request, uuid, [text], [address for address in addresses if address in known])
    failures, left = [], []
    for address in addresses:
        try:
            memberships.enroll(credentials, project=uuid, email=address.lower())
        except Conflict as error:
            failures.append(f"{address}: {error.message}")
            left.append(address)
    if failures:
        return _refused(request, uuid, failures, left)
    text = ngettext("%(count)d person added.", "%(count)d people added.", len(addresses))
    messages.success(request, text % {"count": len(addresses)})
    return see_other("astakos-project-members", uuid)


def _refused(request: HttpRequest, uuid: str, errors: list[str], kept: list[str]) -> HttpResponse:
    """Show what was wrong, with the addresses worth another try in the box."""
    form = AddressesForm({"addresses": "\n".join(kept)})
    form.is_valid()
    form.errors.pop("addresses", None)
    for error in errors:
        form.add_error("addresses", error)
    return _page(request, uuid, form=form, status=422)


@require_http_methods(["GET", "HEAD", "POST"])
@ready_required
def act(request: HttpRequest, uuid: str, membership_id: str, action: str) -> HttpResponse:
    """Accept, reject or remove one member."""
    credentials = credentials_of(request)
    _require_owner(credentials, uuid)
    found = memberships.of_project(project=uuid, ids=[int(membership_id)])
    if not found:
        raise NotFound(f"There is no membership {membership_id}")
    member = found[0]
    if request.method != "POST":
        return confirm(
            request, title=_label(action), text=member.email, button=_label(action),
            danger=action != "accept", back=reverse("astakos-project-members", args=[uuid]),
        )  # fmt: skip
    done = attempt(
        request, lambda: memberships.act(credentials, membership_id=member.id, action=action), _("Done.")
    )
    return see_other("astakos-project-members", uuid) if done else _page(request, uuid, status=409)


_MEMBERS = rf"^ui/projects/{UUID}/members"
urlpatterns: list[URLPattern] = [
    re_path(rf"{_MEMBERS}/?$", show, name="astakos-project-members"),
    re_path(rf"{_MEMBERS}/(?P<which>approved|pending)/?$", show, name="astakos-project-members-of"),
    re_path(rf"{_MEMBERS}/change/?$", act_on_many, name="astakos-project-members-change"),
    re_path(rf"{_MEMBERS}/add/?$", add, name="astakos-project-members-add"),
    re_path(
        rf"^ui/projects/{UUID}/memberships/(?P<membership_id>[0-9]{{1,18}})/(?P<action>accept|reject|remove)/?$",
        act,
        name="astakos-project-membership-act",
    ),
]
