"""Logging in with each method, and the methods of one's own account (web contract 8: A-03, A-08, A-15)."""

from __future__ import annotations

import functools

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from astakos.logic import auth_providers, captcha, ldap_login, second_factor, shibboleth, social
from astakos.logic.external_identity import ExternalIdentity
from astakos.logic.passwords import LoginAttempt, LoginState, check_login
from astakos.logic.provider_modules import MODULES
from astakos.models import User
from astakos.web.access import login_required, safe_next, terms_required, user_of
from astakos.web.half_login import begin_half_login
from astakos.web.login import LoginForm, form_targets, login_page, success_url
from astakos.web.login_flow import (
    Flow,
    begin_flow,
    complete_login,
    enabled_method,
    end_flow,
    finish_external,
    see_other,
    switch_target,
    to_login,
)
from astakos.web.sessions import page_user
from astakos.web.step_up import step_up_required
from branding.fault_texts import text_of
from synnefo import rate_limit
from synnefo.content_security import with_sources
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, NotFound, ServiceUnavailable, SynnefoError

#: States that a login form answers with another status than 422.
_STATUSES = {LoginState.RATE_LIMITED: 429, LoginState.CAPTCHA_REQUIRED: 422}
#: Attempts a minute for one name and, as several people may share it, for one address.
_LDAP_ADDRESS_FACTOR = 10


# -- password ----------------------------------------------------------------------------------------------


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@with_sources(form_action=form_targets)
def local(request: HttpRequest) -> HttpResponse:
    """Log in with e-mail address and password."""
    if request.method != "POST":
        return see_other(f"{reverse('astakos-login')}?{request.GET.urlencode()}")
    if page_user(request) is not None:
        return see_other(safe_next(request, success_url()))
    form = LoginForm(request.POST)
    if not form.is_valid():
        return login_page(request, form=form, status=422)
    attempt = check_login(
        username=form.cleaned_data["username"],
        password=form.cleaned_data["password"],
        address=request.META.get("REMOTE_ADDR", ""),
        captcha_answer=captcha.answer_in(request.POST),
    )
    if attempt.state is LoginState.OK and attempt.user is not None:
        return _after_password(request, attempt.user, key=form.cleaned_data["key"])
    return _refused(request, form, attempt)


def _refused(request: HttpRequest, form: LoginForm, attempt: LoginAttempt) -> HttpResponse:
    form.add_error(None, attempt.message)
    context = {"attempt": attempt, "captcha": captcha.box() if attempt.captcha_next else None}
    response = login_page(request, form=form, status=_STATUSES.get(attempt.state, 422), **context)
    if attempt.retry_after:
        response["Retry-After"] = str(attempt.retry_after)
    return response


def _after_password(request: HttpRequest, user: User, *, key: str) -> HttpResponse:
    """Start the session, or ask for the second factor first."""
    following = safe_next(request, "")
    need = second_factor.need_of(user)
    if need is second_factor.Need.NOTHING:
        return complete_login(request, user, module="local", following=following, key=key)
    begin_half_login(request, user, following=following, key=key)
    page = "challenge" if need is second_factor.Need.CHALLENGE else "set-up"
    return see_other(reverse(f"astakos-second-factor-{page}"))


# -- LDAP --------------------------------------------------------------------------------------------------


class DirectoryForm(forms.Form):
    """User name and password of the organisation."""

    username = forms.CharField(label=gettext_lazy("User name"), max_length=255)
    password = forms.CharField(
        label=gettext_lazy("Password"), max_length=1024, strip=False, widget=forms.PasswordInput
    )
    next = forms.CharField(required=False, max_length=16_000, widget=forms.HiddenInput)


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@with_sources(form_action=form_targets)
@enabled_method("ldap")
def ldap(request: HttpRequest) -> HttpResponse:
    """Log in, or with ``/add`` extend the account of who is logged in, by the directory's password."""
    initial = {"next": safe_next(request, "")}
    form = DirectoryForm(request.POST if request.method == "POST" else None, initial=initial)
    status = 200
    if request.method == "POST":
        identity, status = _from_directory(request, form)
        if identity is not None:
            flow = Flow("ldap", safe_next(request, ""), switch_target(request))
            return finish_external(request, identity, flow)
    context = {
        "form": form,
        "provider": auth_providers.provider("ldap"),
        "adds": page_user(request) is not None,
    }
    return render(request, "astakos/ldap_login.html", context, status=status)


@login_required
def add_ldap(request: HttpRequest) -> HttpResponse:
    """Show or take the same form to who is logged in."""
    response = ldap(request)
    assert isinstance(response, HttpResponse)
    return response


