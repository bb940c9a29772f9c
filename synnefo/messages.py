"""The messages between Ganeti nodes and the dispatcher, described once (ganeti-backend contract 5).

Django-free: ``gtools`` sends them from nodes where Django is not installed. Every message is one JSON
object; unknown keys are ignored on decoding, so that either side may be upgraded first.
"""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

MAX_BODY_BYTES = 8 * 1024 * 1024
FINAL_STATUSES = frozenset({"canceled", "success", "error"})
JOB_STATUSES = frozenset({"queued", "waiting", "canceling", "running"}) | FINAL_STATUSES
PROGRESS_TYPES = frozenset(
    {"image-copy-progress", "image-info", "image-warning", "image-error", "image-helper"}
)

EventTime = tuple[int, int]
RoutingKind = Literal["op", "network", "progress"]


class MessageError(ValueError):
    """The body is not a message of this contract."""


def event_time_now() -> EventTime:
    """Return the present as (seconds, microseconds) since the epoch."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return seconds, nanoseconds // 1000


def event_datetime(event_time: EventTime) -> datetime.datetime:
    """Return the aware UTC time of an event, built from the two integers without rounding."""
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return epoch + datetime.timedelta(seconds=event_time[0], microseconds=event_time[1])


@dataclass(frozen=True, kw_only=True)
class InstanceNic:
    """One NIC as Ganeti has it after the job; every value may be missing. ``firewall`` is the tag suffix."""

    name: str | None = None
    network: str | None = None
    ip: str | None = None
    mac: str | None = None
    mode: str | None = None
    link: str | None = None
    uuid: str | None = None
    firewall: str | None = None


@dataclass(frozen=True, kw_only=True)
class InstanceDisk:
    """One disk as Ganeti has it after the job; ``size`` in MiB."""

    name: str | None = None
    size: int | None = None
    uuid: str | None = None


@dataclass(frozen=True, kw_only=True)
class InstanceHvparams:
    """Boot parameters; empty text where the hypervisor has none (``fake``, ``lxc``)."""

    boot_order: str = ""
    cdrom_image_path: str = ""


@dataclass(frozen=True, kw_only=True)
class JobMessage:
    """What all messages about a Ganeti job opcode share.

    ``request_id`` names the API request behind the job (from the opcode's reason trail), None when unknown.
    """

    TYPE: ClassVar[str] = ""

    operation: str
    status: str
    job_id: int
    event_time: EventTime
    cluster: str
    logmsg: Any = None
    result: Any = None
    request_id: str | None = None

    @property
    def event_datetime(self) -> datetime.datetime:
        """The aware UTC time of the event."""
        return event_datetime(self.event_time)

    @property
    def is_final(self) -> bool:
        """Whether the opcode has ended."""
        return self.status in FINAL_STATUSES

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of the common keys."""
        content: dict[str, Any] = {
            "type": self.TYPE,
            "operation": self.operation,
            "status": self.status,
            "jobId": self.job_id,
            "event_time": list(self.event_time),
            "cluster": self.cluster,
            "logmsg": self.logmsg,
            "result": self.result,
        }
        if self.request_id is not None:
            content["request_id"] = self.request_id
        return content

    def encode(self) -> bytes:
        """Return the message body."""
        return _dump(self.as_dict())


@dataclass(frozen=True, kw_only=True)
class OpStatus(JobMessage):
    """A status change of an instance opcode (ganeti-backend contract 5.1).

    ``instance_nics``, ``instance_disks`` and ``instance_hvparams`` are None when the sender did not look
    them up: that differs from an empty tuple, which says that the instance has none.
    """

    TYPE: ClassVar[str] = "ganeti-op-status"

    instance: str
    tags: tuple[str, ...] = ()
    job_fields: Mapping[str, Any] = field(default_factory=dict)
    instance_nics: tuple[InstanceNic, ...] | None = None
    instance_disks: tuple[InstanceDisk, ...] | None = None
    instance_hvparams: InstanceHvparams | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of the message."""
        content = super().as_dict() | {
            "instance": self.instance,
            "tags": list(self.tags),
            "job_fields": dict(self.job_fields),
        }
        if self.instance_nics is not None:
            content["instance_nics"] = [_nic_dict(nic) for nic in self.instance_nics]
        if self.instance_disks is not None:
            content["instance_disks"] = [
                {"name": disk.name, "size": disk.size, "uuid": disk.uuid} for disk in self.instance_disks
            ]
        if self.instance_hvparams is not None:
            content["instance_hvparams"] = {
                "boot_order": self.instance_hvparams.boot_order,
                "cdrom_image_path": self.instance_hvparams.cdrom_image_path,
            }
        return content


@dataclass(frozen=True, kw_only=True)
class NetworkStatus(JobMessage):
    """A status change of a network opcode (ganeti-backend contract 5.2)."""

    TYPE: ClassVar[str] = "ganeti-network-status"

    network: str
    subnet: str | None = None
    gateway: str | None = None
    add_reserved_ips: tuple[str, ...] | None = None
    remove_reserved_ips: tuple[str, ...] | None = None
    group_name: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of the message."""
        return super().as_dict() | {
            "network": self.network,
            "job_fields": {
                "subnet": self.subnet,
                "gateway": self.gateway,
                "add_reserved_ips": _list_or_none(self.add_reserved_ips),
                "remove_reserved_ips": _list_or_none(self.remove_reserved_ips),
                "group_name": self.group_name,
            },
        }


@dataclass(frozen=True, kw_only=True)
class ClusterStatus(JobMessage):
    """A status change of ``OP_CLUSTER_SET_PARAMS`` (ganeti-backend contract 5.3)."""

    TYPE: ClassVar[str] = "ganeti-cluster-status"


@dataclass(frozen=True, kw_only=True)
class Heartbeat(JobMessage):
    """Proof that the event daemon of a cluster is alive (ganeti-backend contract 5.5)."""

    TYPE: ClassVar[str] = "eventd-heartbeat"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Progress or a diagnostic of an image deployment (ganeti-backend contract 5.4).

    ``type`` is one of `PROGRESS_TYPES`; ``progress`` is in percent, ``position`` and ``total`` in bytes,
    ``timestamp`` the time at the sender in seconds since the epoch.
    """

    type: str
    instance: str
    event_time: EventTime
    timestamp: float | None = None
    progress: float | None = None
    position: int | None = None
    total: int | None = None
    subtype: str | None = None
    task: str | None = None
    messages: tuple[str, ...] | None = None
    stderr: str | None = None

    @property
    def event_datetime(self) -> datetime.datetime:
        """The aware UTC time of the event."""
        return event_datetime(self.event_time)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of the message, without keys that do not apply."""
        content: dict[str, Any] = {
            "type": self.type,
            "instance": self.instance,
            "event_time": list(self.event_time),
        }
        for key in ("timestamp", "progress", "position", "total", "subtype", "task", "stderr"):
            value = getattr(self, key)
            if value is not None:
                content[key] = value
        if self.messages is not None:
            content["messages"] = list(self.messages)
        return content

    def encode(self) -> bytes:
        """Return the message body."""
        return _dump(self.as_dict())


Message = OpStatus | NetworkStatus | ClusterStatus | Heartbeat | Progress


def routing_key_for(name: str, kind: RoutingKind) -> str:
    """Return the routing key of a message about an instance or network (ganeti-backend contract 4).

    name: the Ganeti name. The word before its first dash selects the installation, so a foreign instance
    (``web1.example.org``) gets a key that nobody binds.
    """
    return f"ganeti.{name.split('-', 1)[0]}.event.{kind}"


CLUSTER_ROUTING_KEY = "ganeti.event.cluster"
HEARTBEAT_ROUTING_KEY = "eventd.heartbeat"


def routing_key_of(message: Message) -> str:
    """Return the routing key that a message is published with."""
    if isinstance(message, OpStatus):
        return routing_key_for(message.instance, "op")
    if isinstance(message, NetworkStatus):
        return routing_key_for(message.network, "network")
    if isinstance(message, Progress):
        return routing_key_for(message.instance, "progress")
    if isinstance(message, ClusterStatus):
        return CLUSTER_ROUTING_KEY
    return HEARTBEAT_ROUTING_KEY


def decode(body: bytes) -> Message:
    """Return the message in an AMQP body; raise `MessageError` when it is none of ours."""
    if len(body) > MAX_BODY_BYTES:
        raise MessageError(f"the body is larger than {MAX_BODY_BYTES} bytes")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"the body is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise MessageError("the body is not a JSON object")
    kind = content.get("type")
    reader = _Reader(content)
    if kind == OpStatus.TYPE:
        return _decode_op(reader)
    if kind == NetworkStatus.TYPE:
        return _decode_network(reader)
    if kind == ClusterStatus.TYPE:
        return ClusterStatus(**_common(reader))
    if kind == Heartbeat.TYPE:
        return _decode_heartbeat(reader)
    if isinstance(kind, str) and kind in PROGRESS_TYPES:
        return _decode_progress(kind, reader)
    raise MessageError(f"unknown message type {kind!r}")


class _Reader:
    """Typed access to the keys of one decoded object; a wrong type names the key."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content

    def _fail(self, key: str, expected: str) -> MessageError:
        return MessageError(f"key {key!r} must be {expected}, not {self.content.get(key)!r:.100}")

    def text(self, key: str) -> str:
        value = self.content.get(key)
        if not isinstance(value, str) or not value:
            raise self._fail(key, "a non-empty text")
        return value

    def optional_text(self, key: str) -> str | None:
        value = self.content.get(key)
        if value is not None and not isinstance(value, str):
            raise self._fail(key, "text or null")
        return value

    def number(self, key: str) -> int:
        value = self.optional_number(key)
        if value is None:
            raise self._fail(key, "an integer")
        return value

    def optional_number(self, key: str) -> int | None:
        value = self.content.get(key)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
            raise self._fail(key, "an integer or null")
        return value

    def optional_float(self, key: str) -> float | None:
        value = self.content.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e18:
            raise self._fail(key, "a number or null")
        return float(value)

    def texts(self, key: str) -> tuple[str, ...] | None:
        value = self.content.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._fail(key, "a list of texts or null")
        return tuple(value)

    def mapping(self, key: str) -> Mapping[str, Any]:
        value = self.content.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self._fail(key, "an object or null")
        return value

    def objects(self, key: str) -> tuple[_Reader, ...] | None:
        value = self.content.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._fail(key, "a list of objects or null")
        return tuple(_Reader(item) for item in value)

    def event_time(self) -> EventTime:
        value = self.content.get("event_time")
        if isinstance(value, list) and len(value) == 2 and all(type(part) is int for part in value):
            seconds, microseconds = value
            if 0 <= seconds < 1 << 36 and 0 <= microseconds < 1_000_000:
                return seconds, microseconds
        raise self._fail("event_time", "[seconds, microseconds]")


def _common(reader: _Reader) -> dict[str, Any]:
    return {
        "operation": reader.text("operation"),
        "status": reader.text("status"),
        "job_id": reader.number("jobId"),
        "event_time": reader.event_time(),
        "cluster": reader.text("cluster"),
        "logmsg": reader.content.get("logmsg"),
        "result": reader.content.get("result"),
        "request_id": reader.optional_text("request_id"),
    }


def _decode_op(reader: _Reader) -> OpStatus:
    nics = reader.objects("instance_nics")
    disks = reader.objects("instance_disks")
    return OpStatus(
        **_common(reader),
        instance=reader.text("instance"),
        tags=reader.texts("tags") or (),
        job_fields=reader.mapping("job_fields"),
        instance_nics=None if nics is None else tuple(_decode_nic(nic) for nic in nics),
        instance_disks=None if disks is None else tuple(_decode_disk(disk) for disk in disks),
        instance_hvparams=_decode_hvparams(reader),
    )


def _decode_nic(reader: _Reader) -> InstanceNic:
    names = ("name", "network", "ip", "mac", "mode", "link", "uuid", "firewall")
    return InstanceNic(**{name: reader.optional_text(name) for name in names})


def _decode_disk(reader: _Reader) -> InstanceDisk:
    return InstanceDisk(
        name=reader.optional_text("name"),
        size=reader.optional_number("size"),
        uuid=reader.optional_text("uuid"),
    )


def _decode_hvparams(reader: _Reader) -> InstanceHvparams | None:
    if reader.content.get("instance_hvparams") is None:
        return None
    hvparams = _Reader(reader.mapping("instance_hvparams"))
    return InstanceHvparams(
        boot_order=hvparams.optional_text("boot_order") or "",
        cdrom_image_path=hvparams.optional_text("cdrom_image_path") or "",
    )


def _decode_network(reader: _Reader) -> NetworkStatus:
    fields = _Reader(reader.mapping("job_fields"))
    return NetworkStatus(
        **_common(reader),
        network=reader.text("network"),
        subnet=fields.optional_text("subnet"),
        gateway=fields.optional_text("gateway"),
        add_reserved_ips=fields.texts("add_reserved_ips"),
        remove_reserved_ips=fields.texts("remove_reserved_ips"),
        group_name=fields.optional_text("group_name"),
    )


def _decode_heartbeat(reader: _Reader) -> Heartbeat:
    return Heartbeat(
        cluster=reader.text("cluster"),
        operation=reader.optional_text("operation") or "OP_TAGS_SET",
        status=reader.optional_text("status") or "waiting",
        job_id=reader.optional_number("jobId") or 0,
        event_time=reader.event_time(),
        logmsg=reader.content.get("logmsg"),
        result=reader.content.get("result"),
    )


def _decode_progress(kind: str, reader: _Reader) -> Progress:
    return Progress(
        type=kind,
        instance=reader.text("instance"),
        event_time=reader.event_time(),
        timestamp=reader.optional_float("timestamp"),
        progress=reader.optional_float("progress"),
        position=reader.optional_number("position"),
        total=reader.optional_number("total"),
        subtype=reader.optional_text("subtype"),
        task=reader.optional_text("task"),
        messages=reader.texts("messages"),
        stderr=reader.optional_text("stderr"),
    )


def _nic_dict(nic: InstanceNic) -> dict[str, Any]:
    content: dict[str, Any] = {
        "name": nic.name,
        "network": nic.network,
        "ip": nic.ip,
        "mac": nic.mac,
        "mode": nic.mode,
        "link": nic.link,
        "uuid": nic.uuid,
    }
    if nic.firewall is not None:
        content["firewall"] = nic.firewall
    return content


def _list_or_none(values: Sequence[str] | None) -> list[str] | None:
    return None if values is None else list(values)


def _dump(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
