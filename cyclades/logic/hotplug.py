"""Devices that Ganeti changed but could not plug into, or pull out of, the running guest.

Ganeti ends such a job with success: the instance has the device, its guest sees the change only after the
next stop and start. The job's result says so, with the pair ``["disk/1", "hotplug:failed"]``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from cyclades.ganeti import names
from cyclades.ganeti.opcodes import Opcode
from cyclades.logic import server_outcomes
from cyclades.models import JobIntent, Server
from synnefo.messages import OpStatus

log = logging.getLogger(__name__)

#: Where diagnostics of this kind come from; snf-burnin looks for it.
SOURCE = "hotplug"
_FAILED = "hotplug:failed"
#: As in ``disk/1``, ``nic.1`` and ``NIC/1``.
_DEVICE = re.compile(r"(disk|nic)[./]\d+", re.IGNORECASE)
#: Kind of device: where the job lists its changes, what users call it, and the id behind its name.
_KINDS: Mapping[str, tuple[str, str, Callable[[str | None], int | None]]] = {
    "disk": ("disks", "volume", names.volume_id_of),
    "nic": ("nics", "port", names.port_id_of),
}
_TEXTS = {
    "add": "The running system does not see the new {device} yet. Shut the server down and start it again.",
    "remove": "The running system may still hold the removed {device}. Shut the server down and start it"
    " again before you use it elsewhere.",
}


def report(server: Server, event: OpStatus, intents: Callable[[], Sequence[JobIntent]]) -> None:
    """Tell user and administrator of the devices that the successful *event*'s job could not hotplug.

    *intents* gives the open intents of *server*.
    """
    if event.operation != Opcode.INSTANCE_SET_PARAMS or event.status != "success":
        return
    failed = _failed_kinds(event.result)
    if not failed:
        return
    # Ganeti's job has indexes where it was given the names of devices to remove.
    asked = next((item.payload.get("body") for item in intents() if item.job_id == event.job_id), None)
    for kind in sorted(failed):
        for action, device in _changes(kind, asked or event.job_fields):
            log.warning(
                "server %d: no hotplug (%s) of %s, the guest sees it after a stop and start; "
                "the log of job %d of %s says why",
                *(server.pk, action, device, event.job_id, event.cluster),
            )
            message = _TEXTS[action].format(device=device)
            server_outcomes.add_diagnostic(server, source=SOURCE, message=message, level="WARNING")


def _failed_kinds(result: Any) -> set[str]:
    kinds = set()
    for change in result if isinstance(result, list) else []:
        if isinstance(change, list) and len(change) == 2 and change[1] == _FAILED:
            match = _DEVICE.fullmatch(str(change[0]))
            kinds |= {match[1].lower()} if match else set()
    return kinds


def _changes(kind: str, job_fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield ``add`` or ``remove`` and the device as users know it, for all changes of one kind."""
    key, word, id_of = _KINDS[kind]
    changes = job_fields.get(key)
    for change in changes if isinstance(changes, list) else []:
        if not (isinstance(change, list) and len(change) == 3 and change[0] in _TEXTS):
            continue
        action, which, values = change
        name = values.get("name") if action == "add" and isinstance(values, dict) else which
        number = id_of(name) if isinstance(name, str) else None
        yield action, f"{word} {number}" if number is not None else word
