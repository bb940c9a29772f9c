"""Mending by itself what reconciliation finds, where that is safe (Ganeti contract 10, decision 2).

The reconcile commands mend what an administrator asks for. This mends, at intervals, what can't be a mistake:
what Ganeti shows of servers that were quiet for a while. Removals have guards of their own, because a cluster
or a database that was restored from a backup looks like a mass of them.
"""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef

from cyclades.ganeti import clients, side_by_side
from cyclades.logic import quota_reconciliation, reconcile_networks, reconcile_pools, reconcile_servers
from cyclades.logic.reconcile_differences import Kind
from cyclades.logic.reconcile_networks import Difference
from cyclades.logic.reconcile_servers import Finding, View
from cyclades.models import Backend, IntentState, JobIntent, Server
from synnefo import clock, metrics
from synnefo.credentials import Credentials
from synnefo.db.single_run import single_run
from synnefo.errors import Conflict, SynnefoError

log = logging.getLogger(__name__)

#: Commissions are resolved with what they pay for; an older one that nothing keeps was left behind.
COMMISSION_AGE = timedelta(minutes=10)
#: More missing instances than this, and more than a tenth of a cluster, are a disaster for a person to judge.
FEW = 10
_ALWAYS = frozenset(
    {
        Kind.OPERSTATE,
        Kind.BUILD_ERROR,
        Kind.TAGS,
        Kind.FLAVOR,
        Kind.NICS,
        Kind.DISKS,
        Kind.RESCUE,
        Kind.PENDING_TASK,
    }
)
_REMOVALS = frozenset({Kind.STALE, Kind.ORPHAN})


