"""Start, stop, reboot, resize and destroy (compute contract 6.1 and 7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cyclades.ganeti import requests
from cyclades.logic import flavors, quota, server_change
from cyclades.logic.server_change import JobChange
from cyclades.logic.server_state import require_allowed
from cyclades.logic.volume_types import is_detachable
from cyclades.models import Flavor, JobIntent, Server, Task, Volume
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest

REBOOT_TYPES = ("SOFT", "HARD")


def start(credentials: Credentials, *, server_id: int) -> JobIntent:
    """Start a stopped server; cpu and ram are reserved now and charged when it runs."""
    return _simple(credentials, server_id, Task.START, requests.startup_payload())


def stop(credentials: Credentials, *, server_id: int, timeout: int | None = None) -> JobIntent:
    """Shut a running server down, cut off after *timeout* seconds; cpu and ram are released then."""
    return _simple(credentials, server_id, Task.STOP, requests.shutdown_payload(timeout))


def reboot(credentials: Credentials, *, server_id: int, kind: str = "SOFT") -> JobIntent:
    """Reboot a server, or boot a stopped one; ``HARD`` does not wait for the guest."""
    if kind not in REBOOT_TYPES:
        raise BadRequest(f"'type' must be one of {', '.join(REBOOT_TYPES)}")
    return _simple(credentials, server_id, Task.REBOOT, requests.reboot_payload(kind))


def destroy(
    credentials: Credentials, *, server_id: int, shutdown_timeout: int | None = None
) -> JobIntent | None:
    """Destroy a server in whatever state it is; its quota is released when it is gone.

    Nothing happens when its destruction is under way already. Raises ``BuildInProgress`` while Ganeti
    does not know the instance yet.
    """
    seen = server_change.seen_server(credentials, server_id)
    require_allowed(credentials, seen, Task.DESTROY)
    if seen.task == Task.DESTROY:
        return None
    change = JobChange(
        task=Task.DESTROY,
        payload=lambda server: requests.delete_payload(shutdown_timeout, volumes=_reusable_volumes(server)),
        deltas=lambda server: quota.server_deltas(server, Task.DESTROY),
        force_quota=True,
    )
    return server_change.run(credentials, server_id=server_id, change=change)


def _reusable_volumes(server: Server) -> list[Volume]:
    """Return the volumes of *server* that may have come with data of another one."""
    live = server.volumes.filter(deleted=False).select_related("volume_type").order_by("pk")
    return [volume for volume in live if is_detachable(volume.volume_type)]


def resize(credentials: Credentials, *, server_id: int, flavor_id: int) -> JobIntent:
    """Give a stopped server another number of CPUs and amount of memory.

    Raises ``NotFound`` and ``Forbidden`` for the flavor, then what the state forbids, then
    ``BadRequest`` for the same flavor or another disk (compute contract 7.1).
    """
    seen = server_change.seen_server(credentials, server_id)
    flavor = flavors.for_resize(credentials, flavor_id=flavor_id, project=seen.project)
    change = resize_change(flavor, check=lambda server: check_resize(server, flavor))
    return server_change.run(credentials, server_id=server_id, change=change)


def resize_change(flavor: Flavor, check: Callable[[Server], None] | None = None) -> JobChange:
    """Return the change of a stopped server to *flavor*."""
    return JobChange(
        task=Task.RESIZE,
        check=check,
        payload=lambda _: requests.modify_beparams_payload(flavor),
        deltas=lambda server: quota.server_deltas(server, Task.RESIZE, flavor=flavor),
    )


def check_resize(server: Server, flavor: Flavor) -> None:
    """Raise ``BadRequest`` for the flavor that *server* has, or one with another disk."""
    if server.flavor_id == flavor.pk:
        raise BadRequest(f"The flavor of server {server.pk} is already {flavor.name}")
    if server.flavor.disk != flavor.disk:
        raise BadRequest(f"The disk size cannot change: {server.flavor.disk} GiB, {flavor.name} has another")
    if server.flavor.volume_type_id != flavor.volume_type_id:
        raise BadRequest(f"The kind of disk cannot change: {flavor.name} has another")


def _simple(credentials: Credentials, server_id: int, task: Task, payload: dict[str, Any]) -> JobIntent:
    return server_change.run(credentials, server_id=server_id, change=simple_change(task, payload))


def simple_change(task: Task, payload: dict[str, Any]) -> JobChange:
    """Return the change that *task* makes, which costs what the task costs."""
    return JobChange(
        task=task,
        payload=lambda _: payload,
        deltas=lambda server: quota.server_deltas(server, task),
    )
