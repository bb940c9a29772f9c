"""Reading the JSON document of ``service-import`` (administrator's contract 2.4)."""

from __future__ import annotations

import json
from typing import Any

from astakos.logic.resources import ResourceDefinition
from astakos.logic.services import ServiceDefinition
from synnefo.errors import BadRequest


def parse(text: str) -> list[tuple[str, ServiceDefinition]]:
    """Return (component name, service) pairs of an import document; raises ``BadRequest``."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The services are not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise BadRequest("The services must be a JSON object keyed by service name")
    return [_service(name, body) for name, body in document.items()]


def _service(name: str, body: Any) -> tuple[str, ServiceDefinition]:
    where = f"Service '{name}'"
    if not isinstance(body, dict):
        raise BadRequest(f"{where} must be an object")
    endpoints = body.get("endpoints")
    if not isinstance(endpoints, list) or not all(isinstance(item, dict) for item in endpoints):
        raise BadRequest(f"{where}: 'endpoints' must be a list of objects")
    described = body.get("resources", {})
    if not isinstance(described, dict):
        raise BadRequest(f"{where}: 'resources' must be an object")
    definition = ServiceDefinition(
        name=name,
        type=_text(body, "type", where),
        prefix=_text(body, "prefix", where, default=""),
        public=True,
        endpoints=endpoints,
        resources=[_resource(key, item, name) for key, item in described.items()],
    )
    return _text(body, "component", where), definition


def _resource(key: str, body: Any, service: str) -> ResourceDefinition:
    where = f"Service '{service}', resource '{key}'"
    if not isinstance(body, dict):
        raise BadRequest(f"{where} must be an object")
    if _text(body, "service_origin", where) != service:
        raise BadRequest(f"{where}: 'service_origin' must be '{service}'")
    _text(body, "service_type", where)
    return ResourceDefinition(
        name=_text(body, "name", where),
        desc=_text(body, "desc", where, default=""),
        unit=None if body.get("unit") is None else _text(body, "unit", where),
        ui_visible=_flag(body, "ui_visible", where),
        api_visible=_flag(body, "api_visible", where),
    )


def _text(body: dict[str, Any], field: str, where: str, default: str | None = None) -> str:
    value = body.get(field, default)
    if not isinstance(value, str) or len(value) > 255 or "\0" in value or (default is None and not value):
        raise BadRequest(f"{where}: '{field}' must be a text of at most 255 characters")
    return value


def _flag(body: dict[str, Any], field: str, where: str) -> bool:
    value = body.get(field, True)
    if not isinstance(value, bool):
        raise BadRequest(f"{where}: '{field}' must be true or false")
    return value
