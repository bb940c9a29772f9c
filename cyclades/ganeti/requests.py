"""What is asked of Ganeti, as plain JSON that an intent can keep (Ganeti contract 3).

A payload is ``{"action": …, "body": {…}}`` plus what only the moment of submission can make of it:
``networks`` (ids that must be active in the cluster first), ``vmapi`` (the encrypted key of the one-time
configuration) and ``hotplug``. Nothing here asks Ganeti or holds a secret.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from django.conf import settings

from cyclades.ganeti import names

if TYPE_CHECKING:
    from cyclades.models import Flavor, Network, Port, Server, Volume

Payload = dict[str, Any]

#: Prefix of volume type specs that are handed to the ExtStorage provider.
_PROVIDER_SPEC = "GNT-EXTP:"
#: Memory in MiB of an instance that only exists to be removed; it never runs.
_DOOMED_MEMORY = 16
#: Most characters of tags in one request; the rest of its 8192 is for the path, names and the reason.
_TAGS_LENGTH = 7000
#: Ganeti insists on an IPv4 range; networks without one get this (contract 3.3).
DUMMY_IPV4_SUBNET = "10.0.0.0/29"


class SourceImage(Protocol):
    """What a creation needs to know of its image; ``size`` in bytes."""

    @property
    def mapfile(self) -> str:
        """Name of the image's block map."""

    @property
    def size(self) -> int:
        """Size of the image in bytes."""

    @property
    def disk_format(self) -> str | None:
        """How the image's bytes are to be read, such as ``diskdump``."""


def payload(action: str, body: Mapping[str, Any] | None = None) -> Payload:
    """Return the payload of one of ``opcodes.OPCODES``."""
    return {"action": action, "body": dict(body or {})}


def create_payload(
    server: Server,
    flavor: Flavor,
    ports: Sequence[Port],
    volumes: Sequence[Volume],
    image: SourceImage,
    config_url: str = "",
) -> Payload:
    """Return the creation of *server* (contract 3.1).

    *volumes* in index order, the system disk first; ``config_url`` is normally left out, because the URL
    is made when the intent is submitted.
    """
    root = volumes[0]
    hypervisor = server.backend.hypervisor if server.backend else "kvm"
    # Nothing is copied to a disk that is cloned by its storage or has the data of an earlier server.
    is_filled = root.volume_type.provider in settings.GANETI_CLONE_PROVIDERS or root.backendjobid is not None
    body: dict[str, Any] = copy.deepcopy(settings.GANETI_CREATEINSTANCE_KWARGS)
    body |= {
        "__version__": 1,
        "mode": "create",
        "name": names.instance_name(server.pk),
        "disk_template": root.volume_type.template,
        "wait_for_sync": settings.GANETI_DISKS_WAIT_FOR_SYNC,
        "ip_check": False,
        "name_check": False,
        "disks": [disk_definition(volume) for volume in volumes],
        "nics": [nic_definition(port) for port in ports],
        "beparams": {"auto_balance": True, **_beparams(flavor)},
        "hvparams": dict(body.get("hvparams", {}).get(hypervisor, {})),
        "osparams": {
            "config_url": config_url,
            "img_id": "null" if is_filled else f"pithosmap://{image.mapfile}/{image.size}",
            "img_format": image.disk_format or "diskdump",
        },
    }
    if settings.GANETI_USE_OPPORTUNISTIC_LOCKING:
        body["opportunistic_locking"] = True
    tags = [names.encode_tag(tag) for tag in server.tags.values_list("tag", flat=True)]
    if tags:
        body["tags"] = tags
    return payload("create", body) | {"networks": sorted({port.network_id for port in ports})}


def _beparams(flavor: Flavor) -> dict[str, int]:
    return {"vcpus": flavor.cpu, "minmem": flavor.ram, "maxmem": flavor.ram}


def _provider_parameters(volume: Volume) -> dict[str, Any]:
    parameters = dict(settings.GANETI_DISK_PROVIDER_KWARGS.get(volume.volume_type.provider, {}))
    for spec in volume.volume_type.specs.all():
        if spec.key.startswith(_PROVIDER_SPEC):
            parameters[spec.key[len(_PROVIDER_SPEC) :]] = spec.value
    return parameters


