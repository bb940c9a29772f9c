"""Tokens: made, validated and revoked."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from astakos.api.v3 import catalog
from astakos.api.v3.service import DOMAIN, moment, token_of, user_of
from astakos.logic import scoped_tokens, v3_auth
from astakos.logic.authentication import Identity, authenticate_component, find_identity
from astakos.logic.project_names import project_name
from synnefo.api import empty_response, read_object
from synnefo.api.responses import json_bytes, json_member, rendered_response
from synnefo.errors import Forbidden, NotFound, Unauthorized

_SUBJECT = "X-Subject-Token"
MEMBER = {"id": "member", "name": "member"}


def create(request: HttpRequest) -> HttpResponse:
    """Check credentials and answer a new token, whose text is in a header."""
    body = read_object(request)
    identity = v3_auth.authenticate(body, address=request.META.get("REMOTE_ADDR", ""))
    return _answer(request, identity, 201)


def show(request: HttpRequest) -> HttpResponse:
    """Validate the subject token."""
    return _answer(request, _subject(request), 200)


def check(request: HttpRequest) -> HttpResponse:
    """Validate the subject token without describing it."""
    return empty_response(200, {_SUBJECT: _subject(request).token})


def revoke(request: HttpRequest) -> HttpResponse:
    """Revoke the subject token."""
    scoped_tokens.revoke(subject=_subject(request))
    return empty_response(204)


def _answer(request: HttpRequest, identity: Identity, status: int) -> HttpResponse:
    token = _token(identity)
    if "project" in token and "nocatalog" not in request.GET:
        body = json_member(token, "catalog", catalog.rendered(identity.uuid))
    else:
        body = json_bytes(token)
    headers = {_SUBJECT: identity.token}
    return rendered_response(json_member({}, "token", body), status, headers)


def _subject(request: HttpRequest) -> Identity:
    """Return whom the subject token stands for, if the caller may know.

    Callers are the token itself, another token of the same user, components and the groups of the
    administrators' API. A subject that is unknown or no longer valid is not found.
    """
    caller, subject = token_of(request), request.META.get("HTTP_X_SUBJECT_TOKEN", "")
    if not subject:
        raise NotFound("The header X-Subject-Token is missing")
    if caller == subject:
        return user_of(request)
    person = None if _is_component(caller) else user_of(request)
    try:
        identity = find_identity(subject)
    except Unauthorized:
        identity = None
    if identity is None:
        raise NotFound("The token does not exist or is no longer valid")
    if person is not None and person.id != identity.id and not _is_administrator(person):
        raise Forbidden("You are not authorized to look at this token")
    return identity


def _is_component(token: str) -> bool:
    try:
        authenticate_component(token)
    except Unauthorized:
        return False
    return True


def _is_administrator(person: Identity) -> bool:
    permitted = set(getattr(settings, "ASTAKOS_ADMIN_API_PERMITTED_GROUPS", ()))
    return bool(permitted.intersection(role.name for role in person.roles))


def _token(identity: Identity) -> dict[str, Any]:
    scope = identity.scope
    token: dict[str, Any] = {
        "methods": list(scope.methods) if scope else ["password"],
        "user": {
            "id": identity.uuid,
            "name": identity.username,
            "domain": DOMAIN,
            "password_expires_at": None,
        },
        "audit_ids": [scope.audit_id] if scope else [],
        "issued_at": moment(identity.token_created),
        "expires_at": moment(identity.token_expires),
    }
    if scope is None or scope.project:
        name = scope.project_name if scope else project_name(uuid=identity.default_project)
        token["project"] = {"id": identity.default_project, "name": name, "domain": DOMAIN}
        token["is_domain"] = False
        token["roles"] = [MEMBER, *({"id": role.id, "name": role.name} for role in identity.roles)]
    if scope is not None and scope.application_credential:
        token["application_credential"] = {
            "id": scope.application_credential,
            "restricted": not scope.unrestricted,
        }
    return token
