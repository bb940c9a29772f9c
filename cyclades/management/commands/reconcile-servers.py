"""Compare servers with Ganeti's instances."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.ganeti import side_by_side
from cyclades.logic import backends, reconcile_servers
from cyclades.logic.reconcile_differences import Kind
from cyclades.logic.reconcile_servers import Finding
from cyclades.models import Backend
from synnefo.credentials import Credentials
from synnefo.errors import ServiceUnavailable, SynnefoError
from synnefo.management.base import EXIT_PARTIAL, SynnefoCommand, strict_bool

#: Option to the kinds of differences that it mends.
_FLAGS: dict[str, tuple[Kind, ...]] = {
    "fix_stale": (Kind.STALE,),
    "fix_orphans": (Kind.ORPHAN,),
    "fix_unsynced": (Kind.OPERSTATE, Kind.BUILD_ERROR),
    "fix_unsynced_nics": (Kind.NICS,),
    "fix_unsynced_disks": (Kind.DISKS,),
    "fix_unsynced_flavors": (Kind.FLAVOR,),
    "fix_unsynced_tags": (Kind.TAGS,),
    "fix_unsynced_rescue": (Kind.RESCUE,),
    "fix_pending_tasks": (Kind.PENDING_TASK,),
    "fix_unsynced_snapshots": (Kind.SNAPSHOT,),
}
_HEADERS = ("backend", "instance", "difference", "what", "result")


class Command(SynnefoCommand):
    help = "Report differences between the database and Ganeti, and mend those asked for."
    umask = 0o007

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--backend-id", help="Only this backend (id or cluster name).")
        parser.add_argument(
            "--parallel",
            type=strict_bool,
            default=True,
            metavar="True|False",
            help="Look at several backends at a time (default True).",
        )
        for flag in _FLAGS:
            parser.add_argument(f"--{flag.replace('_', '-')}", action="store_true")
        parser.add_argument("--fix-all", action="store_true", help="All of the above.")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = self._backends(options["backend_id"])
        wanted = {
            kind for flag, kinds in _FLAGS.items() if options["fix_all"] or options[flag] for kind in kinds
        }
        if options["parallel"]:
            looked = list(zip(chosen, side_by_side.on_each(chosen, _look), strict=True))
        else:
            looked = [(backend, _look(backend)) for backend in chosen]
        failed = [f"{backend}: {result}" for backend, result in looked if isinstance(result, Exception)]
        findings = [finding for _, result in looked if isinstance(result, list) for finding in result]
        rows = [self._row(finding, wanted) for finding in findings]
        self.print_table(_HEADERS, [row for row, _ in rows])
        failed += [f"{row[1]}: {row[-1]}" for row, is_error in rows if is_error]
        if failed:
            raise CommandError("; ".join(failed), returncode=EXIT_PARTIAL)

    @staticmethod
    def _backends(backend_id: str | None) -> list[Backend]:
        if backend_id is None:
            return list(Backend.objects.filter(offline=False).order_by("pk"))
        backend = backends.get_backend(backend_id=backend_id)
        if backend.offline:
            raise CommandError(f"Backend {backend} is offline.")
        return [backend]

    @staticmethod
    def _row(finding: Finding, wanted: Iterable[Kind]) -> tuple[list[str], bool]:
        """Return the table's row, after mending what is wanted, and whether that failed."""
        result, is_error = "", False
        if finding.kind in wanted and finding.mendable:
            try:
                result = reconcile_servers.fix(Credentials.administrator(), finding)
            except SynnefoError as error:
                result, is_error = str(error), True
        kind = str(finding.kind)
        return [finding.backend.clustername, finding.name, kind, finding.text, result], is_error


def _look(backend: Backend) -> list[Finding] | Exception:
    try:
        return reconcile_servers.plan(reconcile_servers.look(backend))
    except ServiceUnavailable as error:
        return error
