"""Version documents, without authentication (volume contract 1 and 15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from cyclades.api.volume.dialect import root_url
from synnefo.api import json_response

_MEDIA_TYPES = [{"base": "application/json", "type": "application/vnd.openstack.compute.v2+json"}]
#: Id, status, path, and what version and min_version say: v3 has no microversions beyond its first.
_VERSIONS = (
    ("v2.0", "SUPPORTED", "v2.0/", "2.0"),
    ("v2", "SUPPORTED", "v2/", "2"),
    ("v3.0", "CURRENT", "v3/", "3.0"),
)


def _render(version: tuple[str, str, str, str]) -> dict[str, Any]:
    version_id, status, path, number = version
    return {
        "id": version_id,
        "status": status,
        "version": number,
        "min_version": number,
        "updated": "2026-01-01T00:00:00Z",
        "media_types": _MEDIA_TYPES,
        "links": [{"rel": "self", "href": root_url(path)}],
    }


def list_versions(request: HttpRequest) -> HttpResponse:
    """Answer with all versions."""
    return json_response({"versions": [_render(version) for version in _VERSIONS]})


def show_version(version_id: str) -> Callable[[HttpRequest], HttpResponse]:
    """Return the handler that answers with one version."""
    document = next(version for version in _VERSIONS if version[0] == version_id)

    def show(request: HttpRequest) -> HttpResponse:
        return json_response({"versions": [_render(document)]})

    return show
