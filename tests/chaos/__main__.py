"""``make soak``: chaos for hours, with a report."""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
import time
from pathlib import Path
from typing import Any

from tests.chaos.run import Chaos
from tests.lab.cloud import Cloud, SimulatedCloud


class SoakCloud(Cloud):
    """Real clusters; what differs is looked for more often than every ten minutes."""

    @property
    def further_settings(self) -> dict[str, Any]:
        """Settings of this cloud."""
        return {"DISPATCHER_RECONCILE_SECONDS": 60, "DISPATCHER_RECONCILE_QUIET_SECONDS": 30}


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run until the time is over or something is wrong."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="how long (default 60)")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="repeat a run (default: a new one)")
    parser.add_argument("--users", type=int, default=4, help="users at the same time (default 4)")
    parser.add_argument(
        "--steps", type=int, default=100, help="operations of each user in a round (default 100)"
    )
    parser.add_argument("--every", type=int, default=25, help="operations between two faults (default 25)")
    parser.add_argument("--rest", type=float, default=600, help="most seconds until all agrees (default 600)")
    parser.add_argument("--clusters", type=int, default=2, help="Ganeti clusters (default 2)")
    parser.add_argument("--simulated", action="store_true", help="simulated clusters instead of real ones")
    parser.add_argument("--report", type=Path, default=Path("var/soak/report.txt"), help="the report's file")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _interrupt)
    options.report.parent.mkdir(parents=True, exist_ok=True)
    cloud = (
        SimulatedCloud(clusters=options.clusters)
        if options.simulated
        else SoakCloud(hypervisor="fake", clusters=options.clusters)
    )
    wrong = False
    with cloud, options.report.open("w") as output:
        chaos = Chaos(cloud, users=options.users)
        deadline = time.monotonic() + 60 * options.minutes
        number = 0
        try:
            while time.monotonic() < deadline and not wrong:
                report = chaos.run(
                    f"{options.seed}/{number}",
                    steps=options.steps,
                    every=options.every,
                    rest=options.rest,
                )
                print(report.text(), flush=True)
                output.write(report.text() + "\n")
                output.flush()
                wrong = bool(report.wrong or report.surprises)
                number += 1
        except KeyboardInterrupt:
            print("stopped")
        if wrong:
            output.write(cloud.logs())
            print(f"something is wrong; the report and the logs are in {options.report}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
