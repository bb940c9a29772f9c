"""Flavors: who may see and use which, and their administration (compute contract 10)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Prefetch, Q, QuerySet

from cyclades.logic.visibility import visible_servers
from cyclades.models import Flavor, FlavorAccess, FlavorSpec, VolumeType
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, Forbidden, NotFound

_RAM_STEP = 4


@dataclass(frozen=True)
class FlavorFilter:
    """What a list of flavors is narrowed to; ``None`` means no condition."""

    is_public: bool | None = None
    access_project: str | None = None
    min_ram: int | None = None
    min_disk: int | None = None
    marker: int | None = None
    limit: int | None = None


@dataclass(frozen=True)
class FlavorPage:
    """Flavors by id, and whether more follow."""

    flavors: list[Flavor]
    has_more: bool


def visible_flavors(credentials: Credentials) -> QuerySet[Flavor]:
    """Return the flavors the user may see in lists: public, or open to a project of theirs."""
    flavors = Flavor.objects.filter(deleted=False)
    if not credentials.is_admin:
        open_to_me = FlavorAccess.objects.filter(project__in=sorted(credentials.projects)).values("flavor")
        flavors = flavors.filter(Q(public=True) | Q(pk__in=open_to_me))
    return flavors


def list_flavors(credentials: Credentials, *, conditions: FlavorFilter) -> FlavorPage:
    """Return visible flavors by id with ``visible_access`` set; raises ``BadRequest`` for a bad marker."""
    flavors = visible_flavors(credentials)
    if conditions.is_public is not None:
        flavors = flavors.filter(public=conditions.is_public)
    if conditions.access_project is not None:
        member = conditions.access_project in credentials.projects
        flavors = flavors.filter(access__project=conditions.access_project) if member else flavors.none()
    if conditions.min_ram is not None:
        flavors = flavors.filter(ram__gte=conditions.min_ram)
    if conditions.min_disk is not None:
        flavors = flavors.filter(disk__gte=conditions.min_disk)
    if conditions.marker is not None:
        if not Flavor.objects.filter(pk=conditions.marker).exists():
            raise BadRequest(f"'marker' names no flavor: {conditions.marker}")
        flavors = flavors.filter(pk__gt=conditions.marker)
    rows = _with_access(flavors.order_by("pk"), credentials)
    if conditions.limit is None:
        return FlavorPage(list(rows), has_more=False)
    page = list(rows[: conditions.limit + 1])
    return FlavorPage(page[: conditions.limit], has_more=len(page) > conditions.limit)


def get_flavor(credentials: Credentials, *, flavor_id: int) -> Flavor:
    """Return a visible flavor, a deleted one, or one that a server of the user has; else ``NotFound``."""
    flavor = _with_access(Flavor.objects.filter(pk=flavor_id), credentials).first()
    if flavor is None:
        raise NotFound("Flavor not found.")
    seen = credentials.is_admin or flavor.public or _visible_access(flavor)
    if not seen and not visible_servers(credentials).filter(flavor=flavor, deleted=False).exists():
        raise NotFound("Flavor not found.")
    return flavor


def access_projects(flavor: Flavor) -> list[str]:
    """Return the projects of the user that open *flavor*, as loaded by this module's queries."""
    return sorted(access.project for access in _visible_access(flavor))


def for_creation(credentials: Credentials, *, flavor_id: int, project: str) -> Flavor:
    """Return the flavor a new server in *project* may have.

    Raises ``NotFound`` when the user can't see it, ``Forbidden`` when it is closed to *project* or to
    new servers (compute contract 5.1).
    """
    flavor = _usable(credentials, flavor_id, project)
    if not flavor.allow_create and not credentials.is_admin and not _may_override(credentials, flavor):
        raise Forbidden(f"New servers may not have flavor {flavor.name}")
    return flavor


def for_resize(credentials: Credentials, *, flavor_id: int, project: str) -> Flavor:
    """Return the flavor a server of *project* may get; raises ``NotFound`` or ``Forbidden``."""
    return _usable(credentials, flavor_id, project)


def is_open_to(flavor: Flavor, project: str) -> bool:
    """Tell whether servers of *project* may have *flavor*."""
    return flavor.public or flavor.access.filter(project=project).exists()


def _usable(credentials: Credentials, flavor_id: int, project: str) -> Flavor:
    candidates = visible_flavors(credentials).select_related("volume_type")
    flavor = candidates.filter(pk=flavor_id).first()
    if flavor is None:
        raise NotFound("Flavor not found.")
    if not credentials.is_admin and not is_open_to(flavor, project):
        raise Forbidden(f"Flavor {flavor_id} is not open to project {project}")
    return flavor


