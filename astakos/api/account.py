"""The account API for users and services: catalogs, feedback, who am I (identity contract 1.5, 1.6)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from astakos.api.service import identity_of
from astakos.logic import feedback, limited, projects, users
from synnefo.api import empty_response, json_response, read_object
from synnefo.api.body import read_bytes
from synnefo.api.fields import require_str
from synnefo.api.responses import json_bytes, spooled_response
from synnefo.errors import BadRequest, Forbidden

_MAX_FEEDBACK_BYTES = 256 << 10


def authenticate(request: HttpRequest) -> HttpResponse:
    """Answer who the token belongs to, in the form that early services used."""
    identity = identity_of(request)
    return json_response(
        {
            "id": identity.id,
            "username": identity.username,
            "uniq": identity.uuid,
            "uuid": identity.uuid,
            "email": [identity.email],
            "name": identity.name,
            "groups": [role.name for role in identity.roles],
            "auth_token": identity.token,
            "auth_token_created": int(identity.token_created.timestamp()),
            "auth_token_expires": int(identity.token_expires.timestamp()),
        }
    )


def user_catalogs(request: HttpRequest) -> HttpResponse:
    """Translate uuids and display names for a user, so many times a minute."""
    limited.check_catalog(identity_of(request).uuid)
    body = read_object(request, require_content_type=False)
    catalog = users.catalog(
        uuids=_uuids(body, for_service=False) or (), emails=_display_names(body, for_service=False) or ()
    )
    return json_response(
        {"uuid_catalog": catalog.emails_by_uuid, "displayname_catalog": catalog.uuids_by_email}
    )


def service_user_catalogs(request: HttpRequest) -> HttpResponseBase:
    """Translate for a component, which may also ask for everybody by sending null."""
    body = read_object(request, require_content_type=False)
    uuids = _uuids(body, for_service=True)
    names = _display_names(body, for_service=True)
    known = users.catalog(uuids=uuids or (), emails=names or ())
    return spooled_response(
        _catalogs(
            known.emails_by_uuid.items() if uuids is not None else users.everybody(),
            known.uuids_by_email.items()
            if names is not None
            else ((name, uuid) for uuid, name in users.everybody()),
        )
    )


def _catalogs(by_uuid: Iterable[tuple[str, str]], by_name: Iterable[tuple[str, str]]) -> Iterator[bytes]:
    """Write both catalogs piece by piece: there may be as many users as the site has."""
    yield b'{"uuid_catalog": {'
    yield from _members(by_uuid)
    yield b'}, "displayname_catalog": {'
    yield from _members(by_name)
    yield b"}}"


def _members(pairs: Iterable[tuple[str, str]]) -> Iterator[bytes]:
    for number, (key, value) in enumerate(pairs):
        yield b"%b%b: %b" % (b", " if number else b"", json_bytes(key), json_bytes(value))


def _uuids(body: dict[str, Any], for_service: bool) -> list[str] | None:
    """Only a list can name uuids; the original never checked, so anything else finds nothing."""
    value = body.get("uuids", [])
    if value is None and for_service:
        return None
    items = [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
    return _bounded(items, "uuids")


def _display_names(body: dict[str, Any], for_service: bool) -> list[str] | None:
    value = body.get("displaynames", [])
    if value is None and for_service:
        return None
    if not isinstance(value, list):
        raise BadRequest("Invalid displaynames: not a list")
    if not all(isinstance(item, str) for item in value):
        raise BadRequest("Invalid displaynames: every item must be a string")
    return _bounded(value, "displaynames")


def _bounded(items: list[str], field: str) -> list[str]:
    if len(items) > users.MAX_CATALOG_ITEMS:
        raise BadRequest(f"'{field}' has {len(items)} items, at most {users.MAX_CATALOG_ITEMS} are allowed")
    return items


def send_feedback(request: HttpRequest) -> HttpResponse:
    """Mail what a user has to say; clients label the form in several ways, so the label is not read."""
    identity = identity_of(request)
    fields = _form_fields(read_bytes(request, _MAX_FEEDBACK_BYTES))
    message = fields.get("feedback_msg", "")
    data = fields.get("feedback_data", "")
    if not isinstance(message, str) or not message.strip():
        raise BadRequest("'feedback_msg' is required and must not be empty")
    sent = feedback.send(identity, message=message, data=data if isinstance(data, str) else json.dumps(data))
    return empty_response(200 if sent else 502)


def _form_fields(raw: bytes) -> dict[str, Any]:
    text = raw.decode("utf-8", "replace").replace("\0", "")
    if text.lstrip().startswith("{"):
        try:
            decoded = json.loads(text)
        except (ValueError, RecursionError):
            raise BadRequest("The feedback is neither a form nor valid JSON") from None
        return decoded if isinstance(decoded, dict) else {}
    try:
        return {key: values[0] for key, values in parse_qs(text, max_num_fields=100).items()}
    except ValueError:
        raise BadRequest("The feedback form has too many fields") from None


def set_default_project(request: HttpRequest) -> HttpResponse:
    """Choose the project that the user's new resources are charged to."""
    identity = identity_of(request)
    body = read_object(request)
    if body.get("project_id") is None:
        raise Forbidden("'project_id' is required")
    project = require_str(body, "project_id", max_length=255)
    projects.set_default_project(identity.credentials(), user_id=identity.uuid, project=project)
    return empty_response()