def nic_definition(port: Port) -> dict[str, Any]:
    """Return a NIC as Ganeti is told of it; the MAC, mode and link come from its network."""
    address = next((ip.address for ip in port.ips.all() if ip.ipversion == 4 and not ip.deleted), None)
    return {
        "name": names.nic_name(port.pk),
        "network": names.network_name(port.network_id),
        "ip": address,
    }


def startup_payload() -> Payload:
    """Return the start of an instance."""
    return payload("startup")


def shutdown_payload(timeout: int | None = None) -> Payload:
    """Return the stop of an instance; ``timeout`` in seconds before it is cut off."""
    return payload("shutdown", {} if timeout is None else {"timeout": timeout})


def reboot_payload(kind: str = "SOFT", shutdown_timeout: int | None = None) -> Payload:
    """Return a reboot; ``HARD`` does not wait for the guest, ``shutdown_timeout`` in seconds."""
    timeout = 0 if kind == "HARD" else shutdown_timeout
    body: dict[str, Any] = {"reboot_type": "hard"}
    if timeout is not None:
        body["shutdown_timeout"] = timeout
    return payload("reboot", body)


def delete_payload(shutdown_timeout: int | None = None, volumes: Iterable[Volume] = ()) -> Payload:
    """Return the removal of an instance; ``shutdown_timeout`` in seconds.

    Of the *volumes* on it those that came with data are not to survive it, as they would a failed job.
    """
    changes = [_kept(volume, "default") for volume in volumes if keeps_data(volume)]
    body = {} if shutdown_timeout is None else {"shutdown_timeout": shutdown_timeout}
    return payload("delete", body) | ({"before": {"disks": changes}} if changes else {})


def modify_beparams_payload(flavor: Flavor) -> Payload:
    """Return the resize of an instance to *flavor*."""
    return payload("modify", {"beparams": _beparams(flavor)})


def boot_payload(cdrom: str) -> Payload:
    """Return the boot from the CD image at *cdrom*, or from the disk when that is empty."""
    return payload(
        "modify", {"hvparams": {"boot_order": "cdrom" if cdrom else "disk", "cdrom_image_path": cdrom}}
    )


def connect_port_payload(port: Port) -> Payload:
    """Return the addition of a port to its server."""
    body = {"nics": [["add", "-1", nic_definition(port)]]}
    return payload("modify", body) | {"hotplug": True, "networks": [port.network_id]}


def disconnect_port_payload(port: Port) -> Payload:
    """Return the removal of a port from its server."""
    return payload("modify", {"nics": [["remove", names.nic_name(port.pk), {}]]}) | {"hotplug": True}


def attach_volume_payload(volume: Volume, *, running: bool) -> Payload:
    """Return the addition of a further disk; ``running`` tells whether the server is started."""
    body: dict[str, Any] = {"disks": [["add", "-1", disk_definition(volume)]]}
    if running:
        # Ganeti refuses the key while the disks are inactive.
        body["wait_for_sync"] = settings.GANETI_DISKS_WAIT_FOR_SYNC
    return payload("modify", body) | {"hotplug": True}


def disk_definition(volume: Volume) -> dict[str, Any]:
    """Return a disk as Ganeti is told of it, new or with the data of an earlier server (contract 14.2)."""
    disk: dict[str, Any] = {"name": _disk_name(volume), "size": volume.size * 1024}
    provider = volume.volume_type.provider
    if provider is None:
        return disk
    disk["provider"] = provider
    initialised = volume.backendjobid is not None
    if provider in settings.GANETI_CLONE_PROVIDERS and volume.origin and not initialised:
        disk["origin"] = volume.origin
        if volume.origin_size is not None:
            disk["origin_size"] = volume.origin_size
    disk |= _provider_parameters(volume)
    if volume.volume_type.disk_template in settings.CYCLADES_DETACHABLE_DISK_TEMPLATES:
        disk["reuse_data"] = str(initialised)
        if initialised and keeps_data(volume):
            # A job that fails removes the disks that it added: not the data that were there before.
            disk["keep_data"] = "True"
    return disk


def _disk_name(volume: Volume) -> str:
    return names.disk_name(volume.pk, volume.legacy_backend_volume_uuid)


def keeps_data(volume: Volume) -> bool:
    """Tell whether the volume's storage is told by a parameter to keep the data of a removed disk."""
    return bool(settings.GANETI_DETACH_METHODS.get(volume.volume_type.provider) == "keep_data")


def _kept(volume: Volume, value: str) -> list[Any]:
    # Without its name the disk would lose it.
    return ["modify", _disk_name(volume), {"name": _disk_name(volume), "keep_data": value}]


