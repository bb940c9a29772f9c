"""Proving a mail address (web contract 8, A-05 and A-06)."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from astakos.logic import accounts, limited, signup
from astakos.models import User
from astakos.web.access import safe_next
from astakos.web.form_pages import client_address, form_page, submit
from astakos.web.login_flow import see_other
from astakos.web.sessions import page_user
from astakos.web.signup import pending_moderation_text, start_session
from branding.fault_texts import text_of
from synnefo.errors import Forbidden, NotFound, SynnefoError


class AddressForm(forms.Form):
    """Where the link is to be sent."""

    email = forms.EmailField(label=gettext_lazy("E-mail address"), max_length=255)


@require_http_methods(["GET", "HEAD", "POST"])
def activate(request: HttpRequest) -> HttpResponse:
    """Ask who opened the link of a mail to confirm it; then the account is verified."""
    code = (request.POST.get("auth") or request.GET.get("auth") or "")[:255]
    if not code:
        raise Forbidden(_("This link is incomplete"))
    if page_user(request) is not None:
        messages.error(request, _("You are signed in already. Sign out before you activate another account."))
        return see_other(reverse("astakos-landing"))
    limited.check_form("activate", client_address(request))
    try:
        user = (
            accounts.verify_by_code(code=code)
            if request.method == "POST"
            else accounts.find_by_code(code=code)
        )
    except NotFound as error:
        context = {"form": AddressForm(), "reason": text_of(error)}
        return render(request, "astakos/activation_invalid.html", context, status=404)
    if request.method == "POST":
        return _activated(request, user)
    context = {"code": code, "masked": masked(user.email), "next": safe_next(request, "")}
    return render(request, "astakos/activate.html", context)


def _activated(request: HttpRequest, user: User) -> HttpResponse:
    if not user.is_active:
        messages.info(request, pending_moderation_text())
        return see_other(reverse("astakos-login"))
    method = user.auth_providers.filter(active=True).first()
    following = settings.ASTAKOS_ACTIVATION_REDIRECT_URL or reverse("astakos-landing")
    messages.success(request, _("Your account is active. Welcome!"))
    return start_session(request, user, module=method.module if method else "local", following=following)


def masked(email: str) -> str:
    """Return *email* so that its owner recognises it and nobody else learns it."""
    name, _at, domain = email.partition("@")
    return f"{name[:1]}{'•' * 3}@{domain}"


@require_http_methods(["GET", "HEAD", "POST"])
def send_again(request: HttpRequest, reference: str = "") -> HttpResponse:
    """Send the link again; the answer is the same whatever state the account is in, or if there is none."""
    form = AddressForm(request.POST if request.method == "POST" and not reference else None)
    error: SynnefoError | None = None
    if request.method == "POST":
        limited.check_form("resend", client_address(request))
        if reference:
            signup.resend_verification(reference=reference)
            return _sent(request)
        result = submit(form, lambda: _send_to(form.cleaned_data["email"]))
        if result is None:
            return _sent(request)
        error = result
    return form_page(request, "astakos/send_activation.html", form, error=error, reference=reference)


def _send_to(email: str) -> None:
    signup.resend_verification(reference=signup.resend_reference(email.lower()))


def _sent(request: HttpRequest) -> HttpResponse:
    messages.info(
        request, _("If the account waits for its confirmation, the mail with the link is on its way.")
    )
    return see_other(reverse("astakos-login"))


urlpatterns: list[URLPattern] = [
    re_path(r"^ui/activate/?$", activate, name="astakos-activate"),
    re_path(r"^ui/send/activation/?$", send_again, name="astakos-send-activation-to"),
    re_path(
        r"^ui/send/activation/(?P<reference>[^/]{1,1024})/?$", send_again, name="astakos-send-activation"
    ),
]
