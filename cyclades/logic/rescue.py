"""Booting a damaged server from a rescue image, and from its own disk again (compute contract 7.5)."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings
from django.db.models import QuerySet

from cyclades.ganeti.requests import Payload, boot_payload
from cyclades.logic import server_change
from cyclades.logic.server_change import JobChange
from cyclades.models import JobIntent, RescueImage, RescueProperties, Server, Task
from synnefo.credentials import Credentials
from synnefo.errors import NotFound, WrongState
from synnefo.messages import InstanceHvparams

_PROPERTY_LENGTH = 256


def rescue(credentials: Credentials, *, server_id: int, image_id: int | None = None) -> JobIntent:
    """Let a stopped server boot the named rescue image, or the one that suits it, at its next start.

    Raises ``NotFound`` (server, image), ``BadRequest`` (not stopped, in rescue already) and what the
    permission matrix forbids.
    """
    change = JobChange(
        task=Task.RESCUE,
        check=lambda server: _begin(server, image_id),
        payload=_rescue_payload,
        deltas=lambda _: {},
    )
    return server_change.run(credentials, server_id=server_id, change=change)


def unrescue(credentials: Credentials, *, server_id: int) -> JobIntent:
    """Let a stopped server in rescue boot from its own disk again; raises like ``rescue``."""
    change = JobChange(
        task=Task.UNRESCUE, check=_require_rescue, payload=lambda _: boot_payload(""), deltas=lambda _: {}
    )
    return server_change.run(credentials, server_id=server_id, change=change)


def _begin(server: Server, image_id: int | None) -> None:
    if server.rescue:
        raise WrongState(f"Server {server.pk} is in rescue mode already")
    # Known from now on, so that nobody removes the image while the job is on its way.
    server.rescue_image = choose(server, image_id)
    server.save(update_fields=["rescue_image", "updated"])


def _rescue_payload(server: Server) -> Payload:
    if server.rescue_image is None:
        raise NotFound("There is no such rescue image.")
    return boot_payload(location_of(server.rescue_image))


def _require_rescue(server: Server) -> None:
    if not server.rescue:
        raise WrongState(f"Server {server.pk} is not in rescue mode")


def choose(server: Server, image_id: int | None = None) -> RescueImage:
    """Return the image named, or the best for the server's system, or the default; else ``NotFound``."""
    images = RescueImage.objects.filter(deleted=False)
    if image_id is not None:
        found = images.filter(pk=image_id).first()
    else:
        found = _suited(images, server) or images.filter(is_default=True).first()
    if found is None:
        raise NotFound("There is no such rescue image." if image_id else "There is no suitable rescue image.")
    return found


def _suited(images: QuerySet[RescueImage], server: Server) -> RescueImage | None:
    properties = RescueProperties.objects.filter(server=server).first()
    if properties is None or not properties.os_family:
        return None
    family = images.filter(target_os_family__iexact=properties.os_family)
    exact = family.filter(target_os__iexact=properties.os).first() if properties.os else None
    # Among those for the family, one that names no system comes first.
    return exact or family.order_by("target_os", "pk").first()


def location_of(image: RescueImage) -> str:
    """Return what Ganeti is told: a URL, or a path on the nodes."""
    if image.location_type == RescueImage.LocationType.HTTP:
        return image.location
    return f"{settings.RESCUE_IMAGE_PATH.rstrip('/')}/{image.location}"


def image_at(path: str) -> RescueImage | None:
    """Return the rescue image that Ganeti's *path* stands for, ``None`` for an unknown one."""
    folder = settings.RESCUE_IMAGE_PATH.rstrip("/") + "/"
    is_file = path.startswith(folder)
    kind = RescueImage.LocationType.FILE if is_file else RescueImage.LocationType.HTTP
    location = path.removeprefix(folder) if is_file else path
    return RescueImage.objects.filter(location_type=kind, location=location).order_by("deleted", "pk").first()


def is_rescue(hvparams: InstanceHvparams) -> bool:
    """Tell whether an instance boots a rescue image (Ganeti contract 9.4.3)."""
    return bool(hvparams.cdrom_image_path) and hvparams.boot_order.startswith("cdrom")


def apply_boot(server: Server, hvparams: InstanceHvparams) -> None:
    """Bring the locked *server* in line with how its instance boots; the caller saves."""
    server.rescue = is_rescue(hvparams)
    if server.rescue:
        server.rescue_image = image_at(hvparams.cdrom_image_path)
    elif server.rescue_image_id is not None and server.task != Task.RESCUE:
        server.rescue_image = None


def difference(server: Server, hvparams: InstanceHvparams) -> str | None:
    """Tell in words how *server* (with its rescue image loaded) and its instance boot differently."""
    booted = is_rescue(hvparams)
    if booted != server.rescue:
        return "boots from its disk, not from a rescue image" if server.rescue else "boots a rescue image"
    if not booted:
        return None
    known = server.rescue_image
    if known is not None and location_of(known) == hvparams.cdrom_image_path:
        return None
    if known is None and image_at(hvparams.cdrom_image_path) is None:
        return None
    return f"boots another rescue image, {hvparams.cdrom_image_path}"


def remember_system(server: Server, properties: Mapping[str, str]) -> None:
    """Keep what the image of the new *server* says about its system, for the choice of a rescue image."""
    found = {key.lower(): str(value)[:_PROPERTY_LENGTH] for key, value in properties.items()}
    if found.get("os") or found.get("osfamily"):
        RescueProperties.objects.create(
            server=server, os=found.get("os", ""), os_family=found.get("osfamily", "")
        )
