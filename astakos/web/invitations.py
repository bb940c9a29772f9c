"""Inviting others (web contract 8, A-14)."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from astakos.logic import invitations
from astakos.models import User
from astakos.web.access import ready_required, user_of
from astakos.web.form_pages import form_page, submit
from astakos.web.lists import key_of, per_page, ways
from astakos.web.login_flow import see_other
from synnefo.credentials import Credentials
from synnefo.errors import SynnefoError


class InvitationForm(forms.Form):
    """Who is invited."""

    realname = forms.CharField(label=gettext_lazy("Name"), max_length=61)
    username = forms.EmailField(
        label=gettext_lazy("E-mail address"),
        max_length=255,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@ready_required
def invite(request: HttpRequest) -> HttpResponse:
    """Show whom the user invited, or invite one more."""
    invitations.check_enabled()
    user = user_of(request)
    form = InvitationForm(request.POST if request.method == "POST" else None)
    error: SynnefoError | None = None
    if request.method == "POST":
        result = submit(form, lambda: _send(form, user))
        if result is None:
            messages.success(request, _("The invitation was sent."))
            return see_other(reverse("astakos-invitations"))
        error = result
    page = invitations.overview(
        user_id=user.pk,
        before=key_of(request, "before"),
        limit=per_page(request, settings.ASTAKOS_PAGINATE_BY),
    )
    return form_page(
        request,
        "astakos/invitations.html",
        form,
        error=error,
        page=page,
        **ways(request, "before", page.next),
    )


def _send(form: InvitationForm, user: User) -> None:
    values = form.cleaned_data
    invitations.send(
        Credentials(user_id=user.uuid), user_id=user.pk, realname=values["realname"], email=values["username"]
    )


urlpatterns: list[URLPattern] = [re_path(r"^ui/invite/?$", invite, name="astakos-invitations")]
