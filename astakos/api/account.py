"""The account API for users and services: catalogs, feedback, who am I (identity contract 1.5, 1.6)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

from django.http import HttpRequest, HttpResponse

from astakos.logic import feedback, projects, users
from astakos.logic.authentication import Identity
from synnefo.api import empty_response, json_response, read_object
from synnefo.api.body import read_bytes
from synnefo.api.fields import require_str
from synnefo.errors import BadRequest, Forbidden

_MAX_FEEDBACK_BYTES = 256 << 10


def authenticate(request: HttpRequest) -> HttpResponse:
    """Answer who the token belongs to, in the form that early services used."""
    identity: Identity = request.credentials  # type: ignore[attr-defined]
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
    """Translate uuids and display names for a user."""
    return _catalogs(request, for_service=False)


def service_user_catalogs(request: HttpRequest) -> HttpResponse:
    """Translate for a component, which may also ask for everybody by sending null."""
    return _catalogs(request, for_service=True)


def _catalogs(request: HttpRequest, *, for_service: bool) -> HttpResponse:
    body = read_object(request, require_content_type=False)
    uuids = _uuids(body, for_service)
    names = _display_names(body, for_service)
    catalog = users.catalog(uuids=uuids, emails=names)
    return json_response(
        {"uuid_catalog": catalog.emails_by_uuid, "displayname_catalog": catalog.uuids_by_email}
    )


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
    identity: Identity = request.credentials  # type: ignore[attr-defined]
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
    identity: Identity = request.credentials  # type: ignore[attr-defined]
    body = read_object(request)
    if body.get("project_id") is None:
        raise Forbidden("'project_id' is required")
    project = require_str(body, "project_id", max_length=255)
    projects.set_default_project(identity.credentials(), user_id=identity.uuid, project=project)
    return empty_response()
