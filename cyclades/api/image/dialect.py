"""The image dialect: authentication and addresses (image contract 1)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from astakos import public as astakos
from cyclades.api.compute.dialect import base_url
from synnefo.api import ApiService, json_response

service = ApiService("image", astakos.authenticate_request)

#: kamaki calls the first, tools for Glance v1 the second.
VERSIONS = ("v1.0", "v1")
_MEDIA_TYPE = {"base": "application/json", "type": "application/vnd.openstack.compute.v2+json"}


def list_versions(request: HttpRequest) -> HttpResponse:
    """List the versions."""
    return json_response({"versions": [_version(name) for name in VERSIONS]})


def _version(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "status": "CURRENT",
        "links": [{"rel": "self", "href": f"{base_url()}/image/{name}/"}],
        "media_types": [_MEDIA_TYPE],
    }
