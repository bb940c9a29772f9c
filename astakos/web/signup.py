"""Creating an account (web contract 8, A-04)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from astakos.logic import auth_providers, captcha, limited, password_rules, second_factor, signup, terms
from astakos.logic.signup import Outcome, Prefilled, SignUpResult
from astakos.logic.users import MAX_NAME_LENGTH
from astakos.models import User
from astakos.web.access import safe_next
from astakos.web.captcha_box import SOURCES
from astakos.web.form_pages import client_address, form_page, submit
from astakos.web.half_login import begin_half_login
from astakos.web.login import form_targets, success_url
from astakos.web.login_flow import complete_login, see_other
from astakos.web.sessions import page_user
from branding.fault_texts import text_of
from synnefo import crypto
from synnefo.content_security import with_sources
from synnefo.errors import BadRequest, SynnefoError

_MAX_SECRET_LENGTH = 4096


class SignUpForm(forms.Form):
    """Who somebody is; passwords only where the login method is ``local``, terms only where there are any."""

    email = forms.EmailField(label=gettext_lazy("E-mail address"), max_length=255)
    first_name = forms.CharField(label=gettext_lazy("First name"), max_length=MAX_NAME_LENGTH)
    last_name = forms.CharField(label=gettext_lazy("Last name"), max_length=MAX_NAME_LENGTH)
    password1 = forms.CharField(
        label=gettext_lazy("Password"), max_length=_MAX_SECRET_LENGTH, strip=False, widget=forms.PasswordInput
    )
    password2 = forms.CharField(
        label=gettext_lazy("Password again"),
        max_length=_MAX_SECRET_LENGTH,
        strip=False,
        widget=forms.PasswordInput,
    )
    has_signed_terms = forms.BooleanField(label=gettext_lazy("I accept the terms of use"))
    next = forms.CharField(required=False, max_length=16_000, widget=forms.HiddenInput)
    third_party_token = forms.CharField(required=False, max_length=255, widget=forms.HiddenInput)
    code = forms.CharField(required=False, max_length=255, widget=forms.HiddenInput)

    def __init__(self, data: QueryDict | None, *, module: str, known: Prefilled, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        if module != "local":
            del self.fields["password1"], self.fields["password2"]
        if terms.current_id() is None:
            del self.fields["has_signed_terms"]
        for name in known.forced & set(self.fields):
            # Django then ignores what was posted and takes the initial value.
            self.fields[name].disabled = True

    def clean(self) -> dict[str, Any]:
        """Compare the passwords and judge them with what else is known of the person."""
        values: dict[str, Any] = super().clean() or {}
        password = values.get("password1")
        if password is None:
            return values
        if not crypto.constant_time_equal(password, values.get("password2") or ""):
            self.add_error("password2", ValidationError(_("The two passwords differ")))
        named = {name: values.get(name, "") for name in ("email", "first_name", "last_name")}
        try:
            password_rules.check_new_password(password, user=User(username=named["email"], **named))
        except BadRequest as error:
            self.add_error("password1", text_of(error))
        return values


@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "HEAD", "POST"])
@with_sources(form_action=form_targets, **SOURCES)
def sign_up(request: HttpRequest) -> HttpResponse:
    """Show the form of a sign-up, or create the account."""
    if page_user(request) is not None:
        return see_other(reverse("astakos-index"))
    asked = request.POST if request.method == "POST" else request.GET
    token, code = asked.get("third_party_token", "")[:255], asked.get("code", "")[:255]
    module, known = signup.prefilled(third_party_token=token, invitation_code=code)
    if not token and not auth_providers.is_enabled(module):
        # Without passwords there is no form to begin with: a sign-up begins with one of the methods.
        messages.info(request, _("Choose how you sign in; without an account you get one on the way."))
        return _to_methods(request)
    signup.check_may_sign_up(module)
    start = {name: getattr(known, name) for name in ("email", "first_name", "last_name")}
    start |= {"next": safe_next(request, ""), "third_party_token": token, "code": code}
    form = SignUpForm(
        request.POST if request.method == "POST" else None, module=module, known=known, initial=start
    )
    error: SynnefoError | None = None
    if request.method == "POST":
        result = submit(form, lambda: _create(request, form, module))
        if isinstance(result, SignUpResult):
            return _answer(request, result, form.cleaned_data["email"], module)
        error = result
    return form_page(request, "astakos/signup.html", form, error=error, captcha=captcha.box(), module=module)


def _to_methods(request: HttpRequest) -> HttpResponse:
    """Return the way to the login page, which offers every method."""
    following = safe_next(request, "")
    query = f"?{urlencode({'next': following})}" if following else ""
    return see_other(f"{reverse('astakos-login')}{query}")


def _create(request: HttpRequest, form: SignUpForm, module: str) -> SignUpResult:
    address = client_address(request)
    limited.check_form("sign-up", address)
    if captcha.is_enabled():
        captcha.check(captcha.answer_in(request.POST), address=address)
    values = form.cleaned_data
    return signup.sign_up(
        module=module,
        email=values["email"],
        first_name=values["first_name"],
        last_name=values["last_name"],
        password=values.get("password1"),
        terms_signed=values.get("has_signed_terms", False),
        third_party_token=values["third_party_token"] or None,
        invitation_code=values["code"] or None,
    )


def _answer(request: HttpRequest, result: SignUpResult, email: str, module: str) -> HttpResponse:
    """Lead on; an address in use looks exactly like one that is new."""
    if result.outcome is Outcome.ACTIVE and result.user is not None:
        return start_session(request, result.user, module=module, following=safe_next(request, ""))
    if result.outcome is Outcome.PENDING_MODERATION:
        messages.info(request, pending_moderation_text())
        return see_other(reverse("astakos-login"))
    return see_other(reverse("astakos-signup-done", args=[signup.resend_reference(email.lower())]))


def pending_moderation_text() -> str:
    """Return what people read whose account waits for staff."""
    return _("Your address is confirmed. A member of staff now looks at your account; we will write to you.")


def start_session(request: HttpRequest, user: User, *, module: str, following: str) -> HttpResponse:
    """Sign in a user who has just got an account, by way of the second factor where policy wants one."""
    need = second_factor.need_of(user) if module == "local" else second_factor.Need.NOTHING
    if need is second_factor.Need.NOTHING:
        return complete_login(request, user, module=module, following=following or success_url())
    begin_half_login(request, user, following=following, key="")
    page = "challenge" if need is second_factor.Need.CHALLENGE else "set-up"
    return see_other(reverse(f"astakos-second-factor-{page}"))


@require_safe
def done(request: HttpRequest, reference: str) -> HttpResponse:
    """Tell that a mail is on its way; the same whether or not the address was new."""
    return render(request, "astakos/signup_done.html", {"reference": reference})


urlpatterns: list[URLPattern] = [
    re_path(r"^ui/signup/?$", sign_up, name="astakos-signup"),
    re_path(r"^ui/signup/done/(?P<reference>[^/]{1,1024})/?$", done, name="astakos-signup-done"),
]
