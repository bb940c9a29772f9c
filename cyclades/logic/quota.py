"""What each change of a server costs, and the commissions that charge it (compute contract 15).

Quantities: servers and CPUs are counts, memory and disk are bytes. A server is *online* while its cpu and
ram are charged: started, building or failed, or stopped in the middle of a resize that starts it again. A
resize to be confirmed (contract 22.1) is charged with the larger of each resource from its beginning to its
end, so that neither going on nor going back asks for more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from astakos import public as astakos
from cyclades.models import Flavor, Server, ServerState, Task, Volume, VolumeStatus
from synnefo.errors import BadRequest, NotFound, OverLimit, SynnefoError

CLIENT_KEY = "cyclades"
ONLINE = frozenset({ServerState.STARTED, ServerState.BUILD, ServerState.ERROR})

#: What a server uses as long as it exists, and what it uses while online.
VM, TOTAL_CPU, TOTAL_RAM = "cyclades.vm", "cyclades.total_cpu", "cyclades.total_ram"
CPU, RAM, DISK = "cyclades.cpu", "cyclades.ram", "cyclades.disk"

Deltas = dict[str, dict[str, int]]


@dataclass(frozen=True)
class Effect:
    """A row of compute contract 15.1, as multiples of what the server's flavor uses.

    ``existence`` counts vm, total_cpu and total_ram; ``activity`` cpu and ram, by whether the server is
    online; ``disk`` is the sign of the volumes' sizes.
    """

    existence: int = 0
    activity_online: int = 0
    activity_offline: int = 0
    disk: int = 0


#: Tasks that are not here cost nothing; resize and reassign are differences and have their own functions.
EFFECTS: dict[str, Effect] = {
    Task.BUILD: Effect(existence=1, activity_online=1, activity_offline=1, disk=1),
    Task.START: Effect(activity_offline=1),
    Task.STOP: Effect(activity_online=-1),
    Task.REBOOT: Effect(activity_offline=1),
    Task.DESTROY: Effect(existence=-1, activity_online=-1, disk=-1),
    Task.ATTACH_VOLUME: Effect(disk=1),
    Task.DELETE_VOLUME: Effect(disk=-1),
}


def server_deltas(
    server: Server,
    action: str,
    *,
    flavor: Flavor | None = None,
    project: str | None = None,
    volumes: Iterable[Volume] | None = None,
) -> Deltas:
    """Return what *action* on *server* changes: project to resource to quantity, without zeros.

    *flavor* is the new one of a resize, *project* the target of a reassignment, *volumes* the affected
    ones where the action has any; by default those that the contract names.
    """
    if action == Task.RESIZE:
        if flavor is None:
            raise ValueError("a resize needs the new flavor")
        return _resize_deltas(server, flavor)
    if action == Task.REASSIGN:
        if project is None:
            raise ValueError("a reassignment needs the new project")
        return _reassign_deltas(server, project, volumes)
    effect = EFFECTS.get(action)
    return {} if effect is None else _effect_deltas(server, action, effect, volumes)


def _effect_deltas(server: Server, action: str, effect: Effect, volumes: Iterable[Volume] | None) -> Deltas:
    activity = effect.activity_online if is_online(server) else effect.activity_offline
    if action == Task.STOP and _is_to_restart(server):
        activity = 0
    size = size_of(server)
    deltas: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    own = deltas[server.project]
    own[VM] += effect.existence
    own[TOTAL_CPU] += effect.existence * size.cpu
    own[TOTAL_RAM] += effect.existence * size.ram
    own[CPU] += activity * size.cpu
    own[RAM] += activity * size.ram
    if effect.disk:
        for volume in affected_volumes(server, action) if volumes is None else volumes:
            deltas[volume.project][DISK] += effect.disk * disk_bytes(volume)
    return _without_zeros(deltas)


def _resize_deltas(server: Server, flavor: Flavor) -> Deltas:
    return difference(server, usage(server), usage(server, flavor))


def _reassign_deltas(server: Server, project: str, volumes: Iterable[Volume] | None) -> Deltas:
    if project == server.project:
        return {}
    deltas: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for resource, quantity in usage(server).items():
        deltas[server.project][resource] -= quantity
        deltas[project][resource] += quantity
    for volume in affected_volumes(server, Task.REASSIGN) if volumes is None else volumes:
        deltas[volume.project][DISK] -= disk_bytes(volume)
        deltas[project][DISK] += disk_bytes(volume)
    return _without_zeros(deltas)


def affected_volumes(server: Server, action: str) -> list[Volume]:
    """Return the volumes of *server* whose size *action* charges or releases (compute contract 15.1)."""
    volumes = server.volumes.filter(deleted=False)
    if action in (Task.BUILD, Task.ATTACH_VOLUME):
        return list(volumes.filter(status=VolumeStatus.CREATING))
    if action == Task.REASSIGN:
        return list(volumes.filter(index=0))
    if action == Task.DESTROY:
        # Volumes of others are given back to their owners when the server is gone.
        own = volumes.filter(userid=server.userid)
        # What is still being made on a finished server waits with a commission of its own.
        all_charged = server.operstate in (ServerState.BUILD, ServerState.ERROR)
        return list(own if all_charged else own.exclude(status=VolumeStatus.CREATING))
    return []


def is_online(server: Server) -> bool:
    """Tell whether the server's cpu and ram are charged."""
    return server.operstate in ONLINE or _is_to_restart(server)


