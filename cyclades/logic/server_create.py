"""Creating a server (compute contract 5)."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import IntegrityError

from cyclades.ganeti import allocator, jobs, requests
from cyclades.logic import (
    block_devices,
    flavors,
    images,
    keypairs,
    passwords,
    personality,
    quota,
    rescue,
    server_ports,
    vmapi,
)
from cyclades.logic.block_devices import BlockDevice
from cyclades.logic.server_metadata import check_count, check_items
from cyclades.logic.server_tags import check_tags, user_tag
from cyclades.logic.servers import check_name
from cyclades.models import (
    Backend,
    Flavor,
    PublicKeyPair,
    Server,
    ServerMetadata,
    ServerState,
    ServerTag,
    TagStatus,
    Task,
    Volume,
    VolumeStatus,
)
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, Forbidden, ServiceUnavailable

MAX_USER_DATA = 65535
_GIB = 1 << 30


@dataclass(frozen=True)
class ServerRequest:
    """What the new server shall be; ``networks`` ``None`` asks for the default networks.

    ``user_data`` is base64 text; ``backend_id`` bypasses the allocator, for administrators.
    """

    name: str
    image_id: str
    flavor_id: int
    project: str | None = None
    shared_to_project: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    personality: list[Any] = field(default_factory=list)
    networks: list[Any] | None = None
    key_names: list[str] = field(default_factory=list)
    admin_password: str | None = None
    user_data: str = ""
    helper: bool = False
    backend_id: int | None = None
    block_devices: list[BlockDevice] = field(default_factory=list)


@dataclass(frozen=True)
class NewServer:
    """A committed server and the password that is shown once."""

    server: Server
    password: str


@dataclass(frozen=True)
class _Plan:
    """Everything that was looked up and checked before the transaction."""

    request: ServerRequest
    project: str
    flavor: Flavor
    image: images.Image
    keys: list[PublicKeyPair]
    files: list[dict[str, Any]]
    metadata: dict[str, str]
    password: str
    disks: list[block_devices.PlannedDisk]


def create(credentials: Credentials, *, request: ServerRequest) -> NewServer:
    """Create a server: its row, ports and system disk, charged at once; the job follows the commit.

    Raises ``BadRequest`` for the request or a project the user is not in, ``NotFound`` and ``Forbidden``
    for image, flavor, keys and networks, ``OverLimit`` for quota and injected files, ``Conflict`` for
    addresses, ``ServiceUnavailable`` without a backend, an image's block or a cache for the one-time
    configuration.
    """
    plan = _plan(credentials, request)
    images.protect(plan.image)
    backend = _choose_backend(credentials, plan)
    try:
        server = _insert(credentials, plan, backend)
    except IntegrityError as error:
        if Backend.objects.filter(pk=backend.pk).exists():
            raise
        # Found out by the commit: whoever removes a backend and this see nothing of each other before.
        raise ServiceUnavailable("The chosen backend was removed meanwhile. Try again.") from error
    return NewServer(server, plan.password)


def _plan(credentials: Credentials, request: ServerRequest) -> _Plan:
    check_name(request.name)
    if request.shared_to_project and not settings.CYCLADES_SHARED_RESOURCES_ENABLED:
        raise Forbidden("Sharing resources to the members of the project is not permitted")
    check_count(len(request.metadata))
    check_tags(request.tags)
    _check_user_data(request.user_data)
    files = personality.check(request.personality)
    password = passwords.generate() if request.admin_password is None else request.admin_password
    if request.admin_password is not None and not credentials.is_admin:
        passwords.check(password)
    project = request.project or credentials.default_project
    flavor = flavors.for_creation(credentials, flavor_id=request.flavor_id, project=project)
    image = images.get_image(credentials, request.image_id)
    if not request.block_devices:
        check_image(image, flavor)
    return _Plan(
        request=request,
        project=project,
        flavor=flavor,
        image=image,
        keys=keypairs.keypairs_by_name(credentials, names=request.key_names),
        files=files,
        metadata=check_items(request.metadata),
        password=password,
        disks=block_devices.plan(credentials, devices=request.block_devices, flavor=flavor, image=image),
    )


def check_image(image: images.Image, flavor: Flavor) -> None:
    """Raise ``BadRequest`` unless the image is available and fits on the flavor's disk."""
    if image.status.upper() != "AVAILABLE":
        raise BadRequest(f"Image {image.id} is not available: its status is {image.status}")
    if flavor.disk > settings.CYCLADES_VOLUME_MAX_SIZE:
        raise BadRequest(
            f"The disk of {flavor.name} is larger than the {settings.CYCLADES_VOLUME_MAX_SIZE} GiB allowed"
        )
    if image.size > flavor.disk * _GIB:
        raise BadRequest(
            f"Image {image.id} needs {-(-image.size // _GIB)} GiB, flavor {flavor.name} has {flavor.disk}"
        )


