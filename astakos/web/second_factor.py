"""Showing, setting up and removing second factors (web contract 2.2)."""

from __future__ import annotations

from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from astakos.logic import second_factor
from astakos.models import User
from astakos.web.access import safe_next, terms_required, user_of
from astakos.web.half_login import HalfLogin, finish_half_login, half_login_required
from astakos.web.login import targets_of
from astakos.web.login_flow import see_other
from astakos.web.step_up import step_up_required
from branding.fault_texts import text_of
from synnefo.content_security import add_sources
from synnefo.credentials import Credentials
from synnefo.errors import SynnefoError

_CHALLENGE = "passkey_challenge"
_CODES = "new_recovery_codes"
_HOME = "astakos-second-factor"


class CodeForm(forms.Form):
    """A code of the authenticator application, or a recovery code."""

    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autocapitalize": "none"}),
    )


class PasskeyForm(forms.Form):
    """What the browser's passkey answered."""

    answer = forms.CharField(max_length=second_factor.MAX_PASSKEY_JSON, widget=forms.HiddenInput)


class NewPasskeyForm(PasskeyForm):
    """A new passkey and how its owner calls it."""

    name = forms.CharField(label=gettext_lazy("Name of the passkey"), max_length=80, required=False)


def _acting(user: User) -> Credentials:
    return Credentials(user_id=user.uuid)


# -- at the login ------------------------------------------------------------------------------------------


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@half_login_required
def challenge(request: HttpRequest, found: HalfLogin) -> HttpResponse:
    """Ask for the second factor of who gave the right password."""
    if not second_factor.factors_of(found.user).is_protected:
        return see_other(reverse("astakos-login"))
    form, status = CodeForm(), 200
    if request.method == "POST":
        form = CodeForm(request.POST)
        status = _shown(request, found.user, form)
        if status == 303:
            return finish_half_login(request, found)
    options = _asked_passkey(request, found.user)
    context = {"form": form, "options": options, "factors": second_factor.factors_of(found.user)}
    response = render(request, "astakos/second_factor_challenge.html", context, status=status)
    add_sources(response, {"form-action": targets_of(found.following)})
    return response


def _asked_passkey(request: HttpRequest, user: User) -> str:
    """Return what the browser needs to show a passkey, empty when the user has none."""
    asked = second_factor.begin_passkey_check(user=user)
    if asked is None:
        return ""
    request.session[_CHALLENGE] = asked[1]
    return asked[0]


def _shown(request: HttpRequest, user: User, form: CodeForm) -> int:
    """Return 303 when a second factor was shown, else the status of the page that asks again."""
    passkey = PasskeyForm(request.POST)
    try:
        if passkey.is_valid():
            answer, asked = passkey.cleaned_data["answer"], request.session.pop(_CHALLENGE, "")
            second_factor.check_passkey(user=user, answer=answer, challenge=asked)
            return 303
        if form.is_valid():
            second_factor.check_code(user=user, code=form.cleaned_data["code"])
            return 303
    except SynnefoError as error:
        form.is_valid()
        form.add_error(None, text_of(error))
        return 429 if error.code == 429 else 422
    return 422


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@half_login_required
def set_up(request: HttpRequest, found: HalfLogin) -> HttpResponse:
    """Have who gave the right password set up the second factor that policy requires, then log in."""
    if second_factor.factors_of(found.user).is_protected:
        return see_other(reverse("astakos-second-factor-challenge"))
    form = CodeForm(request.POST if request.method == "POST" else None)
    codes = _confirmed(found.user, form) if request.method == "POST" else None
    if codes is not None:
        response = finish_half_login(request, found)
        request.session[_CODES] = codes
        messages.info(request, _("Please keep your recovery codes."))
        return see_other(f"{reverse(_HOME)}?{urlencode({'next': response['Location']})}")
    return _totp_page(request, found.user, form)


# -- of one's account --------------------------------------------------------------------------------------


@never_cache
@require_safe
@terms_required
@step_up_required(_HOME)
def show(request: HttpRequest) -> HttpResponse:
    """Show the second factors of the account, and recovery codes that were just made."""
    codes = request.session.pop(_CODES, None)
    context = {
        "factors": second_factor.factors_of(user_of(request)),
        "codes": codes,
        "following": safe_next(request, ""),
    }
    return render(request, "astakos/second_factor.html", context)


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@terms_required
@step_up_required(_HOME)
def add_totp(request: HttpRequest) -> HttpResponse:
    """Set up an authenticator application."""
    user = user_of(request)
    form = CodeForm(request.POST if request.method == "POST" else None)
    codes = _confirmed(user, form) if request.method == "POST" else None
    if codes is None:
        return _totp_page(request, user, form)
    request.session[_CODES] = codes
    messages.success(request, _("The authenticator application is set up."))
    return see_other(reverse(_HOME))


