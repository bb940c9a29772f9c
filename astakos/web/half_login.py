"""Between the right password and the second factor: a session that may do nothing else (identity 4.5)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from astakos.models import User
from astakos.web.login_flow import complete_login, see_other
from synnefo import clock, crypto

P = ParamSpec("P")

_KEY = "half_login"


@dataclass(frozen=True, slots=True)
class HalfLogin:
    """Somebody who gave the right password."""

    user: User
    following: str
    key: str


View = Callable[Concatenate[HttpRequest, HalfLogin, P], HttpResponse]


def begin_half_login(request: HttpRequest, user: User, *, following: str, key: str) -> None:
    """Remember who gave the right password; nobody is logged in by that."""
    request.session.flush()
    request.session[_KEY] = {
        "user": user.pk,
        "moment": clock.now().timestamp(),
        "password": user.get_session_auth_hash(),
        "next": following,
        "key": key,
    }
    request.session.set_expiry(settings.ASTAKOS_SECOND_FACTOR_MAX_AGE)


def half_login_of(request: HttpRequest) -> HalfLogin | None:
    """Return who gave the right password a short while ago and may still log in."""
    kept = request.session.get(_KEY)
    if not isinstance(kept, dict):
        return None
    age = clock.now().timestamp() - float(kept["moment"])
    user = User.objects.filter(pk=kept["user"], is_active=True).first()
    if user is None or not 0 <= age <= settings.ASTAKOS_SECOND_FACTOR_MAX_AGE:
        return None
    # A password that was changed meanwhile proves nothing any more.
    if not crypto.constant_time_equal(str(kept["password"]), user.get_session_auth_hash()):
        return None
    return HalfLogin(user, str(kept["next"]), str(kept["key"]))


def half_login_required(view: View[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Give the view who gave the right password, or lead everybody else to the login page."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        found = half_login_of(request)
        if found is None:
            request.session.pop(_KEY, None)
            messages.error(request, _("Please log in again."))
            return see_other(reverse("astakos-login"))
        return view(request, found, *args, **kwargs)

    return guarded


def finish_half_login(request: HttpRequest, found: HalfLogin) -> HttpResponse:
    """Log in who showed the second factor as well."""
    request.session.flush()
    return complete_login(request, found.user, module="local", following=found.following, key=found.key)
