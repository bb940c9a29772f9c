"""Changing one's mail address (web contract 8, A-10)."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from astakos.logic import email_changes, limited
from astakos.logic.email_changes import PendingChange
from astakos.models import User
from astakos.web.access import terms_required, user_of
from astakos.web.form_pages import client_address, form_page, submit
from astakos.web.login_flow import see_other
from astakos.web.sessions import page_user
from astakos.web.step_up import step_up_required
from branding.fault_texts import text_of
from synnefo.credentials import Credentials
from synnefo.errors import Conflict, SynnefoError


class NewAddressForm(forms.Form):
    """The address that is to be the account's."""

    new_email_address = forms.EmailField(label=gettext_lazy("New e-mail address"), max_length=255)


@require_http_methods(["GET", "HEAD", "POST"])
@terms_required
@step_up_required("astakos-email-change")
def change(request: HttpRequest) -> HttpResponse:
    """Show what is pending, or mail a link to a new address."""
    user = user_of(request)
    email_changes.check_enabled(user)
    form = NewAddressForm(request.POST if request.method == "POST" else None)
    error: SynnefoError | None = None
    if request.method == "POST":
        result = submit(form, lambda: _request(form, user), field="new_email_address")
        if isinstance(result, PendingChange):
            messages.info(request, _("A link was sent to the new address. Open it to finish the change."))
            return see_other(reverse("astakos-email-change"))
        error = result
    pending = email_changes.pending(user)
    return form_page(request, "astakos/email_change.html", form, error=error, pending=pending)


def _request(form: NewAddressForm, user: User) -> PendingChange:
    return email_changes.request(
        Credentials(user_id=user.uuid), user_id=user.pk, new_address=form.cleaned_data["new_email_address"]
    )


@require_POST
@terms_required
def cancel(request: HttpRequest) -> HttpResponse:
    """Forget the change that is pending."""
    user = user_of(request)
    if email_changes.cancel(Credentials(user_id=user.uuid), user_id=user.pk):
        messages.info(request, _("Your address stays as it is."))
    return see_other(reverse("astakos-profile"))


@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, key: str) -> HttpResponse:
    """Ask who opened the link to confirm it; then the account has the new address."""
    limited.check_form("email-change", client_address(request))
    visitor = page_user(request)
    wish = email_changes.find(key=key, visitor=visitor)
    context = {"new_address": wish.new_email_address}
    if request.method != "POST":
        return render(request, "astakos/email_change_confirm.html", context)
    try:
        user = email_changes.confirm(key=key, visitor=visitor)
    except Conflict as error:
        context["reason"] = text_of(error)
        return render(request, "astakos/email_change_confirm.html", context, status=error.code)
    messages.success(request, _("The address of your account is now %(email)s.") % {"email": user.email})
    return see_other(reverse("astakos-profile" if visitor is not None else "astakos-login"))


urlpatterns: list[URLPattern] = [
    re_path(r"^ui/email_change/?$", change, name="astakos-email-change"),
    re_path(r"^ui/email_change/cancel/?$", cancel, name="astakos-email-change-cancel"),
    re_path(
        r"^ui/email_change/confirm/(?P<key>[0-9A-Za-z]{1,64})/?$",
        confirm,
        name="astakos-email-change-confirm",
    ),
]
