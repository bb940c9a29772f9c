"""Scripts of other sites: what a container's metadata lets them do (object-storage contract 22.2)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from pithos.api.headers import encode_value
from pithos.logic.containers import metadata_of_container

_LEAD = "X-Container-Meta-Access-Control-"
_METHODS = "GET, HEAD, PUT, POST, DELETE, COPY, OPTIONS"


def preflight(request: HttpRequest, account: str, container: str, name: str = "") -> HttpResponseBase:
    """Answer a browser that asks whether another site's script may send a request."""
    response = HttpResponse(b"", status=200)
    response["Allow"] = _METHODS
    wanted = request.META.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD")
    if wanted and "HTTP_ORIGIN" in request.META:
        if _allow(request, response, account, container):
            response["Access-Control-Allow-Methods"] = _METHODS
            headers = request.META.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
            if headers.isascii() and headers.isprintable():
                response["Access-Control-Allow-Headers"] = headers[:1024]
        else:
            response.status_code = 401
    return response


def mark(request: HttpRequest, response: HttpResponseBase) -> None:
    """Mark an answer about a container or its objects as open to the asking site, where it is."""
    place = request.resolver_match.kwargs if request.resolver_match is not None else {}
    if "container" not in place or "HTTP_ORIGIN" not in request.META or request.method == "OPTIONS":
        return
    account, container = place["account"], place["container"]
    if response.status_code < 500:
        _allow(request, response, account, container)


def _allow(request: HttpRequest, response: HttpResponseBase, account: str, container: str) -> bool:
    if "\0" in account + container:  # nothing has such a name, and no database can look for it
        return False
    items = metadata_of_container(account, container)
    origin = request.META["HTTP_ORIGIN"]
    allowed = items.get(f"{_LEAD}Allow-Origin", "").split()
    if "*" not in allowed and origin not in allowed:
        return False
    response["Access-Control-Allow-Origin"] = "*" if "*" in allowed else origin
    patch_vary_headers(response, ["X-Auth-Token", "Origin"])
    exposed = items.get(f"{_LEAD}Expose-Headers", "").split()
    standard = ["ETag", "Content-Length", "Content-Type", "Last-Modified", "X-Timestamp", "X-Trans-Id"]
    response["Access-Control-Expose-Headers"] = encode_value(", ".join([*standard, *exposed]))
    age = items.get(f"{_LEAD}Max-Age", "")
    if age.isascii() and age.isdigit():
        response["Access-Control-Max-Age"] = age
    return True
