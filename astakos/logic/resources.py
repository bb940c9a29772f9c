"""Registering resources and changing their defaults (identity contract 2.3)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from django.db import transaction

from astakos.logic.limits import BATCH, sync_holdings
from astakos.models import Project, ProjectResourceQuota, Resource, Service
from astakos.models.project import INITIALIZED_STATES
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one, lock_rows
from synnefo.errors import BadRequest, Conflict, NotFound
from synnefo.units import INF

_CACHE_KEY = "astakos:public-resources"


@dataclass(frozen=True, slots=True)
class ResourceDefinition:
    """What a service says about a resource it counts."""

    name: str
    desc: str = ""
    unit: str | None = None
    ui_visible: bool = True
    api_visible: bool = True


@dataclass(frozen=True, slots=True)
class PublicResource:
    """A resource as the API lists it."""

    name: str
    service: str
    description: str
    unit: str | None
    ui_visible: bool


def public_resources() -> tuple[PublicResource, ...]:
    """Return the API-visible resources, at most ``ASTAKOS_RESOURCE_CACHE_TIMEOUT`` seconds old."""
    cached: str | None = cache.get(_CACHE_KEY)
    if cached is None:
        rows = Resource.objects.filter(api_visible=True)
        fields = rows.values_list("name", "service_origin", "desc", "unit", "ui_visible")
        cached = json.dumps([list(row) for row in fields])
        cache.set(_CACHE_KEY, cached, settings.ASTAKOS_RESOURCE_CACHE_TIMEOUT)
    return tuple(PublicResource(*row) for row in json.loads(cached))


def forget_cached_resources() -> None:
    """Let the next reader see a change as soon as it is committed."""
    transaction.on_commit(lambda: cache.delete(_CACHE_KEY))


def register(definition: ResourceDefinition, *, service: Service) -> bool:
    """Create or refresh the resource in the caller's transaction; return whether it is new.

    A new resource is unlimited for users and gives every initialised project capacity and holdings.
    An existing one keeps limits and visibility. Raises ``BadRequest`` for impossible visibility,
    ``Conflict`` when another component registered the name.
    """
    if definition.ui_visible and not definition.api_visible:
        raise BadRequest(f"Resource '{definition.name}': ui_visible requires api_visible")
    existing = Resource.objects.filter(name=definition.name).first()
    forget_cached_resources()
    if existing is not None:
        owner = Service.objects.filter(name=existing.service_origin).first()
        if owner is not None and owner.component_id != service.component_id:
            raise Conflict(
                f"Resource '{definition.name}' is registered by component '{owner.component.name}'"
            )
        existing.desc = definition.desc
        existing.unit = definition.unit
        existing.service_type = service.type
        existing.service_origin = service.name
        existing.save(update_fields=["desc", "unit", "service_type", "service_origin"])
        return False
    resource = Resource.objects.create(
        name=definition.name,
        desc=definition.desc,
        unit=definition.unit,
        service_type=service.type,
        service_origin=service.name,
        uplimit=INF,
        project_default=0 if definition.api_visible else INF,
        ui_visible=definition.ui_visible,
        api_visible=definition.api_visible,
    )
    _give_to_projects(resource)
    return True


def _give_to_projects(resource: Resource) -> None:
    projects = lock_rows(Project.objects.filter(state__in=INITIALIZED_STATES).only("id", "is_base"))
    capacities = []
    for project in projects:
        capacity = resource.uplimit if project.is_base else resource.project_default
        capacities.append(
            ProjectResourceQuota(
                project=project, resource=resource, project_capacity=capacity, member_capacity=capacity
            )
        )
    ProjectResourceQuota.objects.bulk_create(capacities, batch_size=BATCH)
    sync_holdings(project_ids=[project.pk for project in projects], resources=[resource.name])


def modify(
    credentials: Credentials,
    *,
    name: str,
    system_default: int | None = None,
    project_default: int | None = None,
    api_visible: bool | None = None,
    ui_visible: bool | None = None,
) -> Resource:
    """Change defaults for future projects and visibility; hidden from the API means hidden from pages.

    Raises ``NotFound`` for an unknown name, ``BadRequest`` for a limit out of range.
    """
    for limit in (system_default, project_default):
        if limit is not None and not 0 <= limit <= INF:
            raise BadRequest(f"A limit is between 0 and {INF}, not {limit}")
    if api_visible is False and ui_visible:
        raise BadRequest("A resource that pages show must be visible in the API")
    with atomic():
        try:
            resource = lock_one(Resource.objects.filter(name=name))
        except Resource.DoesNotExist:
            raise NotFound(
                f"Resource {name} does not exist. Use resource-list to find out available names."
            ) from None
        if system_default is not None:
            resource.uplimit = system_default
        if project_default is not None:
            resource.project_default = project_default
        if ui_visible is not None:
            resource.ui_visible = ui_visible
        if api_visible is not None:
            resource.api_visible = api_visible
        if ui_visible:
            resource.api_visible = True
        if not resource.api_visible:
            resource.ui_visible = False
        resource.save()
        forget_cached_resources()
        audit.record(
            credentials,
            "resource.modify",
            f"resource:{name}",
            system_default=resource.uplimit,
            project_default=resource.project_default,
            api_visible=resource.api_visible,
            ui_visible=resource.ui_visible,
        )
    return resource


def unit_of(name: str) -> str | None:
    """Return the unit of a resource, ``None`` for a plain count; raises ``NotFound``."""
    row = Resource.objects.filter(name=name).values_list("unit").first()
    if row is None:
        raise NotFound(f"Resource {name} does not exist. Use resource-list to find out available resources.")
    return row[0]


def find_all(name: str | None) -> list[Resource]:
    """Return the resource called *name*, or all without a name; raises ``NotFound`` when there is none."""
    found = list(Resource.objects.all() if name is None else Resource.objects.filter(name=name))
    if not found:
        raise NotFound(
            f"Resource {name or ''} does not exist. Use resource-list to find out available resources."
        )
    return found
