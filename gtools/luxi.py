"""Queries to Ganeti's query daemon over its socket (ganeti-backend contract 6.4)."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from synnefo.messages import InstanceDisk, InstanceHvparams, InstanceNic

logger = logging.getLogger(__name__)

DEFAULT_SOCKET = "/var/run/ganeti/socket/ganeti-query"
PROTOCOL_VERSION = 3000000
END_OF_MESSAGE = b"\x03"
MAX_ANSWER_BYTES = 16 * 1024 * 1024
TIMEOUT_SECONDS = 5.0
FIELDS = (
    "nic.names",
    "nic.networks.names",
    "nic.ips",
    "nic.macs",
    "nic.modes",
    "nic.links",
    "nic.uuids",
    "tags",
    "disk.names",
    "disk.sizes",
    "disk.uuids",
    "hv/boot_order",
    "hv/cdrom_image_path",
)


class LuxiError(Exception):
    """The daemon did not answer (``temporary``), or answered with an error."""

    def __init__(self, text: str, *, temporary: bool = True) -> None:
        super().__init__(text)
        self.temporary = temporary


@dataclass(frozen=True)
class InstanceState:
    """What an instance consists of now."""

    nics: tuple[InstanceNic, ...]
    disks: tuple[InstanceDisk, ...]
    hvparams: InstanceHvparams


class LuxiClient:
    """Asks the query daemon of this node; one connection per question."""

    def __init__(self, path: str = DEFAULT_SOCKET, timeout: float = TIMEOUT_SECONDS) -> None:
        self._path = path
        self._timeout = timeout

    def instance_state(self, name: str) -> InstanceState:
        """Return NICs, disks and boot parameters of an instance; raise `LuxiError`."""
        rows = self.call("QueryInstances", [[name], list(FIELDS), False])
        if not isinstance(rows, list) or not rows:
            raise LuxiError(f"no such instance: {name}", temporary=False)
        row = rows[0]
        if not isinstance(row, list) or len(row) != len(FIELDS):
            raise LuxiError("unexpected answer to QueryInstances", temporary=False)
        return _state(dict(zip(FIELDS, row, strict=True)))

    def call(self, method: str, arguments: Sequence[Any]) -> Any:
        """Call a method; raise `LuxiError` when that fails or takes longer than the timeout."""
        question = {"method": method, "args": list(arguments), "version": PROTOCOL_VERSION}
        try:
            answer = json.loads(self._exchange(json.dumps(question).encode() + END_OF_MESSAGE))
        except OSError as error:
            raise LuxiError(f"{self._path}: {error}") from error
        except (ValueError, RecursionError) as error:
            raise LuxiError(f"{self._path}: not JSON: {error}") from error
        if not isinstance(answer, dict) or not answer.get("success"):
            result = answer.get("result") if isinstance(answer, dict) else answer
            raise LuxiError(f"{method}: {result!r:.300}", temporary=False)
        return answer.get("result")

    def _exchange(self, question: bytes) -> bytes:
        deadline = time.monotonic() + self._timeout
        answer = bytearray()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(self._timeout)
            connection.connect(self._path)
            connection.sendall(question)
            while not answer.endswith(END_OF_MESSAGE):
                connection.settimeout(max(0.01, deadline - time.monotonic()))
                chunk = connection.recv(65536)
                if not chunk or len(answer) > MAX_ANSWER_BYTES:
                    raise LuxiError(f"{self._path}: the answer broke off")
                answer += chunk
        return bytes(answer[:-1])


def _state(values: dict[str, Any]) -> InstanceState:
    tags = [tag for tag in _items(values["tags"]) if isinstance(tag, str)]
    count = len(_items(values["nic.macs"])) or len(_items(values["nic.names"]))
    nics = []
    for index in range(count):
        name = _text_at(values["nic.names"], index)
        nics.append(
            InstanceNic(
                name=name,
                network=_text_at(values["nic.networks.names"], index),
                ip=_text_at(values["nic.ips"], index),
                mac=_text_at(values["nic.macs"], index),
                mode=_text_at(values["nic.modes"], index),
                link=_text_at(values["nic.links"], index),
                uuid=_text_at(values["nic.uuids"], index),
                firewall=firewall_of(name, tags),
            )
        )
    sizes = _items(values["disk.sizes"])
    disks = [
        InstanceDisk(
            name=_text_at(values["disk.names"], index),
            size=size if isinstance(size, int) else None,
            uuid=_text_at(values["disk.uuids"], index),
        )
        for index, size in enumerate(sizes)
    ]
    hvparams = InstanceHvparams(
        boot_order=_text(values["hv/boot_order"]), cdrom_image_path=_text(values["hv/cdrom_image_path"])
    )
    return InstanceState(tuple(nics), tuple(disks), hvparams)


def firewall_of(nic_name: str | None, tags: Sequence[str]) -> str | None:
    """Return the firewall suffix among an instance's tags for a NIC (ganeti-backend contract 2.1)."""
    for tag in tags:
        if not tag.startswith("synnefo:network"):
            continue
        fields = tag.split(":")
        if len(fields) != 4:
            logger.warning("malformed firewall tag %r", tag)
        elif nic_name is not None and fields[2] == nic_name:
            return fields[3]
    return None


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text_at(value: object, index: int) -> str | None:
    items = _items(value)
    item = items[index] if index < len(items) else None
    return item if isinstance(item, str) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
