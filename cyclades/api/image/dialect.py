"""The image dialect: authentication and addresses (image contract 1)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from astakos import public as astakos
from cyclades.api.compute.dialect import base_url
from synnefo.api import ApiService, json_response

service = ApiService("image", astakos.authenticate_request, plain_addresses=True)

#: kamaki calls the first, tools for Glance v1 the second.
VERSIONS = ("v1.0", "v1")
#: The last version of Glance whose calls today's clients may use here, and its address.
_GLANCE = ("v2.9", "v2")
_MEDIA_TYPE = {"base": "application/json", "type": "application/vnd.openstack.compute.v2+json"}


def list_versions(request: HttpRequest) -> HttpResponse:
    """List the versions."""
    pairs = [*((name, name) for name in VERSIONS), _GLANCE]
    return json_response({"versions": [_version(*pair) for pair in pairs]})


def _version(name: str, path: str) -> dict[str, Any]:
    return {
        "id": name,
        "status": "CURRENT",
        "links": [{"rel": "self", "href": f"{base_url()}/image/{path}/"}],
        "media_types": [_MEDIA_TYPE],
    }
