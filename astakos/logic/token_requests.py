"""What ``POST tokens`` asks: the credential forms, their checks and their order (identity contract 1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from astakos.logic.authentication import Identity, authenticate_identity
from astakos.models import Project
from synnefo import crypto
from synnefo.errors import BadRequest, Unauthorized

_UNKNOWN_TEXT = "Invalid token"


@dataclass(frozen=True, slots=True)
class Authentication:
    """Accepted credentials and the tenant the answer names."""

    identity: Identity
    tenant: str


@dataclass(frozen=True, slots=True)
class Tenant:
    """A project as generic clients list it."""

    uuid: str
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class _Form:
    token: Any
    username: Any = None
    has_username: bool = False


def authenticate(body: Mapping[str, Any]) -> Authentication:
    """Check the credentials of a decoded request body.

    Raises ``BadRequest`` for a malformed body or a foreign tenant, ``Unauthorized`` for credentials that
    are wrong. Unknown kinds of credentials are malformed: clients fall back to another kind then.
    """
    auth = body.get("auth")
    if not isinstance(auth, dict):
        raise BadRequest("Malformed request: 'auth' must be an object")
    form = _form(auth)
    if not isinstance(form.token, str):
        raise BadRequest("Malformed request: the token must be a string")
    identity = authenticate_identity(form.token, unknown=_UNKNOWN_TEXT)
    if form.has_username and not _same(form.username, identity.uuid):
        raise Unauthorized("Invalid credentials")
    return Authentication(identity, _tenant(auth, identity))


def _form(auth: Mapping[str, Any]) -> _Form:
    token = auth.get("token")
    if isinstance(token, dict) and "id" in token:
        return _Form(token["id"])
    password = auth.get("passwordCredentials")
    if isinstance(password, dict) and "password" in password:
        for alias in ("username", "userId"):
            if alias in password:
                return _Form(password["password"], password[alias], has_username=True)
    raise BadRequest("Malformed request: missing credentials")


def _same(given: Any, uuid: str) -> bool:
    return isinstance(given, str) and crypto.constant_time_equal(given, uuid)


def _tenant(auth: Mapping[str, Any], identity: Identity) -> str:
    """Return the tenant of the answer: the one asked for, else the user's default project."""
    asked = auth.get("tenantName") or auth.get("tenantId")
    if not asked or asked == identity.uuid:
        return identity.default_project
    if not isinstance(asked, str) or asked not in identity.projects:
        raise BadRequest("Not conforming tenantName")
    return asked


def tenants(identity: Identity) -> list[Tenant]:
    """Return the active projects that *identity* is a member of."""
    projects = Project.objects.filter(uuid__in=identity.projects)
    return [Tenant(project.uuid, project.realname, project.description) for project in projects]