def _may_override(credentials: Credentials, flavor: Flavor) -> bool:
    rules = settings.CYCLADES_FLAVOR_OVERRIDE_ALLOW_CREATE
    return any(re.match(regex, flavor.name) for role in credentials.roles for regex in rules.get(role, ()))


def _with_access(flavors: QuerySet[Flavor], credentials: Credentials) -> QuerySet[Flavor]:
    mine = FlavorAccess.objects.filter(project__in=sorted(credentials.projects))
    return flavors.select_related("volume_type").prefetch_related(
        Prefetch("access", queryset=mine, to_attr="visible_access"), "specs"
    )


def _visible_access(flavor: Flavor) -> Sequence[FlavorAccess]:
    return getattr(flavor, "visible_access", ())


@dataclass(frozen=True)
class FlavorSize:
    """A wanted flavor: CPUs, memory in MiB (a multiple of four), disk in GiB and the kind of disk."""

    cpu: int
    ram: int
    disk: int
    volume_type: VolumeType


def sizes(
    *, cpus: Sequence[int], rams: Sequence[int], disks: Sequence[int], volume_types: Sequence[VolumeType]
) -> list[FlavorSize]:
    """Return every combination, with memory rounded up to a multiple of 4 MiB."""
    rounded = [-(-ram // _RAM_STEP) * _RAM_STEP for ram in rams]
    return [FlavorSize(*parts) for parts in itertools.product(cpus, rounded, disks, volume_types)]


def create_flavor(
    credentials: Credentials, *, size: FlavorSize, public: bool = True, specs: dict[str, str] | None = None
) -> tuple[Flavor, bool]:
    """Return the flavor of *size* and whether it is new; an existing one is left as it is."""
    with locks.atomic():
        flavor, created = Flavor.objects.get_or_create(
            cpu=size.cpu,
            ram=size.ram,
            disk=size.disk,
            volume_type=size.volume_type,
            defaults={"public": public},
        )
        if created:
            FlavorSpec.objects.bulk_create(
                FlavorSpec(flavor=flavor, key=key, value=value) for key, value in (specs or {}).items()
            )
            audit.record(credentials, "flavor.create", f"flavor:{flavor.pk}", name=flavor.name)
    return flavor, created


@dataclass(frozen=True)
class FlavorChange:
    """What to change of a flavor; ``None`` leaves a property as it is."""

    deleted: bool | None = None
    allow_create: bool | None = None
    public: bool | None = None
    set_specs: dict[str, str] | None = None
    drop_specs: Sequence[str] = ()


def modify_flavor(credentials: Credentials, *, flavor_id: int, change: FlavorChange) -> Flavor:
    """Apply *change*; raises ``NotFound``, or ``BadRequest`` for a key both set and dropped."""
    set_specs = change.set_specs or {}
    both = sorted(set(set_specs) & set(change.drop_specs))
    if both:
        raise BadRequest(f"The spec '{both[0]}' cannot be added and deleted at the same time")
    with locks.atomic():
        flavor = lock_flavor(flavor_id)
        for field in ("deleted", "allow_create", "public"):
            value = getattr(change, field)
            if value is not None:
                setattr(flavor, field, value)
        flavor.save()
        flavor.specs.filter(key__in=change.drop_specs).delete()
        for key, value in set_specs.items():
            FlavorSpec.objects.update_or_create(flavor=flavor, key=key, defaults={"value": value})
        audit.record(credentials, "flavor.modify", f"flavor:{flavor_id}")
    return flavor


def lock_flavor(flavor_id: int) -> Flavor:
    """Lock and return a flavor; raises ``NotFound``."""
    try:
        return locks.lock_one(Flavor.objects.filter(pk=flavor_id).select_related("volume_type"))
    except Flavor.DoesNotExist as error:
        raise NotFound(f"Flavor with ID {flavor_id} does not exist.") from error


def grant_access(credentials: Credentials, *, flavor_id: int, project: str) -> FlavorAccess:
    """Open a flavor to *project*; raises ``NotFound`` or, when already open, ``BadRequest``."""
    with locks.atomic():
        flavor = lock_flavor(flavor_id)
        access, created = FlavorAccess.objects.get_or_create(flavor=flavor, project=project)
        if not created:
            raise BadRequest(f"Flavor {flavor_id} is already open to project {project}")
        audit.record(credentials, "flavor.grant", f"flavor:{flavor_id}", project=project)
    return access


def revoke_access(credentials: Credentials, *, access: FlavorAccess) -> None:
    """Close a flavor to a project."""
    with locks.atomic():
        audit.record(credentials, "flavor.revoke", f"flavor:{access.flavor_id}", project=access.project)
        access.delete()
