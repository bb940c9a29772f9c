"""The volume dialects: authentication, paths and links (volume contract 1 and 15)."""

from __future__ import annotations

from astakos import public as astakos
from cyclades.api.compute.dialect import base_url
from synnefo.api import ApiService

service = ApiService("volume", astakos.authenticate_request)

#: Optional endings of every path.
END = r"(?:\.json)?/?"


def root_url(path: str = "") -> str:
    """Return the public address of *path* below the volume root."""
    return f"{base_url()}/volume/{path}"


def resource_links(version: str, path: str) -> list[dict[str, str]]:
    """Return the links of a resource to itself; the second one has no version."""
    return [
        {"rel": "self", "href": root_url(f"{version}/{path}")},
        {"rel": "bookmark", "href": root_url(path)},
    ]
