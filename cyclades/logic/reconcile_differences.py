"""How a server's row and its Ganeti instance differ, and the events that would bring it in line.

An event repeats what Ganeti shows now; applying it is the dispatcher's own code (Ganeti contract 10.1).
Rows must come with ports, volumes and tags prefetched (``reconcile_servers.known_servers``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from cyclades.ganeti import names, observation
from cyclades.ganeti.observation import Json
from cyclades.ganeti.opcodes import Opcode
from cyclades.logic import rescue, server_disks, server_events, server_nics
from cyclades.models import PortState, Server, ServerState, TagStatus, VolumeStatus
from synnefo import clock
from synnefo.errors import SynnefoError
from synnefo.messages import OpStatus

#: Ports and volumes this young may belong to a job that is about to end.
YOUNG = timedelta(seconds=120)
#: A tag may wait this long for its job.
YOUNG_TAG = timedelta(minutes=5)


class Kind(StrEnum):
    """The classes of differences; the value names the flag that fixes one."""

    STALE = "stale"
    ORPHAN = "orphans"
    BUILD_ERROR = "build error"
    BUILDING = "building"
    OPERSTATE = "unsynced"
    TAGS = "unsynced-tags"
    FLAVOR = "unsynced-flavors"
    NICS = "unsynced-nics"
    DISKS = "unsynced-disks"
    RESCUE = "unsynced-rescue"
    PENDING_TASK = "pending-tasks"
    SNAPSHOT = "unsynced-snapshots"


@dataclass(frozen=True)
class Difference:
    """One difference; without ``event`` only an administrator can mend it."""

    kind: Kind
    text: str
    event: OpStatus | None = None


def of_instance(server: Server, instance: Json, moment: datetime) -> Iterator[Difference]:
    """Yield every difference between *server* and its *instance* as seen at *moment*.

    Each event is a microsecond later than the one before, so that all of them can be applied.
    """
    for check in (_operstate, _flavor, _nics, _disks, _rescue, _tags):
        for difference in check(server, instance, moment):
            yield difference
            moment += timedelta(microseconds=1)


def build_finished(server: Server, instance: Json, moment: datetime, job_id: int = 0) -> OpStatus:
    """Return the success of the creation of *server*, with the devices its instance has."""
    return server_events.simulated(
        server,
        opcode=Opcode.INSTANCE_CREATE,
        moment=moment,
        job_id=job_id,
        nics=observation.nics_of(instance),
        disks=observation.disks_of(instance),
        hvparams=observation.hvparams_of(instance),
        tags=[str(tag) for tag in instance.get("tags") or ()],
    )


def power_event(server: Server, instance: Json, moment: datetime, job_id: int = 0) -> OpStatus:
    """Return the start or stop that led to the state the instance is in."""
    opcode = Opcode.INSTANCE_STARTUP if observation.is_running(instance) else Opcode.INSTANCE_SHUTDOWN
    return server_events.simulated(server, opcode=opcode, moment=moment, job_id=job_id)


def _operstate(server: Server, instance: Json, moment: datetime) -> Iterator[Difference]:
    actual = ServerState.STARTED if observation.is_running(instance) else ServerState.STOPPED
    if server.operstate != actual:
        yield Difference(
            Kind.OPERSTATE,
            f"is {server.operstate} here and {actual} in Ganeti",
            power_event(server, instance, moment),
        )


def _flavor(server: Server, instance: Json, moment: datetime) -> Iterator[Difference]:
    beparams = instance.get("beparams") or {}
    disks = observation.disks_of(instance)
    cpu, ram = beparams.get("vcpus"), beparams.get("maxmem", beparams.get("memory"))
    disk = (server_disks.size_gib(disks[0]) if disks else None) or server.flavor.disk
    current = server.flavor
    if not cpu or not ram or (cpu, ram, disk) == (current.cpu, current.ram, current.disk):
        return
    ours = f"{current.cpu} CPUs, {current.ram} MiB, {current.disk} GiB"
    text = f"has {ours} here and {cpu} CPUs, {ram} MiB, {disk} GiB in Ganeti"
    try:
        server_events.find_flavor(server, cpu=cpu, ram=ram, disk=disk)
    except SynnefoError as error:
        yield Difference(Kind.FLAVOR, f"{text}. {error}")
        return
    event = server_events.simulated(
        server,
        opcode=Opcode.INSTANCE_SET_PARAMS,
        moment=moment,
        beparams={"vcpus": cpu, "maxmem": ram},
        disks=disks if disk != current.disk else None,
    )
    yield Difference(Kind.FLAVOR, text, event)


def _nics(server: Server, instance: Json, moment: datetime) -> Iterator[Difference]:
    nics = observation.nics_of(instance)
    parsed = server_nics.parse(nics, server_nics.ports_of(server))
    if parsed is None:
        yield Difference(Kind.NICS, "has a NIC in a network that is not ours")
        return
    newest = clock.now() - YOUNG
    here: dict[int, tuple[Any, ...]] = {}
    young = set()
    for port in server_nics.ports_of(server):
        if port.state == PortState.BUILD and port.created > newest:
            young.add(port.pk)
            continue
        addresses = {ip.ipversion: ip.address for ip in server_nics.ips_of(port) if not ip.deleted}
        # An IPv6 address that Ganeti's NIC does not imply is left alone.
        here[port.pk] = (
            port.state,
            port.index,
            port.network_id,
            port.mac,
            addresses.get(4),
            port.firewall_profile,
        )
    there = {
        nic.port_id: (PortState.ACTIVE, nic.index, nic.network_id, nic.mac, nic.ipv4, nic.firewall_profile)
        for nic in parsed
        if nic.port_id is not None and nic.port_id not in young
    }
    unknown = [nic.name for nic in parsed if nic.port_id is None]
    if unknown:
        yield Difference(Kind.NICS, f"has NICs that are no ports of ours: {', '.join(unknown)}")
    if here != there:
        differing = sorted(pk for pk in here.keys() | there.keys() if here.get(pk) != there.get(pk))
        yield Difference(
            Kind.NICS,
            f"differs in ports {', '.join(map(str, differing))}",
            server_events.simulated(server, opcode=Opcode.INSTANCE_SET_PARAMS, moment=moment, nics=nics),
        )


def _disks(server: Server, instance: Json, moment: datetime) -> Iterator[Difference]:
    disks = observation.disks_of(instance)
    newest = clock.now() - YOUNG
    here: dict[str, tuple[Any, ...]] = {}
    young = set()
    for volume in server.volumes.all():
        name = names.disk_name(volume.pk, volume.legacy_backend_volume_uuid)
        if volume.deleted:
            continue
        if volume.status == VolumeStatus.CREATING and volume.created > newest:
            young.add(name)
            continue
        here[name] = (volume.status, volume.index, volume.size)
    there = {
        disk.name or f"unknown-disk-{index}": (VolumeStatus.IN_USE, index, server_disks.size_gib(disk))
        for index, disk in enumerate(disks)
        # A disk without a name may be the very volume that is being made.
        if disk.name not in young and (disk.name or not young)
    }
    if here != there:
        differing = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
        known = any(name in here for name in differing)
        # A disk that was added in Ganeti itself becomes a volume, a stranger's does not.
        adopted = any(not disk.name for disk in disks) and all(name in there for name in here)
        event = server_events.simulated(server, opcode=Opcode.INSTANCE_SET_PARAMS, moment=moment, disks=disks)
        mends = known or adopted
        yield Difference(Kind.DISKS, f"differs in disks {', '.join(differing)}", event if mends else None)


def _rescue(server: Server, instance: Json, moment: datetime) -> Iterator[Difference]:
    hvparams = observation.hvparams_of(instance)
    text = rescue.difference(server, hvparams)
    if text is not None:
        event = server_events.simulated(
            server, opcode=Opcode.INSTANCE_SET_PARAMS, moment=moment, hvparams=hvparams
        )
        yield Difference(Kind.RESCUE, text, event)


def _tags(server: Server, instance: Json, moment: datetime) -> Iterator[Difference]:
    decoded = {tag for tag in map(names.decode_tag, map(str, instance.get("tags") or ())) if tag is not None}
    newest = clock.now() - YOUNG_TAG
    active = {tag.tag for tag in server.tags.all() if tag.status == TagStatus.ACTIVE}
    waiting = {
        tag.tag for tag in server.tags.all() if tag.status != TagStatus.ACTIVE and tag.created > newest
    }
    everything = {tag.tag for tag in server.tags.all()}
    changes: tuple[tuple[Opcode, set[str], str], ...] = (
        (Opcode.TAGS_SET, decoded - active - waiting, "has in Ganeti the tags"),
        (Opcode.TAGS_DEL, everything - decoded - waiting, "lacks in Ganeti the tags"),
    )
    for number, (opcode, tags, text) in enumerate(changes):
        if tags:
            listed = sorted(tags)
            later = moment + timedelta(microseconds=number)
            event = server_events.simulated(
                server, opcode=opcode, moment=later, tags=[names.encode_tag(tag) for tag in listed]
            )
            yield Difference(Kind.TAGS, f"{text} {', '.join(listed)}", event)
