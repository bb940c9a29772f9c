"""SAML pages: choice of institution, the way there and back, metadata, single logout (web contract 8: A-15).

The identity provider's answer arrives as a POST of another site, with which browsers send no session cookie.
So it is checked without a session and handed on, encrypted, to a page that the browser opens with its
session, which must hold the request that was answered.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from astakos.logic import saml, saml_sessions
from astakos.logic.external_identity import ExternalIdentity
from astakos.web.login import leave_institution
from astakos.web.login_flow import begin_flow, enabled_method, end_flow, finish_external, see_other
from astakos.web.sessions import log_out, page_user
from synnefo import clock, crypto
from synnefo.errors import BadRequest

_REQUESTS = "saml_requests"
_PURPOSE = "saml-ticket"
#: Seconds from the identity provider's answer to the page that takes it.
_TICKET_LIFETIME = 120
_MAX_REQUESTS = 5
_MAX_TICKET = 24 << 10


@require_safe
@enabled_method("saml")
def login(request: HttpRequest) -> HttpResponse:
    """Send the visitor to the only or the chosen institution, or let them choose."""
    providers = saml.identity_providers()
    chosen = request.GET.get("idp", "")
    if not chosen and len(providers) == 1:
        chosen = providers[0].entity_id
    if not chosen:
        kept = {key: request.GET[key] for key in ("next", "switch_from") if key in request.GET}
        links = [(item, f"?{urlencode({**kept, 'idp': item.entity_id})}") for item in providers]
        return render(request, "astakos/saml_discovery.html", {"providers": links})
    asked = saml.begin(provider=chosen)
    begin_flow(request, "saml")
    waiting = dict(request.session.get(_REQUESTS, {}))
    waiting[asked.id] = chosen
    request.session[_REQUESTS] = dict(list(waiting.items())[-_MAX_REQUESTS:])
    return see_other(asked.url)


@csrf_exempt
@require_POST
@enabled_method("saml")
def accept(request: HttpRequest) -> HttpResponse:
    """Check the identity provider's answer and hand it on to the page that has the session."""
    found = saml.accept_response(response=request.POST.get("SAMLResponse", ""))
    ticket = json.dumps({**dataclasses.asdict(found), "moment": clock.now().timestamp()}, default=sorted)
    sealed = crypto.encrypt(ticket, _PURPOSE)
    return see_other(f"{reverse('astakos-callback-saml')}?{urlencode({'ticket': sealed})}")


@require_safe
@enabled_method("saml")
def authenticated(request: HttpRequest) -> HttpResponse:
    """Take the checked answer, if this browser asked for it."""
    found = _opened(request.GET.get("ticket", ""))
    waiting = dict(request.session.get(_REQUESTS, {}))
    asked = waiting.pop(found.request_id, None)
    request.session[_REQUESTS] = waiting
    if asked is None or asked != found.entity_id:
        raise BadRequest(_("This login was not started in this browser. Please try again."))
    response = finish_external(request, found.identity, end_flow(request, "saml"))
    if page_user(request) is not None:
        saml_sessions.remember(request.session, found)
    return response


def _opened(sealed: str) -> saml.SamlLogin:
    """Return what ``accept`` sealed a moment ago; raises ``BadRequest`` for anything else."""
    refused = BadRequest(_("This login is not valid any more. Please try again."))
    if not sealed.startswith("v2:") or len(sealed) > _MAX_TICKET:
        raise refused
    try:
        ticket: dict[str, Any] = json.loads(crypto.decrypt(sealed, _PURPOSE))
    except ValueError as error:
        raise refused from error
    if not 0 <= clock.now().timestamp() - ticket.pop("moment") <= _TICKET_LIFETIME:
        raise refused
    identity = ticket.pop("identity")
    identity["forced"] = frozenset(identity["forced"])
    return saml.SamlLogin(identity=ExternalIdentity(**identity), **ticket)


@require_safe
@enabled_method("saml")
def metadata(request: HttpRequest) -> HttpResponse:
    """Answer what identity providers must know of this service."""
    return HttpResponse(saml.metadata(), content_type="application/samlmetadata+xml")


@require_POST
@enabled_method("saml")
def logout(request: HttpRequest) -> HttpResponse:
    """End the session here and at the institution."""
    kept = saml_sessions.kept(request.session)
    log_out(request)
    url = saml_sessions.logout_url(kept)
    return leave_institution(request, url) if url else see_other(reverse("astakos-login"))


@require_safe
@enabled_method("saml")
def single_logout(request: HttpRequest) -> HttpResponse:
    """Take the answer to our logout, or end the sessions that the institution wants ended."""
    if "SAMLRequest" not in request.GET:
        messages.success(request, _("You are signed out."))
        return see_other(reverse("astakos-login"))
    wanted = saml.accept_logout_request(query=request.GET.dict())
    saml_sessions.end(wanted)
    return see_other(wanted.answer_url)


urlpatterns: list[URLPattern] = [
    re_path(r"^ui/login/saml/?$", login, name="astakos-login-saml"),
    re_path(r"^ui/login/saml/acs/?$", accept, name="astakos-saml-acs"),
    re_path(r"^ui/login/saml/authenticated/?$", authenticated, name="astakos-callback-saml"),
    re_path(r"^ui/login/saml/metadata/?$", metadata, name="astakos-saml-metadata"),
    re_path(r"^ui/login/saml/logout/?$", logout, name="astakos-saml-logout"),
    re_path(r"^ui/login/saml/sls/?$", single_logout, name="astakos-saml-sls"),
]
