"""What ``POST /v3/auth/tokens`` asks: methods, the user they prove and the scope that is wanted.

The wire format is Keystone's; the rules are those of the v2.0 dialect (identity contract 1.2) with web
passwords, application credentials and scopes besides.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from astakos.logic import application_credentials, scoped_tokens, web_passwords
from astakos.logic.authentication import SCOPED_PREFIX, Identity, TokenScope, find_identity, identity_of
from astakos.models import Project
from synnefo import crypto
from synnefo.api.fields import optional_object, optional_str, require_object, require_str
from synnefo.db import prepared
from synnefo.errors import BadRequest, Unauthorized

TEXT_OF_REFUSAL = "The request you have made requires authentication."
DOMAIN_ID, DOMAIN_NAME = "default", "Default"
_MAX_LENGTH = 255
_ACTIVE_PROJECT = "SELECT realname FROM astakos_project WHERE uuid = %s AND state = 1"


@dataclass(frozen=True, slots=True)
class _Proof:
    """What one method proved; a token made from it lasts until ``not_after`` and stays as narrow as it."""

    identity: Identity
    not_after: dt.datetime | None = None
    bound_to: TokenScope | None = None


def authenticate(body: Mapping[str, Any], *, address: str) -> Identity:
    """Check the methods of a decoded request body and return the identity with its new token.

    *address* is the client's, for limiting guesses. Raises ``BadRequest`` for a malformed body,
    ``Unauthorized`` for wrong credentials and foreign projects, ``TooManyRequests`` for guessing.
    """
    auth = require_object(body, "auth")
    identity_part = require_object(auth, "identity")
    methods = identity_part.get("methods")
    if not isinstance(methods, list) or not methods or not all(isinstance(item, str) for item in methods):
        raise BadRequest("Malformed request: 'methods' must be a list of names")
    unknown = [item for item in methods if item not in _METHODS]
    if unknown:
        raise Unauthorized(f"The method '{unknown[0][:40]}' is not offered here; {', '.join(_METHODS)} are")
    proofs = [_METHODS[item](require_object(identity_part, item), address) for item in dict.fromkeys(methods)]
    first = proofs[0]
    if any(proof.identity.id != first.identity.id for proof in proofs):
        raise Unauthorized(TEXT_OF_REFUSAL)
    ends = [proof.not_after for proof in proofs if proof.not_after is not None]
    bound = next((proof.bound_to for proof in proofs if proof.bound_to is not None), None)
    scope = _scope(auth, first.identity, bound, tuple(dict.fromkeys(methods)))
    return scoped_tokens.issue(first.identity, scope=scope, not_after=min(ends) if ends else None)


# -- methods -------------------------------------------------------------------------------------------


def _password(part: Mapping[str, Any], address: str) -> _Proof:
    """A user's name and his token, or his web password."""
    user = require_object(part, "user")
    given = _user_name(user)
    password = require_str(user, "password", max_length=4096)
    identity = None if password.startswith(SCOPED_PREFIX) else find_identity(password)
    if identity is not None:
        if not _is_named(identity, given):
            raise Unauthorized(TEXT_OF_REFUSAL)
        return _Proof(identity, identity.token_expires)
    user_id = web_passwords.check(name=given, password=password, address=address)
    if user_id is None:
        raise Unauthorized(TEXT_OF_REFUSAL)
    return _Proof(identity_of(user_id))


def _user_name(user: Mapping[str, Any]) -> str:
    given = optional_str(user, "id", max_length=_MAX_LENGTH)
    if given is None:
        given = require_str(user, "name", max_length=_MAX_LENGTH)
        _check_domain(user)
    return given


def _is_named(identity: Identity, given: str) -> bool:
    is_uuid = crypto.constant_time_equal(given.lower(), identity.uuid)
    return crypto.constant_time_equal(given.lower(), identity.username) or is_uuid


def _check_domain(owner: Mapping[str, Any]) -> None:
    """There is one domain; a client that names another one means another cloud."""
    domain = optional_object(owner, "domain")
    for field in ("id", "name"):
        value = optional_str(domain, field, max_length=_MAX_LENGTH)
        if value is not None and value.lower() != DOMAIN_ID:
            raise Unauthorized(TEXT_OF_REFUSAL)


