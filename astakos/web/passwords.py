"""Passwords: changing them, replacing forgotten ones (web contract 8, A-09)."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from astakos.logic import password_links, passwords
from astakos.models import User
from astakos.web.access import terms_required, user_of
from astakos.web.form_pages import client_address, form_page, submit
from astakos.web.login_flow import see_other
from astakos.web.sessions import log_in, login_module, page_user
from astakos.web.step_up import is_recent, to_confirmation
from branding.fault_texts import text_of
from synnefo.credentials import Credentials
from synnefo.errors import SynnefoError

_MAX_SECRET_LENGTH = 4096


def _secret_field(label: Any) -> forms.CharField:
    return forms.CharField(
        label=label, max_length=_MAX_SECRET_LENGTH, strip=False, widget=forms.PasswordInput
    )


class NewPasswordForm(forms.Form):
    """A new password, twice."""

    new_password1 = _secret_field(gettext_lazy("New password"))
    new_password2 = _secret_field(gettext_lazy("New password again"))

    def clean(self) -> dict[str, Any]:
        """Compare the two."""
        values: dict[str, Any] = super().clean() or {}
        if values.get("new_password1") != values.get("new_password2") and "new_password1" in values:
            self.add_error("new_password2", _("The two passwords differ"))
        return values


class ChangeForm(NewPasswordForm):
    """The old password if there is one, the new one, and a choice about the token where there is one."""

    old_password = _secret_field(gettext_lazy("Old password"))
    renew = forms.BooleanField(label=gettext_lazy("Also renew my API token"), required=False)
    field_order = ("old_password", "new_password1", "new_password2", "renew")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not passwords.has_password(user):
            del self.fields["old_password"]
        if settings.ASTAKOS_NEWPASSWD_INVALIDATE_TOKEN:
            del self.fields["renew"]


class AddressForm(forms.Form):
    """Whose password was forgotten."""

    email = forms.EmailField(label=gettext_lazy("E-mail address"), max_length=255)


@sensitive_post_parameters("old_password", "new_password1", "new_password2")
@require_http_methods(["GET", "HEAD", "POST"])
@terms_required
def change(request: HttpRequest) -> HttpResponse:
    """Change the password, or set the first one."""
    user = user_of(request)
    has_password = passwords.has_password(user)
    if not has_password and not is_recent(request):
        return to_confirmation(reverse("astakos-password-change"))
    form = ChangeForm(request.POST if request.method == "POST" else None, user=user)
    error: SynnefoError | None = None
    if request.method == "POST":
        result = submit(form, lambda: _change(request, form, user))
        if isinstance(result, User):
            # All sessions ended; this browser goes on with one of its own.
            log_in(request, result, module=login_module(request) or "local")
            messages.success(request, _("Your password is changed, and all other browsers are signed out."))
            return see_other(reverse("astakos-profile"))
        error = result
    return form_page(request, "astakos/password_change.html", form, error=error, has_password=has_password)


def _change(request: HttpRequest, form: ChangeForm, user: User) -> User | SynnefoError:
    values = form.cleaned_data
    try:
        return passwords.change(
            Credentials(user_id=user.uuid),
            user_id=user.pk,
            old_password=values.get("old_password"),
            new_password=values["new_password1"],
            renew_token=values.get("renew", False),
            address=client_address(request),
        )
    except passwords.WrongPassword as error:
        form.add_error("old_password", text_of(error))
        return error


@require_http_methods(["GET", "HEAD", "POST"])
def reset(request: HttpRequest) -> HttpResponse:
    """Mail the way to a new password; the answer says nothing about whether there is such an account."""
    form = AddressForm(request.POST if request.method == "POST" else None)
    error: SynnefoError | None = None
    if request.method == "POST":
        address = client_address(request)
        result = submit(
            form,
            lambda: passwords.request_reset(email=form.cleaned_data["email"], address=address),
            field="email",
        )
        if result is None:
            return see_other(reverse("astakos-password-reset-done"))
        error = result
    return form_page(request, "astakos/password_reset.html", form, error=error)


@require_safe
def reset_done(request: HttpRequest) -> HttpResponse:
    """Tell that a mail is on its way if there is such an account."""
    return render(request, "astakos/password_reset_done.html")


@sensitive_post_parameters("new_password1", "new_password2")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def reset_confirm(request: HttpRequest, reference: str, token: str) -> HttpResponse:
    """Let who has the link choose a new password."""
    password_links.user_of_link(reference=reference, token=token)
    form = NewPasswordForm(request.POST if request.method == "POST" else None)
    error: SynnefoError | None = None
    if request.method == "POST":
        result = submit(
            form,
            lambda: passwords.reset(
                reference=reference, token=token, new_password=form.cleaned_data["new_password1"]
            ),
            field="new_password1",
        )
        if isinstance(result, User):
            return see_other(reverse("astakos-password-reset-complete"))
        error = result
    return form_page(request, "astakos/password_reset_confirm.html", form, error=error)


@require_safe
def reset_complete(request: HttpRequest) -> HttpResponse:
    """Tell that the new password is in force."""
    if page_user(request) is not None:
        return see_other(reverse("astakos-profile"))
    return render(request, "astakos/password_reset_complete.html")


_LINK = r"(?P<reference>[0-9A-Za-z_-]{1,64})/(?P<token>[0-9A-Za-z-]{1,128})"
urlpatterns: list[URLPattern] = [
    re_path(r"^ui/password_change/?$", change, name="astakos-password-change"),
    re_path(r"^ui/local/password_reset/?$", reset, name="astakos-password-reset"),
    re_path(r"^ui/local/password_reset/done/?$", reset_done, name="astakos-password-reset-done"),
    re_path(rf"^ui/local/reset/confirm/{_LINK}/?$", reset_confirm, name="astakos-password-reset-confirm"),
    re_path(r"^ui/local/password/reset/complete/?$", reset_complete, name="astakos-password-reset-complete"),
]
