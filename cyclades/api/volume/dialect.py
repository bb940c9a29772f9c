"""The volume dialects: authentication, paths and links (volume contract 1 and 15)."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest

from astakos import public as astakos
from cyclades.api.compute.dialect import base_url
from synnefo.api import ApiService

service = ApiService("volume", astakos.authenticate_request, plain_addresses=True)

#: Optional endings of every path.
END = r"(?:\.json)?/?"


def root_url(path: str = "") -> str:
    """Return the public address of *path* below the volume root."""
    return f"{base_url()}/volume/{path}"


def next_page(request: HttpRequest, path: str, marker: int) -> list[dict[str, str]]:
    """Return the link that continues a list after *marker* with the same parameters."""
    parameters = [(k, v) for k, v in request.GET.items() if k not in ("marker", "offset")]
    query = urlencode([*parameters, ("marker", str(marker))])
    return [{"rel": "next", "href": f"{root_url(path)}?{query}"}]


def resource_links(version: str, path: str) -> list[dict[str, str]]:
    """Return the links of a resource to itself; the second one has no version."""
    return [
        {"rel": "self", "href": root_url(f"{version}/{path}")},
        {"rel": "bookmark", "href": root_url(path)},
    ]
