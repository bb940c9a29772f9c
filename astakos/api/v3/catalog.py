"""The service catalog, and services, endpoints and regions as lists (identity contract 1.3)."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse

from astakos.api.v3.service import base_url, collection
from astakos.logic.authentication import Identity
from astakos.logic.catalog import current_catalog
from synnefo.api import json_response
from synnefo.api.responses import json_bytes
from synnefo.errors import NotFound

_INTERFACES = ("public", "internal", "admin")
#: Who speaks v3 wants the v3 address of this very service.
_IDENTITY = "identity"
#: Today's clients of object storage take the address in the catalog for that of the account.
_STORAGE = "object-store"
_ACCOUNT = "AUTH_%(user_id)s"
#: Services with a dialect of its own for clients that speak v3: the version they get instead of which.
_VERSIONS = {"cyclades_compute": ("/v2.0", "/v2.1")}


def entries() -> list[dict[str, Any]]:
    """Return the catalog of the v2.0 dialect in the v3 form; ids are names, which are unique."""
    return _in_v3_form(current_catalog().text, base_url())[0]


def rendered(user: str) -> bytes:
    """Return the same as JSON, for answers about tokens of the user with this uuid."""
    return _in_v3_form(current_catalog().text, base_url())[1].replace(
        _ACCOUNT.encode(), f"AUTH_{user}".encode()
    )


def _url(service: dict[str, Any], endpoint: dict[str, Any], base: str) -> str:
    if service["type"] == _IDENTITY:
        return base
    url = str(endpoint.get("publicURL", ""))
    older, todays = _VERSIONS.get(service["name"], ("", ""))
    if older and url.rstrip("/").endswith(older):
        url = url.rstrip("/").removesuffix(older) + todays
    return f"{url.rstrip('/')}/{_ACCOUNT}" if service["type"] == _STORAGE and url else url


@lru_cache(maxsize=2)
def _in_v3_form(text: str, base: str) -> tuple[list[dict[str, Any]], bytes]:
    catalog = []
    for service in json.loads(text):
        name = service["name"]
        endpoints = [
            {
                "id": f"{name}-{number}-{interface}",
                "interface": interface,
                "region": endpoint["region"],
                "region_id": endpoint["region"],
                "url": _url(service, endpoint, base),
            }
            for number, endpoint in enumerate(service["endpoints"], 1)
            for interface in _INTERFACES
        ]
        catalog.append({"id": name, "name": name, "type": service["type"], "endpoints": endpoints})
    return catalog, json_bytes(catalog)


def show_catalog(request: HttpRequest) -> HttpResponse:
    """Answer the catalog of the token; only the address of the storage account depends on whose it is."""
    person: Identity = request.credentials  # type: ignore[attr-defined]  # the dispatcher puts it there
    listed = json.loads(rendered(person.uuid))
    return json_response(collection("catalog", "auth/catalog", listed))


def _services() -> list[dict[str, Any]]:
    return [
        {
            "id": entry["id"],
            "name": entry["name"],
            "type": entry["type"],
            "enabled": True,
            "description": "",
            "links": {"self": f"{base_url()}/services/{entry['id']}"},
        }
        for entry in entries()
    ]


def _endpoints() -> list[dict[str, Any]]:
    return [
        {
            **endpoint,
            "service_id": entry["id"],
            "enabled": True,
            "links": {"self": f"{base_url()}/endpoints/{endpoint['id']}"},
        }
        for entry in entries()
        for endpoint in entry["endpoints"]
    ]


def _regions() -> list[dict[str, Any]]:
    names = {endpoint["region"]: None for entry in entries() for endpoint in entry["endpoints"]}
    return [
        {
            "id": name,
            "description": "",
            "parent_region_id": None,
            "links": {"self": f"{base_url()}/regions/{name}"},
        }
        for name in names
    ]


def _matching(request: HttpRequest, items: list[dict[str, Any]], *fields: str) -> list[dict[str, Any]]:
    wanted = {field: request.GET[field] for field in fields if request.GET.get(field)}
    return [item for item in items if all(item[field] == value for field, value in wanted.items())]


def _one(items: list[dict[str, Any]], item_id: str) -> dict[str, Any]:
    found = next((item for item in items if item["id"] == item_id), None)
    if found is None:
        raise NotFound("The resource could not be found.")
    return found


def list_services(request: HttpRequest) -> HttpResponse:
    """List the registered services."""
    return json_response(collection("services", "services", _matching(request, _services(), "name", "type")))


def show_service(request: HttpRequest, item_id: str) -> HttpResponse:
    """Show one registered service."""
    return json_response({"service": _one(_services(), item_id)})


def list_endpoints(request: HttpRequest) -> HttpResponse:
    """List where services are reached."""
    found = _matching(request, _endpoints(), "interface", "service_id", "region_id")
    return json_response(collection("endpoints", "endpoints", found))


def show_endpoint(request: HttpRequest, item_id: str) -> HttpResponse:
    """Show one endpoint."""
    return json_response({"endpoint": _one(_endpoints(), item_id)})


def list_regions(request: HttpRequest) -> HttpResponse:
    """List the regions: there is one."""
    return json_response(collection("regions", "regions", _regions()))


def show_region(request: HttpRequest, item_id: str) -> HttpResponse:
    """Show one region."""
    return json_response({"region": _one(_regions(), item_id)})
