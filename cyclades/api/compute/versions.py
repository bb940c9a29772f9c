"""Version documents (compute contract 2)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from cyclades.api.compute.profile import Profile, base_url
from synnefo.api import json_response

_UPDATED = "2011-01-21T11:33:21-06:00"


def _version(profile: Profile) -> dict[str, Any]:
    # Empty versions tell clients that there are no microversions.
    return {
        "id": profile,
        "status": "CURRENT",
        "updated": _UPDATED,
        "version": "",
        "min_version": "",
        "links": [{"rel": "self", "href": f"{base_url()}/compute/{profile}/"}],
    }


def list_versions(request: HttpRequest) -> HttpResponse:
    """Answer with the versions, one for each profile."""
    return json_response({"versions": [_version(profile) for profile in Profile]})


def show_version(request: HttpRequest) -> HttpResponse:
    """Answer with the version document."""
    media_types = [
        {"base": "application/json", "type": "application/vnd.openstack.compute.v2+json"},
    ]
    return json_response({"version": _version(Profile.CYCLADES) | {"media_types": media_types}})


def show_nova_version(request: HttpRequest) -> HttpResponse:
    """Answer with the document of Nova's version."""
    media_types = [
        {"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"},
    ]
    return json_response({"version": _version(Profile.NOVA) | {"media_types": media_types}})
