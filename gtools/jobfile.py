"""From a Ganeti job file to messages (ganeti-backend contract 6.3)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gtools.luxi import InstanceState
from synnefo.messages import (
    FINAL_STATUSES,
    JOB_STATUSES,
    ClusterStatus,
    EventTime,
    Heartbeat,
    Message,
    NetworkStatus,
    OpStatus,
    event_time_now,
)

JOB_NAME = re.compile(r"job-([0-9]{1,18})")
MAX_JOB_BYTES = 64 * 1024 * 1024
MAX_REQUEST_ID = 128
HEARTBEAT_TAG = "snf:eventd:heartbeat"

# After which opcodes and statuses the instance's state is looked up (ganeti-backend contract 5.1).
LOOKED_UP: Mapping[str, frozenset[str]] = {
    "OP_INSTANCE_CREATE": frozenset({"success"}),
    "OP_INSTANCE_STARTUP": frozenset({"success"}),
    "OP_INSTANCE_SET_PARAMS": FINAL_STATUSES,
    "OP_INSTANCE_GROW_DISK": FINAL_STATUSES,
}
TIMESTAMP_KEYS: Mapping[str, str] = {
    "waiting": "start_timestamp",
    "canceling": "start_timestamp",
    "running": "exec_timestamp",
    "canceled": "end_timestamp",
    "success": "end_timestamp",
    "error": "end_timestamp",
}

StateLookup = Callable[[str], InstanceState | None]


class JobFileError(ValueError):
    """The file is not a Ganeti job."""


@dataclass(frozen=True)
class Op:
    """One opcode of a job."""

    index: int
    name: str
    status: str
    input: Mapping[str, Any]
    result: Any
    logmsg: Any
    event_time: EventTime


@dataclass(frozen=True)
class Job:
    """A job as its file describes it."""

    id: int
    ops: tuple[Op, ...]


def job_id_of(file_name: str) -> int | None:
    """Return the number in a job file's name; temporary names (``job-5.new``) have none."""
    match = JOB_NAME.fullmatch(file_name)
    return int(match[1]) if match else None


