"""Asking again who somebody is before secrets are shown (web contract 2.2)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec
from urllib.parse import quote

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from astakos.logic import auth_providers, profile
from astakos.web.access import login_required, safe_next, user_of
from astakos.web.sessions import mark_recent, seconds_since_login
from synnefo.errors import Forbidden, SynnefoError

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def is_recent(request: HttpRequest) -> bool:
    """Tell whether the user proved who he is within ``UI_STEPUP_MAX_AGE`` seconds."""
    return seconds_since_login(request) <= settings.UI_STEPUP_MAX_AGE


def to_confirmation(back: str) -> HttpResponse:
    """Return the way to the question, which leads on to *back*."""
    return HttpResponseRedirect(f"{reverse('astakos-confirm')}?next={quote(back)}")


def step_up_required(back_to: str) -> Callable[[View[P]], View[P]]:
    """Return a decorator that asks first, and then leads to the page named *back_to*."""

    def decorate(view: View[P]) -> View[P]:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if not is_recent(request):
                return to_confirmation(reverse(back_to))
            return view(request, *args, **kwargs)

        return guarded

    return decorate


class ConfirmForm(forms.Form):
    """The password once more."""

    password = forms.CharField(
        label=gettext_lazy("Password"), max_length=4096, strip=False, widget=forms.PasswordInput
    )
    next = forms.CharField(required=False, max_length=16_000, widget=forms.HiddenInput)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def confirm(request: HttpRequest) -> HttpResponse:
    """Ask for the password, or for a new login where there is none, and lead on."""
    user = user_of(request)
    following = safe_next(request, reverse("astakos-landing"))
    form = ConfirmForm(request.POST if request.method == "POST" else None, initial={"next": following})
    status = 200
    if request.method == "POST":
        status = _checked(form, request)
        if status == 303:
            mark_recent(request)
            response = HttpResponseRedirect(following)
            response.status_code = 303
            return response
    methods = auth_providers.user_methods(user).enabled
    context = {
        "form": form,
        "has_password": profile.has_password(user),
        "others": [method.provider for method in methods if method.provider.needs_redirect],
        "base": reverse("astakos-index"),
        "next": following,
    }
    return render(request, "astakos/confirm.html", context, status=status)


def _checked(form: ConfirmForm, request: HttpRequest) -> int:
    """Return 303 when the password is right, else the status of the form that is shown again."""
    user = user_of(request)
    if not profile.has_password(user) or not form.is_valid():
        return 422
    try:
        profile.confirm_password(user=user, password=form.cleaned_data["password"])
    except Forbidden:
        form.add_error("password", _("That is not your password."))
        return 422
    except SynnefoError as error:
        form.add_error(None, _("Too many attempts. Wait a few minutes and try again."))
        return error.code
    return 303


urlpatterns: list[URLPattern] = [re_path(r"^ui/confirm/?$", confirm, name="astakos-confirm")]
