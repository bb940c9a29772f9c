"""The API by which other programs of the site administer users (identity contract 1.7)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from astakos.api.service import AccountApi, user_of
from astakos.logic import admin_users
from astakos.logic.admin_users import UserFields, UserRecord
from astakos.logic.authentication import Identity
from synnefo import clock
from synnefo.api import json_response, read_object
from synnefo.api.fields import optional_object, optional_str, require_object, require_str
from synnefo.api.responses import json_bytes, spooled_response
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Forbidden

_MAX_METADATA_BYTES = 16 << 10


def caller_of(request: HttpRequest) -> Credentials:
    """Return the credentials of a permitted caller.

    Raises ``Unauthorized``, ``Forbidden`` for everybody who is in none of
    ``ASTAKOS_ADMIN_API_PERMITTED_GROUPS``.
    """
    identity = user_of(request)
    if not in_groups(identity, settings.ASTAKOS_ADMIN_API_PERMITTED_GROUPS):
        raise Forbidden("Access denied")
    return identity.credentials()


def in_groups(identity: Identity, groups: Any) -> bool:
    """Tell whether the user is in one of *groups*."""
    return bool({role.name for role in identity.roles} & set(groups))


class AdminUsersApi(AccountApi):
    """The dialect of this API, whose paths are unknown ones where the site did not switch it on."""

    def check_served(self) -> None:
        """Raise what an unknown path is answered with, whatever the verb, while the API is off."""
        if not settings.ASTAKOS_ADMIN_API_ENABLED:
            raise self.unknown()


api = AdminUsersApi("admin-users")


def _credentials(request: HttpRequest) -> Credentials:
    credentials: Credentials = request.credentials  # type: ignore[attr-defined]  # from ``caller_of``
    return credentials


# -- lists -------------------------------------------------------------------------------------------------


def list_users(request: HttpRequest) -> HttpResponseBase:
    """List all users."""
    return _list(_rendered)


def list_users_in_detail(request: HttpRequest) -> HttpResponseBase:
    """List all users with their dates."""
    return _list(_detailed)


def _list(render: Callable[[UserRecord], dict[str, Any]]) -> HttpResponseBase:
    return spooled_response(_pieces(render))


def _pieces(render: Callable[[UserRecord], dict[str, Any]]) -> Iterator[bytes]:
    yield b'{"users": ['
    for number, record in enumerate(admin_users.list_users()):
        yield b", " if number else b""
        yield json_bytes(render(record))
    yield b"]}"


def _rendered(record: UserRecord) -> dict[str, Any]:
    return {
        "id": record.uuid,
        "first_name": record.first_name,
        "last_name": record.last_name,
        "email": record.email,
        "is_active": record.is_active,
        "is_rejected": record.is_rejected,
        "rejected_reason": record.rejected_reason or None,
        "deactivated_reason": record.deactivated_reason or None,
        "accepted_policy": record.accepted_policy or None,
        "roles": list(record.roles),
        "authentication_methods": [
            {
                "identifier": method.identifier,
                "active": method.active,
                "affiliation": method.affiliation,
                "backend": method.backend,
                "metadata": method.metadata,
            }
            for method in record.methods
        ],
    }


def _detailed(record: UserRecord) -> dict[str, Any]:
    dates = {
        "date_joined": record.date_joined,
        "moderated_at": record.moderated_at,
        "verified_at": record.verified_at,
        "auth_token_expires": record.auth_token_expires,
    }
    shown = {name: clock.isoformat(moment) if moment else None for name, moment in dates.items()}
    return {**_rendered(record), **shown}


# -- single users ------------------------------------------------------------------------------------------


def show(request: HttpRequest, uuid: str) -> HttpResponse:
    """Show one user with the dates."""
    return json_response({"user": _detailed(admin_users.show(uuid=uuid))})


def create(request: HttpRequest) -> HttpResponse:
    """Create a user who can log in at once."""
    body = require_object(read_object(request), "user")
    for name in ("username", "first_name", "last_name"):
        require_str(body, name, min_length=1)
    created = admin_users.create(_credentials(request), fields=_fields(body))
    return json_response(
        {"user": {"id": created.uuid, "password": created.password, "auth_token": created.token}}
    )


def modify(request: HttpRequest, uuid: str) -> HttpResponse:
    """Change the fields that the body names."""
    fields = _fields(require_object(read_object(request), "user"))
    record = admin_users.modify(_credentials(request), uuid=uuid, fields=fields)
    return json_response({"user": _detailed(record)})


def _fields(body: dict[str, Any]) -> UserFields:
    metadata = None if body.get("metadata") is None else optional_object(body, "metadata")
    if metadata is not None and len(json.dumps(metadata)) > _MAX_METADATA_BYTES:
        raise BadRequest(f"'metadata' has more than {_MAX_METADATA_BYTES} bytes")
    if metadata is not None and "\\u0000" in json.dumps(metadata):
        raise BadRequest("'metadata' holds a character that cannot be stored")
    affiliation = optional_str(body, "affiliation")
    if affiliation is not None and not affiliation.isprintable():
        raise BadRequest("'affiliation' holds a character that cannot be stored")
    return UserFields(
        email=optional_str(body, "username"),
        first_name=optional_str(body, "first_name"),
        last_name=optional_str(body, "last_name"),
        password=optional_str(body, "password", max_length=4096),
        affiliation=affiliation,
        metadata=metadata,
    )


# -- actions -----------------------------------------------------------------------------------------------


def act(request: HttpRequest, uuid: str) -> HttpResponse:
    """Do the one thing that the body names."""
    body = read_object(request)
    names = [name for name in body if name in _ACTIONS]
    if len(body) != 1 or not names:
        raise BadRequest(f"The body must name one action of: {', '.join(_ACTIONS)}")
    result = _ACTIONS[names[0]](_credentials(request), uuid, optional_object(body, names[0]))
    return json_response({"user": {"id": uuid, **result}})


def _activate(credentials: Credentials, uuid: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"is_active": admin_users.set_active(credentials, uuid=uuid, active=True)}


def _deactivate(credentials: Credentials, uuid: str, arguments: dict[str, Any]) -> dict[str, Any]:
    reason = (optional_str(arguments, "reason", max_length=4096) or "").replace("\0", "")
    return {"is_active": admin_users.set_active(credentials, uuid=uuid, active=False, reason=reason)}


def _renew_token(credentials: Credentials, uuid: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"auth_token": admin_users.renew_token(credentials, uuid=uuid)}


def _sign_terms(credentials: Credentials, uuid: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"has_signed_terms": admin_users.sign_terms(credentials, uuid=uuid)}


def _set_default_project(credentials: Credentials, uuid: str, arguments: dict[str, Any]) -> dict[str, Any]:
    project = require_str(arguments, "project_id").replace("\0", "")
    return {"default_project": admin_users.set_default_project(credentials, uuid=uuid, project=project)}


_ACTIONS: dict[str, Callable[[Credentials, str, dict[str, Any]], dict[str, Any]]] = {
    "activate": _activate,
    "deactivate": _deactivate,
    "renewToken": _renew_token,
    "signTerms": _sign_terms,
    "setDefaultProject": _set_default_project,
}

_USER = r"(?P<uuid>[0-9a-f-]{36})"
urlpatterns = [
    api.route(r"v2\.0/users/?(?:\.json)?", GET=list_users, POST=create, auth=caller_of),
    api.route(r"v2\.0/users/detail/?(?:\.json)?", GET=list_users_in_detail, auth=caller_of),
    api.route(rf"v2\.0/users/{_USER}/?(?:\.json)?", GET=show, PUT=modify, auth=caller_of),
    api.route(rf"v2\.0/users/{_USER}/action/?(?:\.json)?", POST=act, auth=caller_of),
]