def _token(part: Mapping[str, Any], address: str) -> _Proof:
    """A token of either dialect, for another scope; it lasts no longer than the one it comes from."""
    identity = find_identity(require_str(part, "id", max_length=4096))
    if identity is None:
        raise Unauthorized(TEXT_OF_REFUSAL)
    scope = identity.scope
    return _Proof(identity, identity.token_expires, scope if scope and scope.application_credential else None)


def _application_credential(part: Mapping[str, Any], address: str) -> _Proof:
    """A secret made for one program: the scope is the credential's, whatever is asked."""
    secret = require_str(part, "secret", max_length=_MAX_LENGTH)
    uuid = optional_str(part, "id", max_length=_MAX_LENGTH)
    name = owner = None
    if uuid is None:
        name = require_str(part, "name", max_length=_MAX_LENGTH)
        owner = _user_name(require_object(part, "user"))
    credential = application_credentials.verified(secret=secret, uuid=uuid, name=name, user=owner)
    if credential is None:
        web_passwords.count_failure(address)
        raise Unauthorized(TEXT_OF_REFUSAL)
    scope = TokenScope(
        project=credential.project,
        project_name="",
        audit_id="",
        methods=(),
        credential_id=credential.pk,
        application_credential=credential.uuid,
        unrestricted=credential.unrestricted,
    )
    return _Proof(identity_of(credential.user_id), credential.expires, scope)


_METHODS: dict[str, Callable[[Mapping[str, Any], str], _Proof]] = {
    "password": _password,
    "token": _token,
    "application_credential": _application_credential,
}


# -- scopes --------------------------------------------------------------------------------------------


def _scope(
    auth: Mapping[str, Any], identity: Identity, bound: TokenScope | None, methods: tuple[str, ...]
) -> TokenScope:
    """Return the scope that is asked for; what came from an application credential keeps its own."""
    wanted = bound.project if bound is not None else _wanted_project(auth, identity)
    if bound is not None and isinstance(auth.get("scope"), dict):
        asked = _wanted_project(auth, identity)
        if asked != bound.project:
            raise Unauthorized("An application credential is good for its own project only")
    return TokenScope(
        project=wanted,
        project_name=_project_name(wanted) if wanted else "",
        audit_id=scoped_tokens.new_audit_id(),
        methods=methods,
        credential_id=bound.credential_id if bound else None,
        application_credential=bound.application_credential if bound else "",
        unrestricted=bound.unrestricted if bound else True,
    )


def _wanted_project(auth: Mapping[str, Any], identity: Identity) -> str:
    """Return the uuid of the project that is asked for; empty for none.

    A request without a scope gets the user's default project, as Keystone does it.
    """
    scope = auth.get("scope")
    if scope is None:
        return identity.default_project if identity.default_project in identity.projects else ""
    if scope == "unscoped":
        return ""
    if not isinstance(scope, dict):
        raise BadRequest("Malformed request: 'scope' must be an object")
    if "unscoped" in scope:
        return ""
    if "project" not in scope:
        raise Unauthorized("Tokens are for a project here, not for a domain or the system")
    project = require_object(scope, "project")
    uuid = optional_str(project, "id", max_length=_MAX_LENGTH)
    if uuid is None:
        name = require_str(project, "name", max_length=_MAX_LENGTH)
        _check_domain(project)
        return _uuid_of_name(name, identity)
    return uuid


def _uuid_of_name(name: str, identity: Identity) -> str:
    """Return the user's project of this name; a uuid is taken for a name too."""
    if name in identity.projects:
        return name
    found = Project.objects.filter(realname=name, uuid__in=identity.projects).values_list("uuid", flat=True)
    matches = list(found[:2])
    if len(matches) != 1:
        raise Unauthorized("The project does not exist or the user is not a member of it")
    return matches[0]


def _project_name(uuid: str) -> str:
    """Return the active project's name; whether the user is in it is judged where the token is made."""
    row = prepared.fetch_one(_ACTIVE_PROJECT, [uuid])
    if row is None:
        raise Unauthorized("The project does not exist or the user is not a member of it")
    name: str = row[0]
    return name
