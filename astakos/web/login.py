"""The ways into the dashboard, and out of it (web contract 8: A-01, A-03; 2.2)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from astakos.logic import auth_providers, oauth2, saml_sessions
from astakos.logic.captcha import Box
from astakos.web.access import safe_next
from astakos.web.consent import source_of
from astakos.web.sessions import LAST_METHOD_COOKIE, log_out, page_user
from synnefo.content_security import add_sources, with_sources
from synnefo.errors import BadRequest


class LoginForm(forms.Form):
    """E-mail address and password; the login method ``local`` receives it."""

    username = forms.CharField(
        label=gettext_lazy("E-mail address"),
        max_length=255,
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "inputmode": "email"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"), max_length=4096, strip=False, widget=forms.PasswordInput
    )
    next = forms.CharField(required=False, max_length=16_000, widget=forms.HiddenInput)
    key = forms.CharField(required=False, max_length=255, widget=forms.HiddenInput)


def form_targets(request: HttpRequest) -> list[str]:
    """Return where a form of signing in may lead to besides this host (web contract 2.3)."""
    return targets_of(safe_next(request, ""))


def targets_of(following: str) -> list[str]:
    """Return the hosts and schemes that signing in may end at when it leads to *following*, already judged.

    Browsers judge every redirection that follows a form, so the program that sent somebody here for a code is
    among them.
    """
    domain = (settings.ASTAKOS_COOKIE_DOMAIN or "").lstrip(".").lower()
    hosts = [f"https://{domain}", f"https://*.{domain}"] if domain else []
    schemes = [f"{scheme}:" for scheme in settings.ASTAKOS_REDIRECT_ALLOWED_SCHEMES]
    return [*hosts, *schemes, *_waiting_program(following)]


def _waiting_program(following: str) -> list[str]:
    parts = urlsplit(following)
    if parts.path.rstrip("/") != reverse("astakos-oauth2-auth").rstrip("/"):
        return []
    try:
        return [source_of(oauth2.read_request(dict(parse_qsl(parts.query))).redirect_uri)]
    except BadRequest:
        return []


def success_url() -> str:
    """Return where a login leads that came from nowhere else."""
    return settings.ASTAKOS_LOGIN_SUCCESS_URL or reverse("astakos-landing")


@require_safe
@with_sources(form_action=form_targets)
def index(request: HttpRequest) -> HttpResponse:
    """Answer the login page, or lead on who is signed in."""
    return _login(request)


@require_safe
@with_sources(form_action=form_targets)
def login(request: HttpRequest) -> HttpResponse:
    """Answer the login page, or lead on who is signed in."""
    return _login(request)


def _login(request: HttpRequest) -> HttpResponse:
    if settings.SESSION_COOKIE_NAME in request.COOKIES and page_user(request) is not None:
        return HttpResponseRedirect(safe_next(request, success_url()))
    return login_page(request)


def login_page(
    request: HttpRequest, *, form: LoginForm | None = None, status: int = 200, **context: Any
) -> HttpResponse:
    """Return the login page; the login methods show it again with the *form* that failed and its *status*."""
    following = safe_next(request, "")
    key = (request.POST.get("key") or request.GET.get("key") or "")[:255]
    providers = auth_providers.enabled()
    last = request.COOKIES.get(LAST_METHOD_COOKIE, "")
    context |= {
        "form": form or LoginForm(initial={"next": following, "key": key}),
        "primary": next((item for item in providers if item.is_primary), None),
        "others": [item for item in providers if not item.is_primary],
        "last_method": last if any(item.module == last for item in providers) else "",
        "base": reverse("astakos-index"),
        "suffix": f"?next={quote(following)}" if following else "",
        "key": key,
        "show_signup": getattr(settings, "ASTAKOS_SHOW_SIGNUP", True),
    }
    response = render(request, "astakos/login.html", context, status=status)
    allow_captcha(response, context.get("captcha"))
    return response


def allow_captcha(response: HttpResponse, box: Box | None) -> None:
    """Let the page of *response* load the captcha that it shows, if any."""
    if box is not None:
        add_sources(
            response, dict.fromkeys(("script-src", "frame-src", "connect-src", "style-src"), box.origins)
        )


@require_http_methods(["GET", "HEAD", "POST"])
def logout(request: HttpRequest) -> HttpResponse:
    """End the session; a link from elsewhere is asked for confirmation first."""
    is_own_link = request.headers.get("Sec-Fetch-Site") == "same-origin"
    if request.method != "POST" and not is_own_link and page_user(request) is not None:
        return render(request, "astakos/logout.html", {"next": safe_next(request, "")})
    was_signed_in = page_user(request) is not None
    target = safe_next(request, settings.ASTAKOS_LOGOUT_NEXT or reverse("astakos-login"))
    kept = saml_sessions.kept(request.session)
    log_out(request)
    elsewhere = saml_sessions.logout_url(kept)
    if elsewhere is not None:
        return leave_institution(request, elsewhere)
    if was_signed_in and target == reverse("astakos-login"):
        messages.success(request, _("You are signed out."))
    response = HttpResponseRedirect(target)
    response.status_code = 303 if request.method == "POST" else 302
    return response


def leave_institution(request: HttpRequest, url: str) -> HttpResponse:
    """Show that this session has ended, and go on to the institution's own logout.

    It is a page and not a redirect: browsers hold redirects of a form against the page's ``form-action``.
    """
    response = render(request, "astakos/saml_logout.html", {"url": url})
    response["Refresh"] = f"1; url={url}"
    response["Cache-Control"] = "no-store"
    return response


urlpatterns: list[URLPattern] = [
    re_path(r"^ui/$", index, name="astakos-index"),
    re_path(r"^ui$", index),
    re_path(r"^ui/login/?$", login, name="astakos-login"),
    re_path(r"^ui/logout/?$", logout, name="astakos-logout"),
]
