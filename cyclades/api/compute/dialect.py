"""The compute dialect: authentication, paths and links (compute contract 1)."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest

from astakos import public as astakos
from cyclades.api.compute.profile import ComputeService, Profile, base_url
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest

service = ComputeService("compute", astakos.authenticate_request)

__all__ = ["END", "MAX_PAGE", "acting", "base_url", "next_page", "page_limit", "query_int",
           "resource_links", "resource_url", "service"]  # fmt: skip

#: Optional endings of every path; both formats are answered in JSON.
END = r"(?:\.json|\.xml)?/?"
MAX_PAGE = 1000


def acting(request: HttpRequest) -> Credentials:
    """Return who is asking, as the dialect's authentication found."""
    credentials: Credentials = request.credentials  # type: ignore[attr-defined]
    return credentials


def resource_url(path: str) -> str:
    """Return the public address of *path* below the compute root; profiles put in their version."""
    return f"{base_url()}/compute/{Profile.CYCLADES}/{path}"


def resource_links(path: str) -> list[dict[str, str]]:
    """Return the links of a resource to itself."""
    url = resource_url(path)
    return [{"rel": "self", "href": url}, {"rel": "bookmark", "href": url}]


def next_page(request: HttpRequest, path: str, marker: object) -> list[dict[str, str]]:
    """Return the link that continues a list after *marker* with the same parameters."""
    parameters = [(k, v) for k, v in request.GET.items() if k != "marker"] + [("marker", str(marker))]
    return [{"rel": "next", "href": f"{resource_url(path)}?{urlencode(parameters)}"}]


def query_int(request: HttpRequest, name: str, *, minimum: int = 0, maximum: int = 2**63 - 1) -> int | None:
    """Return the integer query parameter *name*, ``None`` when absent; raises ``BadRequest``."""
    text = request.GET.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or not minimum <= int(text) <= maximum:
        raise BadRequest(f"'{name}' must be an integer of {minimum} to {maximum}")
    return int(text)


def page_limit(request: HttpRequest) -> int | None:
    """Return ``limit``, at most the largest page; raises ``BadRequest``."""
    limit = query_int(request, "limit", minimum=1)
    return None if limit is None else min(limit, MAX_PAGE)
