"""How clients find this dialect (identity contract 1.1)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from astakos.api.v3.service import base_url
from synnefo.api import json_response

_UPDATED = "2020-04-07T00:00:00Z"


def version() -> dict[str, Any]:
    """Return the description of the dialect; clients read id, status and the link to itself."""
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": _UPDATED,
        "links": [{"rel": "self", "href": f"{base_url()}/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


def show(request: HttpRequest) -> HttpResponse:
    """Describe the dialect."""
    return json_response({"version": version()})
