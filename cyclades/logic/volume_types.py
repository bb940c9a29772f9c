"""Kinds of disk and their administration (volume contract 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db.models import QuerySet

from cyclades.models import Flavor, VolumeType, VolumeTypeSpec
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, NotFound

MAX_NAME = 255
#: Ganeti's templates; ``ext`` carries its provider, as in ``ext_archipelago``.
TEMPLATES = frozenset({"file", "sharedfile", "plain", "drbd", "rbd", "gluster", "ext"})


def get_volume_type(volume_type_id: int) -> VolumeType:
    """Return a volume type that is not deleted; raises ``NotFound``."""
    found = VolumeType.objects.filter(pk=volume_type_id, deleted=False).first()
    if found is None:
        raise NotFound(f"Volume type with ID {volume_type_id} does not exist.")
    return found


def list_volume_types() -> QuerySet[VolumeType]:
    """Return the types that volumes may have, by id, with their parameters."""
    return VolumeType.objects.filter(deleted=False).prefetch_related("specs").order_by("pk")


def show_volume_type(volume_type_id: int) -> VolumeType:
    """Return a volume type, deleted or not; raises ``NotFound``."""
    found = VolumeType.objects.filter(pk=volume_type_id).first()
    if found is None:
        raise NotFound(f"Volume type {volume_type_id} not found")
    return found


def find_volume_type(text: str) -> VolumeType | None:
    """Return the type of an id or, the oldest one, of a name."""
    types = VolumeType.objects.filter(deleted=False).prefetch_related("specs").order_by("pk")
    number = text.isascii() and text.isdigit() and len(text) < 19
    found = types.filter(pk=int(text)).first() if number else None
    return found or types.filter(name=text).first()


def is_detachable(volume_type: VolumeType) -> bool:
    """Tell whether volumes of the type may leave one server and join another."""
    return volume_type.disk_template in settings.CYCLADES_DETACHABLE_DISK_TEMPLATES


def default_volume_type() -> VolumeType | None:
    """Return the type of volumes whose creator named none: the configured one, or the oldest detachable."""
    types = list(VolumeType.objects.filter(deleted=False).order_by("pk"))
    named = settings.DEFAULT_VOLUME_TYPE
    if named:
        return next((kind for kind in types if kind.name == named), None)
    return next((kind for kind in types if is_detachable(kind)), None)


def create_volume_type(
    credentials: Credentials, *, name: str, disk_template: str, specs: dict[str, str] | None = None
) -> VolumeType:
    """Create a volume type; raises ``BadRequest`` for its name or a template that Ganeti does not have."""
    check_name(name)
    check_template(disk_template)
    with locks.atomic():
        volume_type = VolumeType.objects.create(name=name, disk_template=disk_template)
        VolumeTypeSpec.objects.bulk_create(
            VolumeTypeSpec(volume_type=volume_type, key=key, value=value)
            for key, value in (specs or {}).items()
        )
        audit.record(credentials, "volume_type.create", f"volume_type:{volume_type.pk}", name=name)
    return volume_type


def for_template(credentials: Credentials, *, disk_template: str) -> VolumeType:
    """Return the oldest volume type of *disk_template*, made now if there is none."""
    found = VolumeType.objects.filter(disk_template=disk_template, deleted=False).order_by("pk").first()
    return found or create_volume_type(credentials, name=disk_template, disk_template=disk_template)


@dataclass(frozen=True)
class VolumeTypeChange:
    """What to change of a volume type; ``None`` leaves a property as it is."""

    name: str | None = None
    deleted: bool | None = None
    set_specs: dict[str, str] | None = None
    drop_specs: Sequence[str] = ()


def modify_volume_type(
    credentials: Credentials, *, volume_type_id: int, change: VolumeTypeChange
) -> VolumeType:
    """Apply *change*; flavors of the type are deleted and restored with it.

    Raises ``NotFound``, or ``BadRequest`` for a key both set and dropped or dropped without being there.
    """
    set_specs = change.set_specs or {}
    if change.name is not None:
        check_name(change.name)
    both = sorted(set(set_specs) & set(change.drop_specs))
    if both:
        raise BadRequest(f"The spec '{both[0]}' cannot be added and deleted at the same time")
    with locks.atomic():
        try:
            volume_type = locks.lock_one(VolumeType.objects.filter(pk=volume_type_id))
        except VolumeType.DoesNotExist as error:
            raise NotFound(f"Volume type {volume_type_id} not found") from error
        _change_specs(volume_type, set_specs, change.drop_specs)
        if change.name is not None:
            volume_type.name = change.name
        if change.deleted is not None:
            volume_type.deleted = change.deleted
            Flavor.objects.filter(volume_type=volume_type).update(deleted=change.deleted)
        volume_type.save()
        audit.record(credentials, "volume_type.modify", f"volume_type:{volume_type_id}")
    return volume_type


def _change_specs(volume_type: VolumeType, set_specs: dict[str, str], drop: Sequence[str]) -> None:
    present = set(volume_type.specs.values_list("key", flat=True))
    missing = sorted(set(drop) - present)
    if missing:
        raise BadRequest(f"Volume type {volume_type.pk} has no spec '{missing[0]}'")
    volume_type.specs.filter(key__in=drop).delete()
    for key, value in set_specs.items():
        VolumeTypeSpec.objects.update_or_create(volume_type=volume_type, key=key, defaults={"value": value})


def check_name(name: str) -> None:
    """Raise ``BadRequest`` for a name that is empty or too long."""
    if not 1 <= len(name) <= MAX_NAME:
        raise BadRequest(f"The name of a volume type has 1 to {MAX_NAME} characters, not {len(name)}")


def check_template(disk_template: str) -> None:
    """Raise ``BadRequest`` unless Ganeti knows *disk_template*."""
    template, separator, provider = disk_template.partition("_")
    known = template in TEMPLATES and (bool(provider) if template == "ext" else not separator)
    if not known or len(disk_template) > 32:
        raise BadRequest(
            f"'{disk_template}' is not a disk template: one of {', '.join(sorted(TEMPLATES - {'ext'}))} or "
            "ext_<provider>"
        )
