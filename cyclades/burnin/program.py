"""From the command line to the exit status."""

from __future__ import annotations

import datetime
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

from cyclades.burnin.client import Client
from cyclades.burnin.failures import CheckFailed
from cyclades.burnin.ledger import Ledger
from cyclades.burnin.options import Options, parse_options
from cyclades.burnin.report import Report, open_log
from cyclades.burnin.suite import Outcome, Result, Run, Suite
from cyclades.burnin.suites import STALE, SUITES, describe
from cyclades.burnin.suites.servers import server_suites


class Runner:
    """Runs the chosen suites over one connection."""

    def __init__(self, options: Options, report: Report, client: Client, prefix: str) -> None:
        access = client.connect()
        self.options = options
        self.report = report
        self.ledger = Ledger(client, access.user_id)
        self.run = Run(
            options=options,
            client=client,
            access=access,
            ledger=self.ledger,
            prefix=prefix,
            say=report.say,
        )
        self._lock = threading.Lock()
        self._running = 0

    def execute(self) -> None:
        """Leftovers first, then what can run side by side, then what wants to be alone."""
        stale = [suite(self.run) for suite in STALE] if self.options.show_stale else []
        suites = self._chosen()
        together = [suite for suite in suites if not suite.alone]
        alone = [suite for suite in suites if suite.alone]
        self.report.total = sum(len(suite.steps()) for suite in [*stale, *suites])
        for suite in stale:
            self._one(suite)
        # The steps of parallel suites come in any order; those of one suite stay in theirs.
        with ThreadPoolExecutor(self.options.parallel, thread_name_prefix="suite") as pool:
            for future in [pool.submit(self._one, suite) for suite in together]:
                future.result()
        for suite in alone:
            self._one(suite)

    def _chosen(self) -> list[Suite]:
        wanted = [
            kind
            for kind in SUITES
            if {"all", kind.name, kind.group} & set(self.options.suites)
            and not {kind.name, kind.group} & set(self.options.excluded)
        ]
        suites: list[Suite] = []
        for kind in wanted:
            suites += server_suites(self.run) if kind.name == "ServerTestSuite" else [kind(self.run)]
        return suites

    def _one(self, suite: Suite) -> None:
        with self._lock:
            if not self.options.quota:
                self.ledger.forgive()
            elif self._running == 0:
                self.ledger.open_books()
            self._running += 1
        try:
            for result in suite.execute():
                self._note(result)
        finally:
            with self._lock:
                self._running -= 1

    def _note(self, result: Result) -> None:
        self.report.add(result)
        if self.options.failfast and result.outcome is Outcome.FAILED:
            self.run.stopped.set()


def _unknown(options: Options) -> list[str]:
    known = {name for suite in SUITES for name in (suite.name, suite.group)} | {"all", "none"}
    return sorted({*options.suites, *options.excluded} - known)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``snf-burnin``; returns its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "--list-tests" in words:
        print(describe())
        return 0
    options = parse_options(words)
    unknown = _unknown(options)
    if unknown:
        print(f"error: no such suite: {', '.join(unknown)} (see --list-tests)", file=sys.stderr)
        return 2
    report = Report(options)
    moment = datetime.datetime.now(datetime.UTC)
    log = open_log(options.log_folder, f"{moment:%Y%m%d%H%M%S}", options.verbosity)
    client = Client(options.auth_url, options.token, verify=not options.ignore_ssl)
    try:
        runner = Runner(options, report, client, f"snf-test-{moment:%Y%m%d%H%M%S}")
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: _stop(runner))
        report.say(f"{runner.run.prefix}: user {runner.run.access.user_name}, log {log}")
        runner.execute()
    except CheckFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        client.close()
    return 0 if report.finish() or _only_stale(options, report) else 1


def _only_stale(options: Options, report: Report) -> bool:
    return options.suites == ("none",) and not report.results


def _stop(runner: Runner, _frame: FrameType | None = None) -> None:
    """End the running steps; what they made is removed before the program ends."""
    runner.report.say("stopping: what was made is being removed", 0)
    runner.run.stopped.set()