def _from_directory(request: HttpRequest, form: DirectoryForm) -> tuple[ExternalIdentity | None, int]:
    """Return who the directory says it is, or ``None`` with errors in the form and the page's status."""
    if not form.is_valid():
        return None, 422
    if _too_many(form.cleaned_data["username"], request.META.get("REMOTE_ADDR", "")):
        form.add_error(None, _("Too many attempts. Please wait a minute and try again."))
        return None, 429
    try:
        identity = ldap_login.check_password(
            username=form.cleaned_data["username"], password=form.cleaned_data["password"]
        )
    except (BadRequest, ServiceUnavailable) as error:
        form.add_error(None, text_of(error))
        return None, 422 if isinstance(error, BadRequest) else 503
    if identity is None:
        form.add_error(None, _("The user name or the password is wrong"))
        return None, 422
    rate_limit.forget(f"ldap-name:{form.cleaned_data['username'].strip().lower()}")
    return identity, 303


def _too_many(username: str, address: str) -> bool:
    allowed = max(1, settings.ASTAKOS_RATELIMIT_RETRIES_ALLOWED)
    by_name = rate_limit.count_attempt(f"ldap-name:{username.strip().lower()}", limit=allowed)
    by_address = rate_limit.count_attempt(f"ldap-address:{address}", limit=allowed * _LDAP_ADDRESS_FACTOR)
    return by_name.exceeded or by_address.exceeded


# -- methods of other servers ------------------------------------------------------------------------------


@require_safe
@enabled_method("shibboleth")
def shibboleth_login(request: HttpRequest) -> HttpResponse:
    """Log in who the web server in front has authenticated."""
    flow = Flow("shibboleth", safe_next(request, ""), switch_target(request))
    try:
        identity = shibboleth.identity_from(request.META)
    except BadRequest as error:
        return to_login(request, text_of(error), following=flow.following)
    shibboleth.migrate_eppn(identity)
    return finish_external(request, identity, flow)


def _callback_url(module: str) -> str:
    # From the settings: what a request says of its host is not ours to believe.
    return f"{settings.ASTAKOS_BASE_URL.rstrip('/')}/ui/login/{module}/authenticated"


def social_login(request: HttpRequest, module: str) -> HttpResponse:
    """Send the visitor to the provider."""
    url = social.begin(module, session=request.session, redirect_uri=_callback_url(module))
    begin_flow(request, module)
    return see_other(url)


def social_callback(request: HttpRequest, module: str) -> HttpResponse:
    """Take the provider's answer."""
    identity = social.complete(
        module, session=request.session, data=request.GET.dict(), redirect_uri=_callback_url(module)
    )
    return finish_external(request, identity, end_flow(request, module))


def _social_routes(module: str) -> list[URLPattern]:
    guard = enabled_method(module)
    begin = require_safe(guard(functools.partial(social_login, module=module)))
    callback = require_safe(guard(functools.partial(social_callback, module=module)))
    return [
        re_path(rf"^ui/login/{module}/?$", begin, name=f"astakos-login-{module}"),
        re_path(rf"^ui/login/{module}/authenticated/?$", callback, name=f"astakos-callback-{module}"),
    ]


# -- the methods of an account -----------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@terms_required
@step_up_required("astakos-profile")
def remove(request: HttpRequest, method_id: str) -> HttpResponse:
    """Ask before a login method of the account is removed, or remove it."""
    user = user_of(request)
    if request.method != "POST":
        methods = auth_providers.user_methods(user)
        asked = [item for item in (*methods.enabled, *methods.disabled) if item.id == int(method_id)]
        if not asked:
            raise NotFound("There is no such login method")
        return render(request, "astakos/remove_method.html", {"title": asked[0].provider.title})
    try:
        module = auth_providers.remove_method(
            Credentials(user_id=user.uuid), method_id=int(method_id), user_id=user.pk
        )
    except SynnefoError as error:
        messages.error(request, text_of(error))
    else:
        title = str(MODULES[module].title) if module in MODULES else module
        messages.success(request, _("%(title)s login was removed.") % {"title": title})
    return see_other(reverse("astakos-profile"))


urlpatterns: list[URLPattern] = [
    re_path(r"^ui/local/?$", local, name="astakos-local"),
    re_path(r"^ui/login/local/?$", local, name="astakos-login-local"),
    re_path(r"^ui/login/ldap/?$", ldap, name="astakos-login-ldap"),
    re_path(r"^ui/login/ldap/add/?$", add_ldap, name="astakos-ldap-add"),
    re_path(r"^ui/login/shibboleth/?$", shibboleth_login, name="astakos-login-shibboleth"),
    *(pattern for module in social.MODULES for pattern in _social_routes(module)),
    re_path(r"^ui/remove_auth_provider/(?P<method_id>[0-9]{1,18})/?$", remove, name="astakos-remove-method"),
]
