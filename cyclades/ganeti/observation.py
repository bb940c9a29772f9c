"""What RAPI tells about jobs and instances, in the terms of the messages (Ganeti contract 5, 6.3, 14.1).

Used where a message was lost: a job that ended is turned into the event that should have come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from synnefo.messages import FINAL_STATUSES, InstanceDisk, InstanceHvparams, InstanceNic, OpStatus

Json = Mapping[str, Any]

#: Opcodes whose end says how the instance's devices are now, and with which status.
_WITH_DEVICES: dict[str, frozenset[str]] = {
    "OP_INSTANCE_CREATE": frozenset({"success"}),
    "OP_INSTANCE_STARTUP": frozenset({"success"}),
    "OP_INSTANCE_SET_PARAMS": FINAL_STATUSES,
    "OP_INSTANCE_GROW_DISK": FINAL_STATUSES,
}
_FIREWALL_PREFIX = "synnefo:network"


def is_final(job: Json) -> bool:
    """Tell whether a job has ended."""
    return job.get("status") in FINAL_STATUSES


def wants_devices(job: Json) -> bool:
    """Tell whether the job's event carries the instance's devices."""
    return _status(job) in _WITH_DEVICES.get(_opcode(job), frozenset())


def _op(job: Json) -> Json:
    ops = job.get("ops") or [{}]
    return ops[0] if isinstance(ops[0], Mapping) else {}


def _opcode(job: Json) -> str:
    return str(_op(job).get("OP_ID", ""))


def _status(job: Json) -> str:
    statuses = job.get("opstatus") or [job.get("status")]
    return str(statuses[0])


def event_of(job: Json, *, cluster: str, instance_name: str, instance: Json | None) -> OpStatus:
    """Return the event of a final *job* of ours, which has one operation.

    *instance* is the instance as RAPI shows it, ``None`` when it is gone.
    """
    op = _op(job)
    end = job.get("end_ts") or job.get("received_ts") or [0, 0]
    results = job.get("opresult") or [None]
    shown = instance if instance is not None and wants_devices(job) else None
    fields = {name: op.get(name) for name in ("nics", "disks", "hvparams", "beparams")}
    return OpStatus(
        operation=_opcode(job),
        status=_status(job),
        job_id=int(job["id"]),
        event_time=(int(end[0]), int(end[1])),
        cluster=cluster,
        logmsg="Read from Ganeti; the event was lost.",
        result=results[0],
        instance=instance_name,
        tags=tuple(tag for tag in op.get("tags") or () if isinstance(tag, str)),
        job_fields=fields if _opcode(job) == "OP_INSTANCE_SET_PARAMS" else {},
        instance_nics=nics_of(shown) if shown is not None else None,
        instance_disks=disks_of(shown) if shown is not None else None,
        instance_hvparams=hvparams_of(shown) if shown is not None else None,
    )


def _column(instance: Json, name: str) -> Sequence[Any]:
    value = instance.get(name)
    return value if isinstance(value, list) else []


def _at(values: Sequence[Any], index: int) -> Any:
    return values[index] if index < len(values) else None


def nics_of(instance: Json) -> tuple[InstanceNic, ...]:
    """Return the NICs of an instance in their order."""
    names = _column(instance, "nic.names")
    columns = {
        "network": _column(instance, "nic.networks.names"),
        "ip": _column(instance, "nic.ips"),
        "mac": _column(instance, "nic.macs"),
        "mode": _column(instance, "nic.modes"),
        "link": _column(instance, "nic.links"),
        "uuid": _column(instance, "nic.uuids"),
    }
    firewalls = firewall_words(_column(instance, "tags"))
    count = max([len(names), *map(len, columns.values())])
    return tuple(
        InstanceNic(
            name=_at(names, index),
            firewall=firewalls.get(_at(names, index) or ""),
            **{key: _at(values, index) for key, values in columns.items()},
        )
        for index in range(count)
    )


def firewall_words(tags: Iterable[Any]) -> dict[str, str]:
    """Return the firewall word of each NIC name among an instance's tags; the first of a NIC counts."""
    words: dict[str, str] = {}
    for tag in tags:
        parts = str(tag).split(":")
        if len(parts) == 4 and str(tag).startswith(_FIREWALL_PREFIX):
            words.setdefault(parts[2], parts[3])
    return words


def disks_of(instance: Json) -> tuple[InstanceDisk, ...]:
    """Return the disks of an instance in their order."""
    names, sizes, uuids = (_column(instance, f"disk.{part}") for part in ("names", "sizes", "uuids"))
    return tuple(
        InstanceDisk(name=_at(names, index), size=_at(sizes, index), uuid=_at(uuids, index))
        for index in range(max(len(names), len(sizes), len(uuids)))
    )


def hvparams_of(instance: Json) -> InstanceHvparams:
    """Return the boot parameters of an instance; hypervisors without them give empty text."""
    hvparams = instance.get("hvparams") or {}
    return InstanceHvparams(
        boot_order=str(hvparams.get("boot_order") or ""),
        cdrom_image_path=str(hvparams.get("cdrom_image_path") or ""),
    )


def is_running(instance: Json) -> bool:
    """Tell whether an instance runs."""
    return bool(instance.get("oper_state"))
