"""What all login methods share: where a login came from, what follows it, how failures are told."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Concatenate, ParamSpec
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from astakos.logic import auth_providers, signup, third_party
from astakos.logic.external_identity import ExternalIdentity
from astakos.logic.passwords import state_of
from astakos.logic.third_party import Kind, Outcome
from astakos.models import User
from astakos.web.access import is_safe_address, safe_next
from astakos.web.login import success_url
from astakos.web.sessions import log_in, mark_recent, page_user
from astakos.web.step_up import is_recent, to_confirmation
from branding.fault_texts import text_of
from synnefo.credentials import Credentials
from synnefo.errors import SynnefoError

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

log = logging.getLogger("astakos.login")

_FLOW = "login_flow"


@dataclass(frozen=True, slots=True)
class Flow:
    """A login that left for another server; it is remembered in the session."""

    module: str
    following: str
    switch_from: int | None


def see_other(url: str) -> HttpResponse:
    """Return a redirect that is followed by GET."""
    response = HttpResponseRedirect(url)
    response.status_code = 303
    return response


def switch_target(request: HttpRequest) -> int | None:
    """Return the id of the login method that the visitor replaces, if any."""
    text = request.GET.get("switch_from", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def begin_flow(request: HttpRequest, module: str) -> None:
    """Remember in the session where this login came from, until the other server answers."""
    request.session[_FLOW] = {
        "module": module,
        "next": safe_next(request, ""),
        "switch_from": switch_target(request),
    }


def end_flow(request: HttpRequest, module: str) -> Flow:
    """Return where the login came from and forget it."""
    found = request.session.pop(_FLOW, None)
    if not isinstance(found, dict) or found.get("module") != module:
        return Flow(module, "", None)
    following = str(found.get("next", ""))
    is_safe = is_safe_address(following, host=request.get_host())
    return Flow(module, following if is_safe else "", found.get("switch_from"))


def to_login(request: HttpRequest, text: str, *, following: str = "") -> HttpResponse:
    """Return to the login page, or to the profile of who is logged in, with an error."""
    messages.error(request, text)
    if page_user(request) is not None:
        return see_other(reverse("astakos-profile"))
    query = f"?{urlencode({'next': following})}" if following else ""
    return see_other(f"{reverse('astakos-login')}{query}")


def enabled_method(module: str) -> Callable[[View[P]], View[P]]:
    """Return a decorator of the views of *module*: its absence and its failures are told to the visitor."""

    def decorate(view: View[P]) -> View[P]:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if not auth_providers.is_enabled(module):
                raise_not_found()
            try:
                return view(request, *args, **kwargs)
            except ImproperlyConfigured as error:
                log.error("the login method %s does not work: %s", module, error)
                return to_login(request, _("This login method is not available at the moment."))
            except SynnefoError as error:
                following = end_flow(request, module).following
                return to_login(request, text_of(error), following=following)

        return guarded

    return decorate


def raise_not_found() -> None:
    """Raise what shows the page of a missing address."""
    from django.http import Http404

    raise Http404


def complete_login(
    request: HttpRequest, user: User, *, module: str, following: str = "", key: str = ""
) -> HttpResponse:
    """Start the session of *user*, who proved everything that was asked, and lead on.

    ``key`` is the token of an external identity that is to be added to the account.
    """
    log_in(request, user, module=module)
    target = following or success_url()
    if key:
        _attach(request, user, key)
    is_first_visit = not user.is_verified and not user.is_superuser
    if getattr(settings, "ASTAKOS_FORCE_PROFILE_UPDATE", False) and is_first_visit:
        target = f"{reverse('astakos-profile')}?{urlencode({'next': target})}"
    return see_other(target)


def _attach(request: HttpRequest, user: User, key: str) -> None:
    try:
        row = third_party.attach_pending(Credentials(user_id=user.uuid), user_id=user.pk, token=key)
    except SynnefoError as error:
        messages.error(request, text_of(error))
    else:
        title = auth_providers.provider(row.module).title
        messages.success(request, _("%(title)s login was added to your account.") % {"title": title})


def finish_external(request: HttpRequest, identity: ExternalIdentity, flow: Flow) -> HttpResponse:
    """Do what follows from what a provider said (identity contract 4.5, outcome table).

    Only who has proved recently to be the account's owner changes its login methods.
    """
    visitor = page_user(request)
    if visitor is not None and not is_recent(request):
        owner = auth_providers.owner_of(module=identity.module, identifier=identity.identifier)
        if owner is None or owner.user_id != visitor.pk:
            return to_confirmation(reverse("astakos-profile"))
    outcome = third_party.resolve(identity, visitor=visitor, switch_from=flow.switch_from)
    return _ANSWERS[outcome.kind](request, outcome, flow)


def _log_in(request: HttpRequest, outcome: Outcome, flow: Flow) -> HttpResponse:
    assert outcome.user is not None
    return complete_login(request, outcome.user, module=flow.module, following=flow.following)


def _inactive(request: HttpRequest, outcome: Outcome, flow: Flow) -> HttpResponse:
    assert outcome.user is not None
    return to_login(request, state_of(outcome.user)[1], following=flow.following)


def _refused(request: HttpRequest, outcome: Outcome, flow: Flow) -> HttpResponse:
    return to_login(request, outcome.message, following=flow.following)


def _to_profile(request: HttpRequest, outcome: Outcome, flow: Flow) -> HttpResponse:
    title = auth_providers.provider(flow.module).title
    texts: Mapping[Kind, str] = {
        Kind.ADDED: _("%(title)s login was added to your account.") % {"title": title},
        Kind.SWITCHED: _("Your %(title)s login was replaced.") % {"title": title},
        Kind.ALREADY_YOURS: _("Your account has this %(title)s login already.") % {"title": title},
    }
    # Whoever comes back from the provider has proved again who he is.
    mark_recent(request)
    if outcome.kind is not Kind.ALREADY_YOURS or not flow.following:
        messages.success(request, texts[outcome.kind])
    return see_other(flow.following or reverse("astakos-profile"))


def _sign_up(request: HttpRequest, outcome: Outcome, flow: Flow) -> HttpResponse:
    identity = outcome.identity
    assert identity is not None
    if identity.needs_no_form:
        made = _sign_up_without_form(request, identity, outcome.token, flow)
        if made is not None:
            return made
    query = {"third_party_token": outcome.token, **({"next": flow.following} if flow.following else {})}
    return see_other(f"{reverse('astakos-index')}signup?{urlencode(query)}")


def _sign_up_without_form(
    request: HttpRequest, identity: ExternalIdentity, token: str, flow: Flow
) -> HttpResponse | None:
    """Make the account from what the provider sent; ``None`` when a form must ask something after all."""
    try:
        result = signup.sign_up(
            module=identity.module,
            email=identity.email,
            first_name=identity.first_name,
            last_name=identity.last_name,
            third_party_token=token,
        )
    except SynnefoError:
        return None
    if result.user is not None and result.user.is_active:
        return complete_login(request, result.user, module=identity.module, following=flow.following)
    text = _("Your account was created. Please follow the link that we mailed you.")
    if result.outcome == "pending_moderation":
        text = _("Your account was created and waits to be accepted. You will get a mail.")
    messages.info(request, text)
    return see_other(reverse("astakos-login"))


_ANSWERS: Mapping[Kind, Callable[[HttpRequest, Outcome, Flow], HttpResponse]] = {
    Kind.LOG_IN: _log_in,
    Kind.INACTIVE: _inactive,
    Kind.LOGIN_DISABLED: _refused,
    Kind.CREATE_DISABLED: _refused,
    Kind.SIGN_UP: _sign_up,
    Kind.ALREADY_YOURS: _to_profile,
    Kind.IN_USE: _refused,
    Kind.ADDED: _to_profile,
    Kind.ADD_DISABLED: _refused,
    Kind.SWITCHED: _to_profile,
}