def _is_to_restart(server: Server) -> bool:
    """Tell whether a resize stops *server* only for a while; see ``ServerResize``."""
    plan = server.resize
    return plan is not None and plan.restart and not plan.settled


@dataclass(frozen=True)
class Size:
    """What a server is charged for: CPUs, and memory in bytes."""

    cpu: int
    ram: int


def size_of(server: Server, flavor: Flavor | None = None) -> Size:
    """Return the largest of *server*'s flavor, or another, and those that its resize may give it."""
    plan = server.resize
    flavors = [flavor or server.flavor, *((plan.old_flavor, plan.flavor) if plan is not None else ())]
    return Size(cpu=max(one.cpu for one in flavors), ram=max(ram_bytes(one) for one in flavors))


def usage(server: Server, flavor: Flavor | None = None) -> dict[str, int]:
    """Return what *server* is charged for but its volumes, as it is or with another flavor."""
    size = size_of(server, flavor)
    online = is_online(server)
    used = {VM: 1, TOTAL_CPU: size.cpu, TOTAL_RAM: size.ram}
    return used | {CPU: size.cpu * online, RAM: size.ram * online}


def difference(server: Server, before: Mapping[str, int], after: Mapping[str, int]) -> Deltas:
    """Return what has to be charged to the project of *server* when its usage changes."""
    return _without_zeros({server.project: {name: after[name] - before[name] for name in after}})


def ram_bytes(flavor: Flavor) -> int:
    """Return the flavor's memory in bytes."""
    return flavor.ram << 20


def disk_bytes(volume: Volume) -> int:
    """Return the volume's size in bytes."""
    return volume.size << 30


def _without_zeros(deltas: Mapping[str, Mapping[str, int]]) -> Deltas:
    kept = {
        project: {resource: quantity for resource, quantity in resources.items() if quantity}
        for project, resources in deltas.items()
    }
    return {project: resources for project, resources in kept.items() if resources}


def issue(server: Server, deltas: Deltas, *, name: str, force: bool = False) -> int | None:
    """Issue a commission that waits for the outcome of a job; the caller stores the serial on the row.

    A commission that still waits is rejected first: with the server idle its job can't report any more,
    and a destruction overrides it. Joins the caller's transaction. Raises ``OverLimit`` or, for a
    project the owner does not belong to, ``BadRequest``.
    """
    reject(server)
    return issue_for(server.userid, deltas, name=name, force=force)


def issue_for(
    user_id: str, deltas: Deltas, *, name: str, force: bool = False, accept_now: bool = False
) -> int | None:
    """Issue a commission for *deltas* of *user_id*; empty deltas need none. Raises like ``issue``."""
    if not deltas:
        return None
    provisions = [
        provision
        for project, resources in sorted(deltas.items())
        for provision in astakos.charge(user_id, project, dict(sorted(resources.items())))
    ]
    try:
        return astakos.issue_commission(
            clientkey=CLIENT_KEY, name=name, provisions=provisions, force=force, auto_accept=accept_now
        )
    except OverLimit as error:
        raise OverLimit("Quota limit reached", details=error.message) from error
    except NotFound as error:
        for project in deltas:
            if not astakos.is_project_member(user_id, project):
                raise BadRequest(f"User {user_id} not in project {project}") from error
        raise SynnefoError("The quota of this user is not set up") from error


def charge_now(user_id: str, deltas: Deltas, *, name: str, force: bool = False) -> int | None:
    """Charge *deltas* at once, in the caller's transaction; returns the accepted serial."""
    return issue_for(user_id, deltas, name=name, force=force, accept_now=True)


def accept(server: Server) -> None:
    """Accept the commission that waits for *server*'s job, in the caller's transaction."""
    _resolve(server, accepted=True)


def reject(server: Server) -> None:
    """Reject the commission that waits for *server*'s job, in the caller's transaction."""
    _resolve(server, accepted=False)


def _resolve(server: Server, *, accepted: bool) -> None:
    serial = server.serial
    if serial is None:
        return
    if accepted:
        astakos.resolve_commissions(clientkey=CLIENT_KEY, accept=[serial])
    else:
        astakos.resolve_commissions(clientkey=CLIENT_KEY, reject=[serial])
    server.serial = None
    Server.objects.filter(pk=server.pk, serial=serial).update(serial=None)
