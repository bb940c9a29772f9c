"""The account: names, ways to sign in, sessions, preferences (web contract 8, A-08)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from astakos.logic import auth_providers, email_changes, profile, third_party
from astakos.logic.profile import MAX_NAME_LENGTH
from astakos.models import User
from astakos.web.access import safe_next, terms_required, user_of
from branding.fault_texts import text_of
from branding.preferences import THEMES
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest


class NamesForm(forms.Form):
    """First and last name."""

    first_name = forms.CharField(label=gettext_lazy("First name"), max_length=MAX_NAME_LENGTH)
    last_name = forms.CharField(label=gettext_lazy("Last name"), max_length=MAX_NAME_LENGTH)

    def __init__(self, *args: Any, read_only: Collection[str], **keywords: Any) -> None:
        """Make a form that leaves the *read_only* fields as they are."""
        super().__init__(*args, **keywords)
        for name in read_only:
            if name in self.fields:
                self.fields[name].disabled = True
                self.fields[name].help_text = _("Your login provider supplies this.")


@require_http_methods(["GET", "HEAD", "POST"])
@terms_required
def show(request: HttpRequest) -> HttpResponse:
    """Show the account, or save its names."""
    user = user_of(request)
    profile.mark_visited(user)
    following = safe_next(request, "")
    read_only = third_party.read_only_fields(user)
    names = {"first_name": user.first_name, "last_name": user.last_name}
    form = NamesForm(request.POST if request.method == "POST" else None, initial=names, read_only=read_only)
    may_rename = not read_only.issuperset(names)
    if request.method == "POST" and _saved(form, user):
        messages.success(request, _("Your profile is saved."))
        return _to(following or reverse("astakos-profile"))
    status = 422 if request.method == "POST" else 200
    context = {**_context(request, user, form, may_rename), "following": following}
    return render(request, "astakos/profile.html", context, status=status)


def _context(request: HttpRequest, user: User, form: NamesForm, may_rename: bool) -> dict[str, object]:
    methods = auth_providers.user_methods(user)
    current = request.session.session_key or ""
    return {
        "form": form,
        "may_rename": may_rename,
        "methods": methods,
        "missing": auth_providers.missing_required(user),
        "sessions": profile.browser_sessions(user, current=current),
        "groups": list(user.groups.order_by("name").values_list("name", flat=True)),
        "pending_change": email_changes.pending(user),
        "email_changes": getattr(settings, "ASTAKOS_EMAILCHANGE_ENABLED", False),
        "has_password": profile.has_password(user),
        "has_authenticator": hasattr(user, "totp_device") and user.totp_device.confirmed is not None,
        "passkeys": user.passkeys.count(),
        "themes": list(zip(THEMES, (_("Like my system"), _("Light"), _("Dark")), strict=True)),
        "base": reverse("astakos-index"),
    }


def _saved(form: NamesForm, user: User) -> bool:
    if not form.is_valid():
        return False
    try:
        profile.save_names(Credentials(user_id=user.uuid), user_id=user.pk, **form.cleaned_data)
    except BadRequest as error:
        form.add_error(None, text_of(error))
        return False
    return True


def _to(address: str) -> HttpResponse:
    response = HttpResponseRedirect(address)
    response.status_code = 303
    return response


@require_POST
@terms_required
def end_sessions(request: HttpRequest) -> HttpResponse:
    """Sign the user out in all other browsers."""
    user = user_of(request)
    ended = profile.end_other_sessions(
        Credentials(user_id=user.uuid), user=user, current=request.session.session_key or ""
    )
    text = ngettext("%(count)s other session ended.", "%(count)s other sessions ended.", ended)
    messages.success(request, text % {"count": ended})
    return _to(reverse("astakos-profile"))


urlpatterns: list[URLPattern] = [
    re_path(r"^ui/profile/?$", show, name="astakos-profile"),
    re_path(r"^ui/profile/end_sessions/?$", end_sessions, name="astakos-end-sessions"),
]
