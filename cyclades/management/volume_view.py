"""How commands find and show a volume (administrator's contract 4.8)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from cyclades.ganeti import names
from cyclades.logic.volumes import get_volume
from cyclades.management.arguments import number
from cyclades.models import Volume
from synnefo import users
from synnefo.credentials import Credentials
from synnefo.errors import NotFound


def find_volume(text: str) -> Volume:
    """Return the volume of an id or the name of a Ganeti disk; raises ``CommandError``."""
    volume_id = names.volume_id_of(text)
    if volume_id is None:
        volume_id = number(text, "Volume")
    try:
        return get_volume(Credentials.administrator(), volume_id=volume_id)
    except NotFound as error:
        raise CommandError(
            f"Volume with ID {text} does not exist. Use volume-list to find out available volume IDs."
        ) from error


def summary(volume: Volume, *, mails: bool = False) -> dict[str, Any]:
    """Return the fields of volume-show."""
    return {
        "id": volume.pk,
        "size": volume.size,
        "disk_template": volume.volume_type.template,
        "disk_provider": volume.volume_type.provider,
        "server_id": volume.machine_id,
        "userid": volume.userid,
        "username": users.emails_of([volume.userid]).get(volume.userid) if mails else None,
        "project": volume.project,
        "shared_to_project": volume.shared_to_project,
        "index": volume.index,
        "name": volume.name,
        "description": volume.description,
        "source": volume.source,
        "state": volume.status,
        "delete_on_termination": volume.delete_on_termination,
        "deleted": volume.deleted,
        "backendjobid": volume.backendjobid,
    }