def _confirmed(user: User, form: CodeForm) -> list[str] | None:
    """Return recovery codes when the first code was right, else ``None`` with the error in *form*."""
    if not form.is_valid():
        return None
    try:
        return second_factor.confirm_totp(_acting(user), user_id=user.pk, code=form.cleaned_data["code"])
    except SynnefoError as error:
        form.add_error("code", text_of(error))
        return None


def _totp_page(request: HttpRequest, user: User, form: CodeForm) -> HttpResponse:
    try:
        setup = second_factor.pending_totp(user_id=user.pk) or second_factor.begin_totp(
            _acting(user), user_id=user.pk
        )
    except SynnefoError as error:
        messages.error(request, text_of(error))
        return see_other(reverse(_HOME))
    status = 422 if form.errors else 200
    return render(request, "astakos/second_factor_totp.html", {"form": form, "setup": setup}, status=status)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@terms_required
@step_up_required(_HOME)
def add_passkey(request: HttpRequest) -> HttpResponse:
    """Add a passkey."""
    user = user_of(request)
    form, status = NewPasskeyForm(request.POST if request.method == "POST" else None), 200
    if request.method == "POST":
        codes = _added(request, user, form)
        if codes is not None:
            request.session[_CODES] = codes
            messages.success(request, _("The passkey was added."))
            return see_other(reverse(_HOME))
        status = 422
    options, asked = second_factor.begin_passkey(user=user)
    request.session[_CHALLENGE] = asked
    context = {"form": form, "options": options}
    return render(request, "astakos/second_factor_passkey.html", context, status=status)


def _added(request: HttpRequest, user: User, form: NewPasskeyForm) -> list[str] | None:
    if not form.is_valid():
        return None
    try:
        return second_factor.add_passkey(
            _acting(user),
            user_id=user.pk,
            name=form.cleaned_data["name"],
            answer=form.cleaned_data["answer"],
            challenge=request.session.pop(_CHALLENGE, ""),
        )
    except SynnefoError as error:
        form.add_error(None, text_of(error))
        return None


@require_POST
@terms_required
@step_up_required(_HOME)
def remove_totp(request: HttpRequest) -> HttpResponse:
    """Remove the authenticator application."""
    user = user_of(request)
    try:
        second_factor.remove_totp(_acting(user), user_id=user.pk)
        messages.success(request, _("The authenticator application was removed."))
    except SynnefoError as error:
        messages.error(request, text_of(error))
    return see_other(reverse(_HOME))


@require_POST
@terms_required
@step_up_required(_HOME)
def remove_passkey(request: HttpRequest, passkey_id: str) -> HttpResponse:
    """Remove a passkey."""
    user = user_of(request)
    try:
        second_factor.remove_passkey(_acting(user), user_id=user.pk, passkey_id=int(passkey_id))
        messages.success(request, _("The passkey was removed."))
    except SynnefoError as error:
        messages.error(request, text_of(error))
    return see_other(reverse(_HOME))


@require_POST
@terms_required
@step_up_required(_HOME)
def renew_recovery_codes(request: HttpRequest) -> HttpResponse:
    """Replace the recovery codes."""
    user = user_of(request)
    try:
        request.session[_CODES] = second_factor.renew_recovery_codes(_acting(user), user_id=user.pk)
    except SynnefoError as error:
        messages.error(request, text_of(error))
    return see_other(reverse(_HOME))


urlpatterns: list[URLPattern] = [
    re_path(r"^ui/login/second_factor/?$", challenge, name="astakos-second-factor-challenge"),
    re_path(r"^ui/login/second_factor/set_up/?$", set_up, name="astakos-second-factor-set-up"),
    re_path(r"^ui/second_factor/?$", show, name=_HOME),
    re_path(r"^ui/second_factor/totp/?$", add_totp, name="astakos-totp-add"),
    re_path(r"^ui/second_factor/totp/remove/?$", remove_totp, name="astakos-totp-remove"),
    re_path(r"^ui/second_factor/passkeys/add/?$", add_passkey, name="astakos-passkey-add"),
    re_path(
        r"^ui/second_factor/passkeys/(?P<passkey_id>[0-9]{1,18})/remove/?$",
        remove_passkey,
        name="astakos-passkey-remove",
    ),
    re_path(r"^ui/second_factor/recovery/?$", renew_recovery_codes, name="astakos-recovery-codes"),
]
