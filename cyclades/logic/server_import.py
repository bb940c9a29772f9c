"""Making a server of an instance that was created without us (Ganeti contract 10.6).

Every step in Ganeti waits for its job. Before the instance has its new name nothing of it is ours, so a
failure takes the row back; afterwards the server exists and reconciliation can finish it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError

from cyclades.ganeti import clients, names, observation, requests
from cyclades.ganeti import networks as ganeti_networks
from cyclades.ganeti.opcodes import ANY_END, Opcode
from cyclades.logic import (
    addresses,
    images,
    quota,
    server_disks,
    server_events,
    server_nics,
    server_outcomes,
    server_ports,
)
from cyclades.logic import reconcile_differences as differences
from cyclades.logic.address_pools import LockedPools
from cyclades.models import (
    Backend,
    Flavor,
    Network,
    Port,
    PortState,
    Server,
    ServerState,
    Task,
    Volume,
    VolumeStatus,
)
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one, lock_rows, retry_on_deadlock
from synnefo.errors import BadRequest, Conflict, NotFound, ServiceUnavailable, SynnefoError

log = logging.getLogger(__name__)

_STOPPED = "ADMIN_down"
Say = Callable[[str], None]


@dataclass(frozen=True)
class ImportRequest:
    """What to import and for whom; ``new_nics`` replaces its NICs by ports in the default networks.

    ``project`` is charged, by default the user's own.
    """

    instance: str
    user_id: str
    backend: Backend
    image_id: str
    flavor: Flavor
    new_nics: bool = False
    project: str | None = None


def run(credentials: Credentials, *, request: ImportRequest, say: Say = log.info) -> Server:
    """Import the instance of *request*, stopped meanwhile, and start it as a server; tell *say* the steps.

    Raises ``NotFound`` for the instance or image, ``BadRequest`` for one that is ours or whose NICs, disks or
    name do not fit, ``OverLimit``, ``Conflict`` for a failed job and ``ServiceUnavailable``.
    """
    instance = _checked(request, say)
    # Quota and addresses are settled before the instance notices anything.
    server = _inserted(request, instance)
    say(f"Created server {server.pk}, charged to {server.userid}.")
    try:
        _shut_down(request, server, instance, say)
        _rename(request, server)
    except (SynnefoError, clients.GanetiApiError) as error:
        raise _after_failed_rename(credentials, request, server, error) from error
    say(f"Renamed the instance to {names.instance_name(server.pk)}.")
    try:
        _name_devices(request, server)
        _settle(request, server)
    except (SynnefoError, clients.GanetiApiError) as error:
        raise Conflict(
            f"Instance {request.instance} is server {server.pk} now, but not everything was done: {error} "
            f"Run reconcile-servers --fix-all, then start it."
        ) from error
    audit.record(credentials, "server.import", f"server:{server.pk}", instance=request.instance)
    server.refresh_from_db()
    return server


# -- before anything changes -----------------------------------------------------------------------------


def _checked(request: ImportRequest, say: Say) -> observation.Json:
    """Return the instance after all checks that need no change."""
    if names.server_id_of(request.instance) is not None:
        raise BadRequest(f"{request.instance} is the name of a server of this installation already.")
    try:
        with clients.rapi_for(request.backend) as rapi:
            instance: observation.Json = rapi.GetInstance(request.instance)
    except clients.RapiRefused as error:
        if error.not_found:
            raise NotFound(
                f"Instance {request.instance} does not exist in backend {request.backend.clustername}."
            ) from error
        raise
    owner = Credentials(user_id=request.user_id, default_project=request.user_id)
    images.get_image(owner, request.image_id)
    template = str(instance.get("disk_template"))
    if template != request.flavor.volume_type.template:
        raise BadRequest(
            f"The disks of {request.instance} are of the template {template}, "
            f"those of flavor {request.flavor.name} are not."
        )
    if not observation.disks_of(instance):
        raise BadRequest(f"Instance {request.instance} has no disk.")
    if not request.new_nics:
        _networks_of(instance)
    _compare_size(request, instance, say)
    return instance


def _networks_of(instance: observation.Json) -> list[Network]:
    """Return the network of each NIC; raises ``BadRequest`` for a NIC in a network that is not ours."""
    nics = observation.nics_of(instance)
    ids = [names.network_id_of(nic.network) for nic in nics]
    known = {
        network.pk: network for network in Network.objects.filter(pk__in=filter(None, ids), deleted=False)
    }
    for index, (nic, network_id) in enumerate(zip(nics, ids, strict=True)):
        if network_id not in known:
            raise BadRequest(
                f"NIC {index} is in {nic.network or 'no network'}, which is no network of this installation. "
                "Use --new-nics to replace all NICs."
            )
    return [known[network_id] for network_id in ids if network_id is not None]


def _compare_size(request: ImportRequest, instance: observation.Json, say: Say) -> None:
    beparams = instance.get("beparams") or {}
    disk = server_disks.size_gib(observation.disks_of(instance)[0])
    actual = (beparams.get("vcpus"), beparams.get("maxmem", beparams.get("memory")), disk)
    flavor = request.flavor
    if actual != (flavor.cpu, flavor.ram, flavor.disk):
        say(
            f"The instance has {actual[0]} CPUs, {actual[1]} MiB and a disk of {actual[2]} GiB, "
            f"which is not flavor {flavor.name}."
        )


def _shut_down(request: ImportRequest, server: Server, instance: observation.Json, say: Say) -> None:
    if instance.get("status") == _STOPPED:
        return
    _job(request.backend, server, lambda rapi: rapi.ShutdownInstance(request.instance))
    say(f"Instance {request.instance} was shut down.")


def _job(backend: Backend, server: Server, send: Callable[[clients.RapiClient], int]) -> None:
    """Submit a job and wait for its success; raises ``Conflict`` when it fails.

    The row has the job, by which reconciliation knows that somebody is at work.
    """
    try:
        with clients.rapi_for(backend) as rapi:
            job_id = send(rapi)
            own = Server.objects.filter(pk=server.pk)
            own.update(backendjobid=job_id, updated=clock.now())
            job = rapi.WaitForJobCompletion(job_id)
            own.update(updated=clock.now())
    except clients.RapiRefused as error:
        raise Conflict(f"Ganeti refused: {error}") from error
    if job.get("status") != "success":
        results = job.get("opresult") or ["unknown"]
        raise Conflict(f"Job {job_id} ended with {job.get('status')}: {results[0]}")


# -- the row ---------------------------------------------------------------------------------------------


def _inserted(request: ImportRequest, instance: observation.Json) -> Server:
    try:
        return _insert(request, instance)
    except IntegrityError as error:
        if Backend.objects.filter(pk=request.backend.pk).exists():
            raise
        # Whoever removes a backend does not see the new row, and this not the removal, before the commit.
        raise NotFound(f"Backend {request.backend.clustername} was removed meanwhile.") from error


@retry_on_deadlock
def _insert(request: ImportRequest, instance: observation.Json) -> Server:
    """Write the server with its volumes and ports and charge it, as a creation would."""
    flavor = request.flavor
    with atomic():
        server = Server.objects.create(
            name=request.instance[:255],
            userid=request.user_id,
            project=request.project or request.user_id,
            backend=request.backend,
            imageid=request.image_id,
            flavor=flavor,
            operstate=ServerState.BUILD,
            action=Task.BUILD,
            backendopcode=Opcode.INSTANCE_RENAME,
        )
        volumes = [
            Volume(
                userid=server.userid,
                project=server.project,
                size=server_disks.size_gib(disk) or 0,
                volume_type=flavor.volume_type,
                source=f"image:{request.image_id}" if index == 0 else None,
                status=VolumeStatus.CREATING,
                machine=server,
                index=index,
            )
            for index, disk in enumerate(observation.disks_of(instance))
        ]
        deltas = quota.server_deltas(server, Task.BUILD, volumes=volumes)
        quota.charge_now(server.userid, deltas, name=f"client: server-import, resource: server {server.pk}")
        Volume.objects.bulk_create(volumes)
        if request.new_nics:
            owner = Credentials(user_id=request.user_id, default_project=request.user_id, is_admin=True)
            server_ports.create_server_ports(owner, server=server, requested=None)
        else:
            _insert_ports(server, instance)
    return server


def _insert_ports(server: Server, instance: observation.Json) -> list[Port]:
    networks = _networks_of(instance)
    lock_rows(Network.objects.filter(pk__in={network.pk for network in networks}))
    pools = LockedPools({network.pk for network in networks})
    ports = []
    for index, (nic, network) in enumerate(zip(observation.nics_of(instance), networks, strict=True)):
        allocation = addresses.take(pools, network, nic.ip) if nic.ip else None
        port = Port.objects.create(
            userid=server.userid,
            machine=server,
            network=network,
            index=index,
            mac=nic.mac,
            state=PortState.BUILD,
            public=network.public,
            device_owner="vm",
        )
        if allocation is not None:
            addresses.store(port, allocation)
        ports.append(port)
    addresses.record_association(ports)
    return ports


def _after_failed_rename(
    credentials: Credentials, request: ImportRequest, server: Server, error: Exception
) -> SynnefoError:
    """Take the row back unless the instance may have its new name; return what to raise."""
    try:
        with clients.rapi_for(request.backend) as rapi:
            rapi.GetInstance(names.instance_name(server.pk))
    except clients.RapiRefused as refusal:
        if refusal.not_found:
            _take_back(credentials, server)
            return Conflict(f"Nothing was imported; the instance may be stopped now: {error}")
    except (clients.GanetiApiError, ServiceUnavailable):
        log.warning("it is unknown whether %s was renamed", request.instance)
    return Conflict(
        f"It is unknown whether {request.instance} is server {server.pk} now: {error} "
        "When the backend answers, run reconcile-servers --fix-all."
    )


@retry_on_deadlock
def _take_back(credentials: Credentials, server: Server) -> None:
    with atomic():
        locked = lock_one(Server.objects.select_related("flavor").filter(pk=server.pk))
        if locked.deleted:
            return  # by its user or by reconciliation, which gave back what it cost
        quota.reject(locked)
        quota.charge_now(
            locked.userid,
            quota.server_deltas(locked, Task.DESTROY),
            name=f"client: server-import, resource: server {locked.pk}, taken back",
            force=True,
        )
        server_outcomes.end(locked)
        locked.save()
        audit.record(credentials, "server.import_failed", f"server:{locked.pk}")


# -- the instance ----------------------------------------------------------------------------------------


def _rename(request: ImportRequest, server: Server) -> None:
    new_name = names.instance_name(server.pk)
    _job(request.backend, server, lambda rapi: rapi.RenameInstance(request.instance, new_name))


def _name_devices(request: ImportRequest, server: Server) -> None:
    """Give NICs and disks our names, with ``new_nics`` replacing the NICs."""
    ports = list(server_nics.ports_of(server))
    jobs = [
        job for port in ports for job in ganeti_networks.ensure_network_active(request.backend, port.network)
    ]
    with clients.rapi_for(request.backend) as rapi:
        old = observation.nics_of(rapi.GetInstance(names.instance_name(server.pk)))
    body = _device_changes(request, server, ports, len(old))
    if jobs:
        body["depends"] = [[job, ANY_END] for job in jobs]
    _job(request.backend, server, lambda rapi: rapi.ModifyInstance(names.instance_name(server.pk), body))


def _device_changes(
    request: ImportRequest, server: Server, ports: Sequence[Port], old_nics: int
) -> dict[str, Any]:
    volumes = server.volumes.filter(deleted=False).order_by("index")
    body: dict[str, Any] = {
        "disks": [["modify", str(volume.index), {"name": names.disk_name(volume.pk)}] for volume in volumes]
    }
    if request.new_nics:
        removed: list[Any] = [["remove", str(index), {}] for index in reversed(range(old_nics))]
        nics = removed + [["add", "-1", requests.nic_definition(port)] for port in ports]
    else:
        nics = [["modify", str(port.index), {"name": names.nic_name(port.pk)}] for port in ports]
    return body | ({"nics": nics} if nics else {})


@retry_on_deadlock
def _settle(request: ImportRequest, server: Server) -> None:
    """Bring the row in line with the instance by the events of a creation and a shut-down."""
    with clients.rapi_for(request.backend) as rapi:
        instance = rapi.GetInstance(names.instance_name(server.pk))
    with atomic():
        locked = lock_one(Server.objects.select_related("flavor", "backend").filter(pk=server.pk))
        moment = clock.now()
        if locked.backendtime is not None:
            moment = max(moment, locked.backendtime + timedelta(microseconds=1))
        server_events.apply(locked, differences.build_finished(locked, instance, moment))
        later = moment + timedelta(microseconds=1)
        server_events.apply(locked, differences.power_event(locked, instance, later))
