"""Creating volumes, on a server or on none (volume contract 4)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings

from cyclades.ganeti import requests
from cyclades.logic import quota, volume_jobs, volume_metadata, volume_sources
from cyclades.logic.server_change import seen_server
from cyclades.logic.servers import lock_server
from cyclades.logic.volume_types import default_volume_type, get_volume_type, is_detachable
from cyclades.logic.volumes import check_text
from cyclades.models import Server, Task, Volume, VolumeMetadata, VolumeStatus, VolumeType
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, Forbidden, NotFound


@dataclass(frozen=True)
class VolumeRequest:
    """A wanted volume; ``size`` in GiB, ``source`` a kind and an id.

    ``type_optional`` lets a volume on no server have the default type.
    """

    name: str
    size: int
    description: str = ""
    volume_type_id: int | None = None
    type_optional: bool = False
    server_id: int | None = None
    source: tuple[str, str] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    project: str | None = None
    shared_to_project: bool = False


def for_openstack(request: VolumeRequest) -> VolumeRequest:
    """Return *request* as OpenStack means it: a volume has a type also when none is named."""
    return replace(request, type_optional=True)


def create(credentials: Credentials, *, request: VolumeRequest) -> Volume:
    """Create a volume: at once when it is on no server, else by a job of the server.

    Raises ``BadRequest``, ``Forbidden`` (sharing switched off), ``NotImplementedFault`` (snapshots switched
    off), ``OverLimit`` and what the server's state forbids.
    """
    if request.source is not None and request.source[0] == volume_sources.SNAPSHOT:
        volume_sources.require_snapshots(credentials)
    if request.shared_to_project and not settings.CYCLADES_SHARED_RESOURCES_ENABLED:
        raise Forbidden("Sharing resources to the members of the project is not permitted")
    check_text(request.name, "display_name")
    check_text(request.description, "display_description")
    volume_metadata.check_items(request.metadata)
    volume_sources.check_size(request.size)
    server = None if request.server_id is None else _seen(credentials, request.server_id)
    volume_type = _type(request, server)
    source = None
    if request.source is not None:
        kind, source_id = request.source
        volume_sources.require_cloning(volume_type)
        source = volume_sources.find(credentials, kind=kind, source_id=source_id, size=request.size)
    return _insert(credentials, request, volume_type, source)


def _seen(credentials: Credentials, server_id: int) -> Server:
    try:
        server = seen_server(credentials, server_id)
    except NotFound as error:
        raise BadRequest(f"Server {server_id} not found") from error
    if server.deleted:
        raise BadRequest(f"Server {server_id} has been deleted.")
    return server


def _type(request: VolumeRequest, server: Server | None) -> VolumeType:
    volume_type = None
    if request.volume_type_id is not None:
        try:
            volume_type = get_volume_type(request.volume_type_id)
        except NotFound as error:
            raise BadRequest(error.message) from error
    if server is not None:
        own = server.flavor.volume_type
        if volume_type is not None and volume_type.template != own.template:
            raise BadRequest(f"Server {server.pk} has {own.template} disks, the type is {volume_type.name}")
        return volume_type or own
    if volume_type is None and request.type_optional:
        volume_type = default_volume_type()
    if volume_type is None:
        raise BadRequest("'volume_type' is required for a volume that is on no server")
    if not is_detachable(volume_type):
        raise BadRequest(f"Volumes of type {volume_type.name} can only be created on a server")
    return volume_type


def new_volume(
    *, userid: str, project: str, volume_type: VolumeType, size: int, source: volume_sources.Source | None
) -> Volume:
    """Return an unsaved volume of *size* GiB, still to be made by Ganeti."""
    volume = Volume(
        userid=userid,
        project=project,
        size=size,
        volume_type=volume_type,
        status=VolumeStatus.CREATING,
    )
    if source is not None:
        volume.source, volume.source_version = source.text, source.image.version
        volume.origin, volume.origin_size = source.image.mapfile, source.image.size
    return volume


@locks.retry_on_deadlock
def _insert(
    credentials: Credentials,
    request: VolumeRequest,
    volume_type: VolumeType,
    source: volume_sources.Source | None,
) -> Volume:
    volume = new_volume(
        userid=credentials.user_id,
        project=request.project or credentials.default_project,
        volume_type=volume_type,
        size=request.size,
        source=source,
    )
    volume.name, volume.description = request.name, request.description
    volume.shared_to_project = request.shared_to_project
    with locks.atomic():
        if request.server_id is None:
            _store_detached(credentials, volume, request.metadata)
        else:
            server = lock_server(credentials, server_id=request.server_id)
            _store_on_server(credentials, volume, request.metadata, server)
        audit.record(
            credentials,
            "volume.create",
            f"volume:{volume.pk}",
            size=volume.size,
            project=volume.project,
            server=request.server_id,
        )
    return volume


def _store_detached(credentials: Credentials, volume: Volume, metadata: dict[str, str]) -> None:
    """Store a volume whose data come into being when it is attached first."""
    quota.charge_now(
        volume.userid,
        volume_jobs.disk_deltas(volume, 1),
        name="client: api, resource: volume, action: create",
        force=credentials.force_quota,
    )
    volume.status = VolumeStatus.AVAILABLE
    _store(volume, metadata)


def _store_on_server(
    credentials: Credentials, volume: Volume, metadata: dict[str, str], server: Server
) -> None:
    volume.index = volume_jobs.next_index(server)
    volume.machine = server
    _store(volume, metadata)
    volume_jobs.check_projects(server, volume)
    volume_jobs.begin(
        credentials,
        server=server,
        volume=volume,
        task=Task.ATTACH_VOLUME,
        payload=requests.attach_volume_payload(volume, running=is_running(server)),
        deltas=volume_jobs.disk_deltas(volume, 1),
    )


def is_running(server: Server) -> bool:
    """Tell whether the disks of *server* are in use, as far as we were told."""
    return server.operstate == "STARTED"


def _store(volume: Volume, metadata: dict[str, str]) -> None:
    volume.save()
    VolumeMetadata.objects.bulk_create(
        VolumeMetadata(volume=volume, key=key, value=value) for key, value in metadata.items()
    )