def _check_user_data(text: str) -> None:
    if len(text) > MAX_USER_DATA:
        raise BadRequest(f"'user_data' is longer than {MAX_USER_DATA} characters")
    try:
        decoded = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise BadRequest("'user_data' is not valid base64") from error
    if base64.b64encode(decoded).decode() != text:
        raise BadRequest("'user_data' is not canonical base64 without white space")


def _choose_backend(credentials: Credentials, plan: _Plan) -> Backend:
    backend_id = plan.request.backend_id
    if backend_id is None or not credentials.is_admin:
        return allocator.allocate(user_id=credentials.user_id, project=plan.project, flavor=plan.flavor)
    backend = Backend.objects.filter(pk=backend_id).first()
    if backend is None:
        raise BadRequest(f"Backend with ID {backend_id} does not exist.")
    if backend.offline:
        raise ServiceUnavailable(f"Backend {backend.clustername} is offline.")
    return backend


@locks.retry_on_deadlock
def _insert(credentials: Credentials, plan: _Plan, backend: Backend) -> Server:
    """Write everything in one transaction, in the order of the locks: quota, server, volume, networks."""
    # Of this attempt: what an earlier one put into the cache is not taken back with its rows.
    key = vmapi.new_key()
    with locks.atomic():
        server = _insert_server(credentials, plan, backend)
        volumes = block_devices.take(credentials, server=server, disks=plan.disks)
        made = [volume for volume in volumes if volume.status == VolumeStatus.CREATING]
        deltas = quota.server_deltas(server, Task.BUILD, volumes=made)
        quota.charge_now(
            server.userid,
            deltas,
            name=f"client: api, resource: server {server.pk}, action: create",
            force=credentials.force_quota,
        )
        for volume in volumes:
            volume.save()
        root = volumes[0]
        ports = server_ports.create_server_ports(credentials, server=server, requested=plan.request.networks)
        # Before the commit, so that no crash can leave a server whose job finds no parameters. Nobody
        # learns the key of a transaction that fails, and its entry expires.
        _publish_secrets(server, root, plan, key)
        payload = requests.create_payload(server, plan.flavor, ports, volumes, plan.image)
        jobs.intend(server=server, operation=Task.BUILD, payload=payload, secrets_key=key)
        audit.record(
            credentials,
            "server.create",
            f"server:{server.pk}",
            flavor=plan.flavor.pk,
            image=plan.image.id,
            project=plan.project,
        )
    return server


def _insert_server(credentials: Credentials, plan: _Plan, backend: Backend) -> Server:
    request = plan.request
    server = Server.objects.create(
        name=request.name,
        userid=credentials.user_id,
        project=plan.project,
        shared_to_project=request.shared_to_project,
        backend=backend,
        imageid=plan.image.id,
        image_version=plan.image.version,
        key_names=[keypair.name for keypair in plan.keys],
        flavor=plan.flavor,
        helper=request.helper,
        operstate=ServerState.BUILD,
        action=Task.BUILD,
    )
    ServerMetadata.objects.bulk_create(
        ServerMetadata(server=server, meta_key=k, meta_value=v) for k, v in plan.metadata.items()
    )
    rescue.remember_system(server, plan.image.properties)
    ServerTag.objects.bulk_create(
        ServerTag(server=server, tag=user_tag(tag), status=TagStatus.PENDADD)
        for tag in dict.fromkeys(request.tags)
    )
    return server


def _publish_secrets(server: Server, root: Volume, plan: _Plan, key: str) -> None:
    vmapi.publish(_parameters(root, plan), key=key)
    passwords.remember(server.pk, plan.password)


def _parameters(root: Volume, plan: _Plan) -> dict[str, str]:
    """Return what the deployer on the node gets; every value is text (compute contract 17)."""
    image = plan.image
    # Storage that clones the image by itself, or a disk that has been used, leaves nothing to copy.
    is_filled = root.volume_type.provider in settings.GANETI_CLONE_PROVIDERS or root.backendjobid is not None
    params: dict[str, str] = {
        "img_id": "null" if is_filled else f"pithosmap://{image.mapfile}/{image.size}",
        "img_passwd": plan.password,
        "img_format": image.disk_format or "diskdump",
        "img_personality": json.dumps(plan.files),
        "img_properties": json.dumps({k.upper(): v for k, v in image.properties.items()}),
    }
    if plan.keys:
        params["auth_keys"] = "\n".join(keypair.content for keypair in plan.keys)
    if plan.request.user_data:
        params["cloud_userdata"] = plan.request.user_data
    return params