@dataclass
class Report:
    """What one round found, by kind and by what became of it."""

    mended: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    unreachable: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Tell whether anything is worth a line in the log."""
        return bool(self.mended or self.failed or self.unreachable)

    def add(self, other: Report) -> None:
        """Add what was found on another cluster."""
        self.mended += other.mended
        self.left += other.left
        self.failed += other.failed
        self.unreachable += other.unreachable

    def note(self, kind: str, result: str) -> None:
        """Count one finding; *result* is mended, left or failed."""
        counter: Counter[str] = getattr(self, result)
        counter[kind] += 1
        metrics.repair_findings.labels(kind, result).inc()


def run_once() -> Report | None:
    """Do one round over all clusters; ``None`` when another process is at it.

    One cluster that does not answer is left out, and nothing that fails stops the rest.
    """
    try:
        with single_run("cyclades-upkeep"):
            return _round()
    except Conflict:
        return None


def _round() -> Report:
    report = Report()
    backends = list(Backend.objects.filter(offline=False).order_by("pk"))
    for part in side_by_side.on_each(backends, _look_after_backend):
        report.add(part)
    _step("networks", _look_after_network_states, report)
    _step("pools", _look_after_pools, report)
    _step("commission", _look_after_commissions, report)
    metrics.repair_last_run.set(clock.now().timestamp())
    return report


def _step(what: str, look_after_it: Callable[[Report], None], report: Report) -> None:
    try:
        look_after_it(report)
    except SynnefoError as error:
        log.warning("%s: left for the next round: %s", what, error)
        report.note(what, "failed")
    except Exception:
        # One part that breaks must not keep the others from their turn.
        log.exception("%s: left for the next round", what)
        report.note(what, "failed")


def _look_after_backend(backend: Backend) -> Report:
    report = Report()
    try:
        look_after(Credentials.administrator(), backend=backend, report=report)
    except (SynnefoError, clients.GanetiApiError) as error:
        log.warning("backend %s is left out: %s", backend, error)
        report.unreachable.append(backend.clustername)
    except Exception:
        # Nor one cluster, whatever it answers, the other clusters.
        log.exception("backend %s is left out", backend)
        report.unreachable.append(backend.clustername)
    return report


def look_after(credentials: Credentials, *, backend: Backend, report: Report) -> None:
    """Mend servers and networks of one cluster; raises ``ServiceUnavailable`` and ``GanetiApiError``."""
    view = reconcile_servers.look(backend)
    found = reconcile_servers.plan(view)
    chosen = choose(view, found)
    for finding in found:
        if finding.kind != Kind.BUILDING and finding not in chosen:
            report.note(str(finding.kind), "left")
    for finding in chosen:
        try:
            result = reconcile_servers.fix(credentials, finding)
        except (SynnefoError, clients.GanetiApiError) as error:
            log.error("%s %s, which can't be mended: %s", finding.name, finding.text, error)
            report.note(str(finding.kind), "failed")
        except Exception:
            # Found again in every round, it must not keep all others from being mended.
            log.exception("%s %s, which can't be mended", finding.name, finding.text)
            report.note(str(finding.kind), "failed")
        else:
            log.warning("%s %s: %s", finding.name, finding.text, result)
            is_mended = result not in reconcile_servers.SETTLED_OTHERWISE
            report.note(str(finding.kind), "mended" if is_mended else "left")
    # What can't be mended now is found in every round: networks don't wait for it.
    mended = report.mended.total()
    _look_after_networks(backend, report, settings.DISPATCHER_RECONCILE_MAX_FIXES - mended)


def choose(view: View, found: Sequence[Finding]) -> list[Finding]:
    """Return those of *found* that may be mended without a person's judgement, at most so many as allowed.

    Of too many some at random: those that can't be mended must not be the first in every round.
    """
    quiet = _quiet_servers(view)
    chosen = [
        finding
        for finding in found
        if finding.mendable
        and (finding.kind == Kind.SNAPSHOT or (finding.kind in _ALWAYS and finding.server_id in quiet))
    ]
    if settings.DISPATCHER_RECONCILE_REMOVALS:
        chosen += _safe_removals(view, found, quiet)
    limit = min(len(chosen), max(0, settings.DISPATCHER_RECONCILE_MAX_FIXES))
    places = secrets.SystemRandom().sample(range(len(chosen)), limit)
    return [chosen[place] for place in sorted(places)]


def _quiet_servers(view: View) -> set[int]:
    newest = _newest(view)
    return {server.pk for server in view.servers if server.updated < newest}


def _newest(view: View) -> datetime:
    """Return since when a server must not have changed: younger ones may have events on their way."""
    return view.moment - timedelta(seconds=settings.DISPATCHER_RECONCILE_QUIET_SECONDS)


def _safe_removals(view: View, found: Sequence[Finding], quiet: set[int]) -> list[Finding]:
    stale = [finding for finding in found if finding.kind == Kind.STALE]
    if len(stale) > max(FEW, len(view.servers) // 10):
        log.error(
            "%d of %d servers have no instance on %s: that needs a person, see reconcile-servers --fix-stale",
            len(stale),
            len(view.servers),
            view.backend.clustername,
        )
        stale = []
    orphans = [finding for finding in found if finding.kind == Kind.ORPHAN]
    ended = _ended_servers(view, orphans)
    return [finding for finding in stale if finding.server_id in quiet] + [
        finding for finding in orphans if finding.server_id in ended
    ]


def _ended_servers(view: View, orphans: Iterable[Finding]) -> set[int]:
    """Return the servers that are known to have been deleted here, and whose removal is not under way.

    An instance without any row may belong to a database that was lost: only a person can tell.
    """
    open_intents = JobIntent.objects.filter(
        server=OuterRef("pk"), state__in=(IntentState.PENDING, IntentState.SUBMITTED)
    )
    ended = Server.objects.filter(
        pk__in=[finding.server_id for finding in orphans],
        backend=view.backend,
        deleted=True,
        updated__lt=_newest(view),
    )
    return set(ended.exclude(Exists(open_intents)).values_list("pk", flat=True))


def _look_after_networks(backend: Backend, report: Report, limit: int) -> None:
    left = max(0, limit)

    def choose_network(finding: reconcile_networks.Finding) -> bool:
        nonlocal left
        if finding.difference == Difference.ORPHAN and not (
            finding.has_row and settings.DISPATCHER_RECONCILE_REMOVALS
        ):
            return False
        left -= 1
        return left >= 0

    _note_networks(reconcile_networks.reconcile_backend(backend, choose=choose_network), report)


def _note_networks(findings: Iterable[reconcile_networks.Finding], report: Report) -> None:
    for finding in findings:
        if not finding.result:
            result = "left"
        else:
            result = "failed" if finding.result.startswith("failed") else "mended"
            where = finding.backend or "all backends"
            log.warning("%s on %s: %s, %s", finding.network, where, finding.difference, finding.result)
        report.note(f"network {finding.difference}", result)


def _look_after_network_states(report: Report) -> None:
    _note_networks(reconcile_networks.reconcile_states(choose=lambda finding: True), report)


def _look_after_pools(report: Report) -> None:
    for finding in reconcile_pools.reconcile(Credentials.administrator(), fix=True):
        log.warning("%s: %s is %s", finding.pool, finding.value, finding.problem)
        report.note(f"pool value {finding.problem}", "mended" if finding.fixed else "left")


def _look_after_commissions(report: Report) -> None:
    found = quota_reconciliation.pending_commissions(older_than=int(COMMISSION_AGE.total_seconds()))
    if found.reject:
        resolution = quota_reconciliation.reject_commissions(
            Credentials.administrator(), serials=found.reject
        )
        log.warning("commissions that nothing waited for were rejected: %s", resolution.rejected)
        for _ in resolution.rejected:
            report.note("commission", "mended")
