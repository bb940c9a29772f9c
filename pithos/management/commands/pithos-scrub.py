"""Find damaged and missing blocks and maps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from pithos.blocks import BlockStoreError
from pithos.blocks.opened import block_store
from pithos.logic.references import Finding, hits_of
from pithos.logic.scrubbing import Scrub, scrub
from synnefo.management.base import EXIT_PARTIAL, EXIT_UNAVAILABLE, SynnefoCommand
from synnefo.management.progress import ProgressBar
from synnefo.units import parse_size

HEADERS = ("kind", "name", "problem", "account", "container", "object", "version", "current")


class Command(SynnefoCommand):
    help = "Check that all blocks and maps of objects are there and are what their names say."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--presence-only", action="store_true", help="Do not read blocks, only see that they are there."
        )
        parser.add_argument(
            "--quarantine",
            action="store_true",
            help="Move damaged blocks and maps aside: they count as missing, and clients send them again.",
        )
        parser.add_argument("--rate", metavar="SIZE", help="Read at most so much a second, such as 50MiB.")
        parser.add_argument(
            "--state", metavar="FILE", help="Note the progress here; a run with the same file goes on there."
        )
        parser.add_argument("--quiet", action="store_true", help="Show no progress.")

    def handle(self, *args: Any, **options: Any) -> None:
        state = Path(options["state"]) if options["state"] else None
        bar = ProgressBar(self.stderr, quiet=options["quiet"])
        store = block_store()
        try:
            result = scrub(
                store,
                contents=not options["presence_only"],
                quarantine=options["quarantine"],
                rate=_rate(options["rate"]),
                progress=bar,
                start=_load(state),
                checkpoint=lambda progress: _save(state, progress),
            )
            rows = self._rows(sorted(result.findings), bar)
        except BlockStoreError as error:
            raise CommandError(f"the block store: {error}", returncode=EXIT_UNAVAILABLE) from error
        finally:
            bar.finish()
        if state is not None:
            state.unlink(missing_ok=True)
        self.print_table(HEADERS, rows)
        self.say(f"{result.maps} maps and {result.blocks} blocks, {result.bytes} bytes read")
        if result.findings:
            raise CommandError(
                f"{len(result.findings)} blocks or maps are missing or damaged.", returncode=EXIT_PARTIAL
            )

    def _rows(self, findings: list[Finding], bar: ProgressBar) -> list[tuple[Any, ...]]:
        """Return a row for each version that is concerned, and one for what concerns none."""
        rows: list[tuple[Any, ...]] = []
        concerned: set[Finding] = set()
        for hit in hits_of(block_store(), findings, bar):
            finding = hit.finding
            concerned.add(finding)
            place = (hit.account, hit.container, hit.object, hit.version, hit.is_current)
            rows.append((finding.kind, finding.name, finding.problem, *place))
        for finding in findings:
            if finding not in concerned:
                rows.append((finding.kind, finding.name, finding.problem, "", "", "", "", ""))
        return rows


def _rate(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        rate = float(parse_size(text))
    except ValueError as error:
        raise CommandError(f"--rate: {error}") from error
    if rate <= 0:
        raise CommandError("--rate must be positive")
    return rate


def _load(state: Path | None) -> Scrub | None:
    if state is None or not state.exists():
        return None
    try:
        saved = json.loads(state.read_text())
        findings = {Finding(*item) for item in saved["findings"]}
        return Scrub(position=str(saved["position"]), bytes=int(saved["bytes"]), findings=findings)
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(f"{state} is not a state of pithos-scrub") from error


def _save(state: Path | None, progress: Scrub) -> None:
    if state is None:
        return
    findings = [[finding.kind, finding.name, finding.problem] for finding in sorted(progress.findings)]
    temporary = state.with_name(state.name + ".new")
    temporary.write_text(
        json.dumps({"position": progress.position, "bytes": progress.bytes, "findings": findings})
    )
    temporary.rename(state)
