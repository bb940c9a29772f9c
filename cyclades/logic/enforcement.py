"""Bringing users and projects below their limits (Ganeti contract 11)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from astakos import public as astakos
from cyclades.logic import enforcement_plan, nova_resize, quota
from cyclades.logic.enforcement_plan import (
    ACTIONS,
    AddressFacts,
    Holding,
    Options,
    Plan,
    ServerFacts,
    Stock,
    VolumeFacts,
)
from cyclades.models import IPAddress, Server, ServerState, Volume
from synnefo.db.consistent_reads import consistent_read
from synnefo.errors import BadRequest

#: What is looked at when nobody says, and then only reported.
DEFAULT_RESOURCES = (enforcement_plan.CPU, enforcement_plan.RAM, enforcement_plan.FLOATING_IP)


@dataclass(frozen=True)
class Scope:
    """What to enforce and on whom; ``None`` means everybody or everything."""

    resources: frozenset[str] = frozenset(DEFAULT_RESOURCES)
    soft_resources: frozenset[str] = frozenset()
    users: frozenset[str] | None = None
    projects: frozenset[str] | None = None
    exclude_users: frozenset[str] = frozenset()
    exclude_projects: frozenset[str] = frozenset()
    remove_system_volumes: bool = False
    cascade_remove: bool = False

    @property
    def all_resources(self) -> list[str]:
        """Return the resources that are looked at, sorted."""
        return sorted(self.resources | self.soft_resources)

    @property
    def is_destructive(self) -> bool:
        """Tell whether data or addresses may be lost."""
        return bool(self.resources & enforcement_plan.DESTRUCTIVE)

    def includes(self, holding: Holding) -> bool:
        """Tell whether the options leave *holding* in."""
        if self.projects is not None and holding.project not in self.projects:
            return False
        if holding.project in self.exclude_projects:
            return False
        if holding.user is None:
            return self.users is None
        return holding.user not in self.exclude_users and (self.users is None or holding.user in self.users)


@dataclass(frozen=True)
class Findings:
    """The plan, and the holdings that were left out because a commission waits."""

    plan: Plan
    pending: list[Holding] = field(default_factory=list)


def check_scope(scope: Scope) -> None:
    """Raise ``BadRequest`` for resources that are unknown, in both lists or can't be enforced softly."""
    unknown = (scope.resources | scope.soft_resources) - ACTIONS.keys()
    if unknown:
        raise BadRequest(f"No such resource: {', '.join(sorted(unknown))}. See --list-resources.")
    both = scope.resources & scope.soft_resources
    if both:
        raise BadRequest(f"Enforced and softly enforced at once: {', '.join(sorted(both))}.")
    only_hard = sorted(name for name in scope.soft_resources if not ACTIONS[name][1])
    if only_hard:
        raise BadRequest(f"Can't be enforced softly: {', '.join(only_hard)}.")


def find(scope: Scope) -> Findings:
    """Find who is above the limit and plan what has to go; nothing is changed. Five queries.

    Raises like ``check_scope``.
    """
    check_scope(scope)
    with consistent_read():
        holdings, pending = _holdings(scope)
        over = [holding for holding in holdings if holding.usage > holding.limit]
        stock = _stock({holding.project for holding in over}) if over else Stock()
    options = Options(
        soft=scope.soft_resources,
        remove_system_volumes=scope.remove_system_volumes,
        cascade_remove=scope.cascade_remove,
    )
    return Findings(enforcement_plan.plan(over, stock, options), pending)


def _holdings(scope: Scope) -> tuple[list[Holding], list[Holding]]:
    """Return the holdings that count and those that are about to change."""
    settled: list[Holding] = []
    pending: list[Holding] = []
    for holding, waits in _all_holdings(scope):
        if scope.includes(holding):
            (pending if waits else settled).append(holding)
    return settled, pending


def _all_holdings(scope: Scope) -> Iterable[tuple[Holding, bool]]:
    resources, projects = scope.all_resources, scope.projects
    if scope.users is None:
        for own in astakos.project_quotas(resources=resources, projects=projects):
            yield Holding(None, own.project, own.resource, own.limit, own.usage), bool(own.pending)
    for row in astakos.service_quotas(resources=resources, users=scope.users, projects=projects):
        yield Holding(row.user, row.project, row.resource, row.limit, row.usage), bool(row.pending)


def _state(server: Server) -> str:
    """Return the state that *server* is charged for: one that its resize has stopped starts again."""
    return ServerState.STARTED if nova_resize.is_between(server) else server.operstate


def _stock(projects: Collection[str]) -> Stock:
    """Return everything of *projects*, and the further volumes of their servers, without the helpers."""
    servers = (
        Server.objects.filter(project__in=projects, deleted=False, helper=False)
        .select_related("flavor", "resize__old_flavor", "resize__flavor")
        .order_by("pk")
    )
    volumes = Volume.objects.filter(deleted=False).order_by("pk")
    volumes = volumes.filter(project__in=projects) | volumes.filter(machine__in=servers.values("pk"))
    addresses = IPAddress.objects.filter(project__in=projects, floating_ip=True, deleted=False)
    facts = [
        ServerFacts(s.pk, s.userid, s.project, _state(s), s.backend_id, size.cpu, size.ram >> 20)
        for s, size in ((server, quota.size_of(server)) for server in servers)
    ]
    return Stock(
        servers=facts,
        volumes=[
            VolumeFacts(v.pk, v.userid, v.project, v.status, v.size, v.machine_id, v.index) for v in volumes
        ],
        addresses=[
            AddressFacts(
                ip.pk,
                ip.userid or "",
                ip.project or "",
                ip.nic.machine_id if ip.nic else None,
                ip.nic_id is None,
            )
            for ip in addresses.select_related("nic").order_by("pk")
        ],
    )
