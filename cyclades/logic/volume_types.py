"""Kinds of disk and their administration (volume contract 2)."""

from __future__ import annotations

from cyclades.models import VolumeType, VolumeTypeSpec
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, NotFound

#: Ganeti's templates; ``ext`` carries its provider, as in ``ext_archipelago``.
TEMPLATES = frozenset({"file", "sharedfile", "plain", "drbd", "rbd", "gluster", "ext"})


def get_volume_type(volume_type_id: int) -> VolumeType:
    """Return a volume type that is not deleted; raises ``NotFound``."""
    found = VolumeType.objects.filter(pk=volume_type_id, deleted=False).first()
    if found is None:
        raise NotFound(f"Volume type with ID {volume_type_id} does not exist.")
    return found


def create_volume_type(
    credentials: Credentials, *, name: str, disk_template: str, specs: dict[str, str] | None = None
) -> VolumeType:
    """Create a volume type; raises ``BadRequest`` for a template that Ganeti does not have."""
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


def check_template(disk_template: str) -> None:
    """Raise ``BadRequest`` unless Ganeti knows *disk_template*."""
    template, separator, provider = disk_template.partition("_")
    known = template in TEMPLATES and (bool(provider) if template == "ext" else not separator)
    if not known or len(disk_template) > 32:
        raise BadRequest(
            f"'{disk_template}' is not a disk template: one of {', '.join(sorted(TEMPLATES - {'ext'}))} or "
            "ext_<provider>"
        )
