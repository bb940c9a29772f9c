"""``make bench``: measure a private site, print a table, write ``var/bench/results.json``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from synnefo import clock
from synnefo.management.tables import render_table
from tests.benchmarks.line import Line
from tests.benchmarks.lines import BENCHES, ON_EMPTY_SITE
from tests.benchmarks.site import PROJECT, Site


def parse() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=sorted(BENCHES), help="Measure only this; may be repeated."
    )
    parser.add_argument(
        "--quick", action="store_true", help="A second for each figure, to see that it works."
    )
    parser.add_argument(
        "--output", default=str(PROJECT / "var/bench/results.json"), help="Where the JSON goes."
    )
    return parser.parse_args()


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def main() -> int:
    """Measure what the command line asks for; nothing is asserted on time."""
    options = parse()
    chosen = options.only or list(BENCHES)
    lines: list[Line] = []
    failed: list[str] = []
    load = os.getloadavg()[0]
    with Site(filled=not set(chosen) <= ON_EMPTY_SITE) as site:
        for name in chosen:
            print(f"measuring {name} …", file=sys.stderr, flush=True)
            try:
                lines += BENCHES[name](site, 1.0 if options.quick else 5.0)
            except Exception as error:  # the other figures are worth having; the status tells
                print(f"{name} FAILED: {error}", file=sys.stderr)
                failed.append(name)
    rows = [
        (line.name, _figure(line.ours), line.unit, line.peer_name, _figure(line.peer) if line.peer else "",
         "" if line.ratio is None else line.ratio, line.note)
        for line in lines
    ]  # fmt: skip
    headers = ("what", "ours", "unit", "beside it", "figure", "ratio", "notes")
    print(render_table(headers, rows, style="pretty"), end="")
    output = Path(options.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "time": clock.isoformat(clock.now()),
        "processors": os.cpu_count(),
        "load_before": load,
        "load_after": os.getloadavg()[0],
        "quick": options.quick,
        "failed": failed,
        "lines": [asdict(line) | {"ratio": line.ratio} for line in lines],
    }
    output.write_text(json.dumps(document, indent=2) + "\n")
    print(f"written to {output}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
