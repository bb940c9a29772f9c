"""Comparing what exists with what the quota holder believes (Ganeti contract 10.4 and 10.5)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, Model, Q, QuerySet, Sum, When

from astakos import public as astakos
from cyclades.logic import quota
from cyclades.models import IPAddress, Network, Server, Volume
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.consistent_reads import consistent_read
from synnefo.db.locks import atomic

NETWORKS, FLOATING_IPS = "cyclades.network.private", "cyclades.floating_ip"
RESOURCES = (
    quota.VM,
    quota.TOTAL_CPU,
    quota.CPU,
    quota.DISK,
    quota.TOTAL_RAM,
    quota.RAM,
    NETWORKS,
    FLOATING_IPS,
)
#: Rows that may keep the serial of a commission.
_HOLDERS: tuple[type[Model], ...] = (Server, Network, IPAddress, Volume)

_FLAVORS = ("flavor", "resize__old_flavor", "resize__flavor")
_OWNER = ("userid", "project")
_CPU, _RAM = (tuple(f"{flavor}__{size}" for flavor in _FLAVORS) for size in ("cpu", "ram"))
#: The same as ``quota.is_online``.
_ONLINE = Q(operstate__in=sorted(quota.ONLINE)) | Q(resize__restart=True, resize__settled=False)

_Counted = dict[tuple[str, str, str], int]


def compare(*, user: str | None = None, project: str | None = None) -> astakos.Recount:
    """Compare what one user (or all) has in one project (or all) with the holdings. Six queries."""
    chosen = {"userid": user, "project": project}
    filters = {name: value for name, value in chosen.items() if value is not None}
    with consistent_read():
        counted = _counted(filters)
        return astakos.compare_holdings(counted, resources=RESOURCES, user=user, project=project)


def _counted(filters: dict[str, str]) -> _Counted:
    counted: _Counted = defaultdict(int)
    servers = Server.objects.filter(deleted=False, **filters).order_by()
    rows = servers.values_list(*_OWNER, *_CPU, *_RAM).annotate(
        online=Case(When(_ONLINE, then=True), default=False), count=Count("pk")
    )
    for owner, project, *sizes, online, count in rows:
        # Of a resize to be confirmed the larger of each counts (see ``quota.size_of``).
        cpu, ram = (max(size or 0 for size in some) for some in (sizes[: len(_CPU)], sizes[len(_CPU) :]))
        counted[owner, project, quota.VM] += count
        counted[owner, project, quota.TOTAL_CPU] += count * cpu
        counted[owner, project, quota.TOTAL_RAM] += count * ram << 20
        if online:
            counted[owner, project, quota.CPU] += count * cpu
            counted[owner, project, quota.RAM] += count * ram << 20
    volumes = Volume.objects.filter(deleted=False, **filters).order_by()
    for owner, project, size in volumes.values_list("userid", "project").annotate(total=Sum("size")):
        counted[owner, project, quota.DISK] += size << 30
    networks = Network.objects.filter(deleted=False, public=False, **filters)
    ips = IPAddress.objects.filter(deleted=False, floating_ip=True, **filters)
    _count_rows(counted, networks, NETWORKS)
    _count_rows(counted, ips, FLOATING_IPS)
    return counted


def _count_rows(counted: _Counted, rows: QuerySet[Any], resource: str) -> None:
    # What has no owner or no project is an administrator's and charged to nobody.
    owned = rows.exclude(userid=None).exclude(project=None).order_by()
    for owner, project, count in owned.values_list("userid", "project").annotate(count=Count("pk")):
        counted[owner, project, resource] += count


def correct(credentials: Credentials, *, found: astakos.Recount, force: bool = False) -> None:
    """Bring the holdings to what exists, all or nothing; raises ``OverLimit`` unless *force*."""
    astakos.correct_holdings(
        credentials,
        clientkey=quota.CLIENT_KEY,
        name="reconcile-resources-cyclades",
        unsynced=found.unsynced,
        force=force,
    )


@dataclass(frozen=True)
class PendingCommissions:
    """Pending serials by what is to become of them; ``waiting`` belong to something that still goes on."""

    waiting: list[int]
    reject: list[int]


def pending_commissions(*, older_than: int = 0) -> PendingCommissions:
    """Sort the service's commissions that have been pending for *older_than* seconds.

    A commission is written, and resolved, in the transaction of the row that keeps its serial. One that no
    row in the middle of something keeps belongs to nothing and never will.
    """
    pending = astakos.pending_commissions(clientkey=quota.CLIENT_KEY, older_than=older_than)
    # Read after the list: what ends in between is not pending any more and can't be harmed.
    waiting = _kept_serials(pending)
    return PendingCommissions(
        waiting=[serial for serial in pending if serial in waiting],
        reject=[serial for serial in pending if serial not in waiting],
    )


def _kept_serials(serials: list[int]) -> set[int]:
    kept: set[int] = set()
    for model in _HOLDERS:
        rows = model._default_manager.filter(serial__in=serials, deleted=False)
        if model is Server:
            # Without a task nothing is on its way that could resolve it.
            rows = rows.exclude(task="")
        kept.update(rows.values_list("serial", flat=True))
    return kept


def reject_commissions(credentials: Credentials, *, serials: list[int]) -> astakos.Resolution:
    """Reject *serials* and forget them where they are kept; return what became of them."""
    with atomic():
        resolution = astakos.resolve_commissions(clientkey=quota.CLIENT_KEY, reject=serials)
        for model in _HOLDERS:
            model._default_manager.filter(serial__in=serials).update(serial=None)
        audit.record(credentials, "quota.reject", "service:cyclades", serials=list(resolution.rejected))
    return resolution