def read_job(path: Path) -> Job:
    """Read a job file; raise `JobFileError`, or OSError when it has vanished."""
    with path.open("rb") as file:
        body = file.read(MAX_JOB_BYTES + 1)
    if len(body) > MAX_JOB_BYTES:
        raise JobFileError(f"larger than {MAX_JOB_BYTES} bytes")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise JobFileError(f"not JSON: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("ops"), list):
        raise JobFileError("no list of opcodes")
    job_id = content.get("id")
    if not isinstance(job_id, int):
        raise JobFileError("no job id")
    ops = [_op(content, index, op) for index, op in enumerate(content["ops"])]
    return Job(id=job_id, ops=tuple(op for op in ops if op is not None))


def _op(job: Mapping[str, Any], index: int, op: object) -> Op | None:
    if not isinstance(op, dict) or not isinstance(op.get("input"), dict):
        return None
    name, status = op["input"].get("OP_ID"), op.get("status")
    if not isinstance(name, str) or status not in JOB_STATUSES:
        return None
    return Op(
        index=index,
        name=name,
        status=status,
        input=op["input"],
        result=op.get("result"),
        logmsg=_logmsg(op.get("log")),
        event_time=_event_time(job, op, status),
    )


def _logmsg(log: object) -> Any:
    if isinstance(log, list) and log and isinstance(log[-1], list) and log[-1]:
        return log[-1][-1]
    return None


def _event_time(job: Mapping[str, Any], op: Mapping[str, Any], status: str) -> EventTime:
    own = op.get(TIMESTAMP_KEYS[status]) if status in TIMESTAMP_KEYS else job.get("received_timestamp")
    for value in (own, job.get("end_timestamp"), job.get("received_timestamp")):
        if isinstance(value, list) and len(value) == 2 and all(type(part) is int for part in value):
            return value[0], value[1]
    return event_time_now()


def message_for(job: Job, op: Op, cluster: str, lookup: StateLookup) -> Message | None:
    """Return the message about an opcode's present status, None if nobody needs to know.

    lookup: returns the state of an instance, None if it is gone.
    """
    parts = op.name.split("_", 2)
    kind = parts[1] if parts[0] == "OP" and len(parts) == 3 else ""
    common: dict[str, Any] = {
        "operation": op.name,
        "status": op.status,
        "job_id": job.id,
        "event_time": op.event_time,
        "cluster": cluster,
        "logmsg": op.logmsg,
        "result": op.result,
    }
    if kind == "TAGS" and _is_heartbeat(op):
        return Heartbeat(**common)
    if op.input.get("dry_run"):
        # A dry run ends with success although nothing has happened.
        return None
    common["request_id"] = request_id_of(op.input)
    if kind == "INSTANCE":
        return _instance_message(op, common, lookup)
    if kind == "NETWORK":
        return _network_message(op, common)
    if kind == "TAGS":
        return _tags_message(op, common)
    if op.name == "OP_CLUSTER_SET_PARAMS":
        return ClusterStatus(**common)
    return None


def request_id_of(op_input: Mapping[str, Any]) -> str | None:
    """Return the id of the API request behind a job: the text of the user's entry in the reason trail.

    A JSON object there (snapshots carry one) holds it under ``request_id``.
    """
    reason = op_input.get("reason")
    for entry in reason if isinstance(reason, list) else []:
        if isinstance(entry, list) and len(entry) >= 2 and entry[0] == "gnt:user":
            text = entry[1]
            if isinstance(text, str) and text.startswith("{"):
                text = _json_object(text).get("request_id")
            return text if isinstance(text, str) and 0 < len(text) <= MAX_REQUEST_ID else None
    return None


def _json_object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _is_heartbeat(op: Op) -> bool:
    tags = op.input.get("tags")
    return (
        op.name == "OP_TAGS_SET"
        and op.input.get("kind") == "cluster"
        and op.input.get("dry_run") is True
        and op.status != "queued"
        and isinstance(tags, list)
        and bool(tags)
        and isinstance(tags[0], str)
        and tags[0].startswith(HEARTBEAT_TAG)
    )


def _instance_message(op: Op, common: dict[str, Any], lookup: StateLookup) -> OpStatus | None:
    instance = op.input.get("instance_name")
    if not instance:
        instances = op.input.get("instances")
        instance = instances[0] if isinstance(instances, list) and len(instances) == 1 else None
    if not isinstance(instance, str) or not instance:
        return None
    if op.status in LOOKED_UP.get(op.name, ()):
        state = lookup(instance)
        if state is not None:
            common["instance_nics"] = state.nics
            common["instance_disks"] = state.disks
            common["instance_hvparams"] = state.hvparams
    return OpStatus(**common, instance=instance, tags=_tags(op.input), job_fields=_job_fields(op))


def _job_fields(op: Op) -> Mapping[str, Any]:
    if op.name == "OP_INSTANCE_CREATE" and op.status == "error":
        return op.input
    if op.name in ("OP_INSTANCE_CREATE", "OP_INSTANCE_SET_PARAMS"):
        return {key: op.input.get(key) for key in ("nics", "disks", "hvparams", "beparams")}
    if op.name == "OP_INSTANCE_SNAPSHOT":
        return {"disks": _snapshot_disks(op.input)}
    return {}


def _snapshot_disks(op_input: Mapping[str, Any]) -> list[Any]:
    """Return the snapshot's disks, the first with the text that Cyclades put into the job's reason."""
    disks, reason = op_input.get("disks"), op_input.get("reason")
    if not isinstance(disks, list) or not disks:
        return []
    first, info = disks[0], reason[0] if isinstance(reason, list) and reason else None
    if not (isinstance(first, list) and len(first) == 2 and isinstance(first[1], dict)):
        return disks
    if not (isinstance(info, list) and len(info) == 3 and info[0] == "gnt:user"):
        return disks
    return [[first[0], first[1] | {"snapshot_info": info[1]}], *disks[1:]]


def _tags(op_input: Mapping[str, Any]) -> tuple[str, ...]:
    tags = op_input.get("tags")
    return tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()


def _tags_message(op: Op, common: dict[str, Any]) -> OpStatus | None:
    name = op.input.get("name")
    final = op.status in FINAL_STATUSES
    if op.input.get("kind") != "instance" or not final or not isinstance(name, str) or not name:
        return None
    return OpStatus(
        **common,
        instance=name,
        tags=_tags(op.input),
        job_fields={"dry_run": bool(op.input.get("dry_run"))},
    )


def _network_message(op: Op, common: dict[str, Any]) -> NetworkStatus | None:
    name = op.input.get("network_name")
    if not isinstance(name, str) or not name:
        return None
    return NetworkStatus(
        **common,
        network=name,
        subnet=_text(op.input, "network"),
        gateway=_text(op.input, "gateway"),
        add_reserved_ips=_addresses(op.input, "add_reserved_ips"),
        remove_reserved_ips=_addresses(op.input, "remove_reserved_ips"),
        group_name=_text(op.input, "group_name"),
    )


def _text(op_input: Mapping[str, Any], key: str) -> str | None:
    value = op_input.get(key)
    return value if isinstance(value, str) else None


def _addresses(op_input: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    value = op_input.get(key)
    return tuple(str(item) for item in value) if isinstance(value, list) else None