def remove_volume_payload(volume: Volume) -> Payload:
    """Return the removal, with its data, of a disk that is attached to a server."""
    changes: list[Any] = [["remove", _disk_name(volume), {}]]
    if keeps_data(volume):
        changes.insert(0, _kept(volume, "default"))
    return payload("modify", {"disks": changes}) | {"hotplug": True}


def detach_volume_payload(volume: Volume) -> Payload:
    """Return the removal of a disk that leaves its data in the storage (contract 14.2)."""
    changes: list[Any] = [["remove", _disk_name(volume), {}]]
    body: dict[str, Any] = {"disks": changes}
    if keeps_data(volume):
        changes.insert(0, _kept(volume, "True"))
    else:
        body["keep_disks"] = True
    return payload("modify", body) | {"hotplug": True}


def grow_volume_payload(volume: Volume, size: int) -> Payload:
    """Return the growth of an attached disk to *size* GiB."""
    return payload("grow-disk", {"disk": volume.index, "amount": size * 1024, "absolute": True})


def name_disk_payload(volume: Volume, disk_uuid: str) -> Payload:
    """Return the naming of a disk that was added in Ganeti itself."""
    return payload("modify", {"disks": [["modify", disk_uuid, {"name": _disk_name(volume)}]]})


def doomed_instance(volume: Volume, name: str) -> dict[str, Any]:
    """Return the instance, never started, whose removal deletes the data of a detached *volume*."""
    disk = disk_definition(volume)
    disk.pop("keep_data", None)
    return {
        "__version__": 1,
        "mode": "create",
        "name": name,
        "os": settings.GANETI_CREATEINSTANCE_KWARGS.get("os"),
        "disk_template": volume.volume_type.template,
        "wait_for_sync": False,
        "ip_check": False,
        "name_check": False,
        "disks": [disk],
        "nics": [],
        "beparams": {"vcpus": 1, "minmem": _DOOMED_MEMORY, "maxmem": _DOOMED_MEMORY},
        "hvparams": {},
        "osparams": {},
        "start": False,
        "no_install": True,
        "ignore_ipolicy": True,
    }


def tags_payload(*, add: Iterable[str] = (), delete: Iterable[str] = ()) -> Payload:
    """Return the addition or the removal (one of the two) of server tags."""
    added = [names.encode_tag(tag) for tag in add]
    if added:
        return payload("tags-add", {"tags": added})
    return payload("tags-delete", {"tags": [names.encode_tag(tag) for tag in delete]})


def tag_batches(tags: Iterable[str]) -> list[list[str]]:
    """Split server tags into parts that one request each can carry: Ganeti wants them in the address."""
    batches: list[list[str]] = []
    room = 0
    for tag in tags:
        length = len("&tag=") + len(quote(names.encode_tag(tag), safe=":*/@"))
        if length > room:
            batches.append([])
            room = _TAGS_LENGTH
        batches[-1].append(tag)
        room -= length
    return batches


def network_parameters(network: Network, mac_prefix: str) -> dict[str, Any]:
    """Return the arguments that create *network* in a cluster (contract 3.3)."""
    subnets = {s.ipversion: s for s in network.subnets.all() if not s.deleted}
    ipv4, ipv6 = subnets.get(4), subnets.get(6)
    return {
        "network_name": names.network_name(network.pk),
        "network": ipv4.cidr if ipv4 else DUMMY_IPV4_SUBNET,
        "gateway": ipv4.gateway if ipv4 else None,
        "network6": ipv6.cidr if ipv6 else None,
        "gateway6": ipv6.gateway if ipv6 else None,
        "mac_prefix": mac_prefix,
        "conflicts_check": wants_conflicts_check(network),
        "tags": network_tags(network),
    }


def wants_conflicts_check(network: Network) -> bool:
    """Tell whether Ganeti shall look for the network's addresses elsewhere: public IPv4 ones only."""
    return network.public and any(s.ipversion == 4 and not s.deleted for s in network.subnets.all())


def network_tags(network: Network) -> list[str]:
    """Return the tags that tell the nodes' scripts how to wire a NIC (contract 2.3)."""
    tags = [tag for tag in network.tags.split(",") if tag]
    if any(subnet.dhcp and not subnet.deleted for subnet in network.subnets.all()):
        tags.append("nfdhcpd")
    return [*tags, "public" if network.public else "private"]
