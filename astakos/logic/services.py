"""Registering services with their endpoints and resources (identity contract 4.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from astakos.logic import resources
from astakos.logic.catalog import forget_cached_catalog
from astakos.logic.resources import ResourceDefinition
from astakos.models import Component, Endpoint, EndpointData, Service
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one
from synnefo.errors import BadRequest, Conflict, NotFound

MAX_VALUE_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class ServiceDefinition:
    """What a component says about one of its services.

    Endpoints are dictionaries of catalog attributes; one without ``publicURL`` gets
    ``<base_url>/<prefix>/<versionId>``, the version left out when ``SNF:exposeVersion`` is false.
    """

    name: str
    type: str
    prefix: str = ""
    public: bool = True
    endpoints: Sequence[Mapping[str, object]] = ()
    resources: Sequence[ResourceDefinition] = ()


@dataclass(frozen=True, slots=True)
class ImportedService:
    """The outcome of registering one service; the rest is for the administrator."""

    name: str
    created: bool
    new_resources: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())


def with_public_urls(definition: ServiceDefinition, *, base_url: str) -> ServiceDefinition:
    """Return *definition* with the ``publicURL`` of every endpoint filled in."""
    endpoints = []
    for endpoint in definition.endpoints:
        parts = [base_url.rstrip("/"), definition.prefix.strip("/")]
        if endpoint.get("SNF:exposeVersion", True):
            parts.append(str(endpoint.get("versionId", "")))
        url = "/".join(part for part in parts if part)
        endpoints.append({"SNF:exposeVersion": True, "publicURL": url, **endpoint})
    return ServiceDefinition(
        name=definition.name,
        type=definition.type,
        prefix=definition.prefix,
        public=definition.public,
        endpoints=endpoints,
        resources=definition.resources,
    )


def export_document(
    *, component: str, base_url: str, definitions: Sequence[ServiceDefinition]
) -> dict[str, dict[str, Any]]:
    """Return the import document of a component's public services."""
    document = {}
    for definition in definitions:
        if not definition.public:
            continue
        filled = with_public_urls(definition, base_url=base_url)
        document[filled.name] = {
            "name": filled.name,
            "component": component,
            "type": filled.type,
            "prefix": filled.prefix,
            "public": True,
            "endpoints": [dict(endpoint) for endpoint in filled.endpoints],
            "resources": {
                resource.name: {
                    "name": resource.name,
                    "desc": resource.desc,
                    "unit": resource.unit,
                    "ui_visible": resource.ui_visible,
                    "api_visible": resource.api_visible,
                    "service_type": filled.type,
                    "service_origin": filled.name,
                }
                for resource in filled.resources
            },
        }
    return document


def import_services(
    credentials: Credentials, *, services: Sequence[tuple[str, ServiceDefinition]]
) -> list[ImportedService]:
    """Register (component name, service) pairs in one transaction; endpoints of known ones are replaced.

    Raises ``NotFound`` for an unknown component, ``Conflict`` for a name another component has,
    ``BadRequest`` for an unusable endpoint or resource.
    """
    outcomes = []
    with atomic():
        for component_name, definition in services:
            try:
                component = lock_one(Component.objects.filter(name=component_name))
            except Component.DoesNotExist:
                raise NotFound(f"Component '{component_name}' is not registered") from None
            outcomes.append(register(component, definition))
            audit.record(
                credentials, "service.import", f"service:{definition.name}", component=component_name
            )
        forget_cached_catalog()
    return outcomes


def register(component: Component, definition: ServiceDefinition) -> ImportedService:
    """Create or refresh one service of *component* in the caller's transaction."""
    service = Service.objects.filter(name=definition.name).first()
    if service is not None and service.component_id != component.pk:
        raise Conflict(f"Service '{definition.name}' belongs to component '{service.component.name}'")
    created = service is None
    if service is None:
        service = Service.objects.create(component=component, name=definition.name, type=definition.type)
    else:
        service.type = definition.type
        service.save(update_fields=["type"])
        service.endpoints.all().delete()
    warnings = [
        warning
        for endpoint in definition.endpoints
        if (warning := _add_endpoint(component, service, endpoint)) is not None
    ]
    new = [item.name for item in definition.resources if resources.register(item, service=service)]
    return ImportedService(definition.name, created, tuple(new), tuple(warnings))


def _add_endpoint(component: Component, service: Service, attributes: Mapping[str, object]) -> str | None:
    url = attributes.get("publicURL")
    if not isinstance(url, str) or not url:
        raise BadRequest(f"Service '{service.name}': an endpoint has no publicURL")
    endpoint = Endpoint.objects.create(service=service)
    rows = []
    for key, value in attributes.items():
        if not isinstance(value, str | bool | int) or len(key) > 255 or len(str(value)) > MAX_VALUE_LENGTH:
            raise BadRequest(f"Service '{service.name}': the endpoint attribute '{key[:50]}' is not storable")
        rows.append(EndpointData(endpoint=endpoint, key=key, value=str(value)))
    EndpointData.objects.bulk_create(rows)
    if component.base_url and not is_below(url, component.base_url):
        return f"Endpoint URL '{url}' is not below the base URL '{component.base_url}' of '{component.name}'"
    return None


def is_below(url: str, base_url: str) -> bool:
    """Tell whether *url* is *base_url* or something under it, on a path boundary."""
    base = base_url.rstrip("/")
    return url == base or url.startswith(base + "/")


def find(text: str) -> Service:
    """Return the service with this id or name; raises ``NotFound``."""
    services = Service.objects.select_related("component")
    found = services.filter(name=text).first()
    if found is None and text.isascii() and text.isdigit() and len(text) < 19:
        found = services.filter(pk=int(text)).first()
    if found is None:
        raise NotFound(f"Service with ID {text} does not exist. Use service-list to find out available IDs.")
    return found
