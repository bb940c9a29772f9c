"""What people and machines read of a run."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from cyclades.burnin.options import Options
from cyclades.burnin.suite import TIMED_OUT, Outcome, Result

_COLORS = {Outcome.PASSED: "32", Outcome.FAILED: "31;1", Outcome.SKIPPED: "33", Outcome.NOT_RUN: "33"}


class Report:
    """Prints progress as it comes and the summary at the end; several suites may tell at once."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.results: list[Result] = []
        self.total = 0
        self._lock = threading.Lock()
        self._colors = options.colors and sys.stdout.isatty()

    def say(self, text: str, level: int = 1) -> None:
        """Print a line if the verbosity asks for it."""
        if level <= self.options.verbosity and not self.options.final_report_only:
            with self._lock:
                print(text, flush=True)

    def add(self, result: Result) -> None:
        """Note the end of a step."""
        with self._lock:
            self.results.append(result)
            count = len(self.results)
        level = 0 if result.outcome is Outcome.FAILED else 1
        line = f"[{count}/{self.total}] {self._mark(result.outcome)} {result.suite}: {result.step}"
        if result.outcome is Outcome.PASSED:
            line += f" ({result.seconds:.1f} s)"
        self.say(f"{line}{self._text(result)}", level)

    def finish(self) -> bool:
        """Print the summary and write the files; returns whether everything passed."""
        passed = bool(self.results) and not self._of(Outcome.FAILED, Outcome.NOT_RUN)
        self._summary(passed)
        if self.options.json_file:
            self.options.json_file.write_text(self.as_json())
        if self.options.junit_file:
            self.options.junit_file.write_bytes(self.as_junit())
        return passed

    def _summary(self, passed: bool) -> None:
        print("\nSuite".ljust(45) + "passed  failed  skipped  not run  seconds")
        for suite in dict.fromkeys(result.suite for result in self.results):
            mine = [result for result in self.results if result.suite == suite]
            counts = Counter(result.outcome for result in mine)
            numbers = [counts[outcome] for outcome in Outcome]
            seconds = sum(result.seconds for result in mine)
            print(f"{suite:<44}{numbers[0]:>6}{numbers[1]:>8}{numbers[2]:>9}{numbers[3]:>9}{seconds:>9.1f}")
        for result in self._of(Outcome.FAILED):
            print(f"\n{self._mark(Outcome.FAILED)} {result.suite}: {result.step}\n  {result.text}")
        late = sum(result.text.startswith(TIMED_OUT) for result in self._of(Outcome.FAILED))
        if late:
            print(f"\n{late} of the failures are time-outs: if this is only slow, raise --action-timeout")
        for result in self._of(Outcome.SKIPPED):
            print(f"{self._mark(Outcome.SKIPPED)} {result.suite}: {result.step}: {result.text}")
        print(f"\n{self._mark(Outcome.PASSED if passed else Outcome.FAILED)}", flush=True)

    def _of(self, *outcomes: Outcome) -> Sequence[Result]:
        return [result for result in self.results if result.outcome in outcomes]

    def _mark(self, outcome: Outcome) -> str:
        text = outcome.value.upper()
        return f"\033[{_COLORS[outcome]}m{text}\033[0m" if self._colors else text

    def _text(self, result: Result) -> str:
        return f": {result.text}" if result.text else ""

    def as_json(self) -> str:
        """All results, one object each."""
        rows = [
            {
                "suite": result.suite,
                "step": result.step,
                "outcome": result.outcome.value,
                "seconds": round(result.seconds, 3),
                "text": result.text,
            }
            for result in self.results
        ]
        return json.dumps(
            {"passed": not self._of(Outcome.FAILED, Outcome.NOT_RUN), "results": rows}, indent=1
        )

    def as_junit(self) -> bytes:
        """All results as JUnit XML."""
        root = ElementTree.Element("testsuites", name="snf-burnin")
        for suite in dict.fromkeys(result.suite for result in self.results):
            mine = [result for result in self.results if result.suite == suite]
            group = ElementTree.SubElement(root, "testsuite", name=suite, tests=str(len(mine)))
            group.set("failures", str(sum(result.outcome is Outcome.FAILED for result in mine)))
            group.set("skipped", str(sum(result.outcome in _LEFT_OUT for result in mine)))
            group.set("time", f"{sum(result.seconds for result in mine):.3f}")
            for result in mine:
                _case(group, result)
        return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


_LEFT_OUT = (Outcome.SKIPPED, Outcome.NOT_RUN)
#: XML has no way to write these, not even escaped.
_NO_XML = {code: "�" for code in range(32) if chr(code) not in "\t\n\r"}


def _case(group: ElementTree.Element, result: Result) -> None:
    case = ElementTree.SubElement(
        group, "testcase", classname=result.suite, name=result.step, time=f"{result.seconds:.3f}"
    )
    text = result.text.translate(_NO_XML)
    if result.outcome is Outcome.FAILED:
        ElementTree.SubElement(case, "failure", message=text[:200]).text = text
    elif result.outcome in _LEFT_OUT:
        ElementTree.SubElement(case, "skipped", message=text or result.outcome.value)


def open_log(folder: Path, name: str, verbosity: int) -> Path | None:
    """Send the log of requests to a file (at verbosity 3 to standard error too); None if that fails."""
    log = logging.getLogger("snf-burnin")
    log.setLevel(logging.INFO)
    log.propagate = False
    if verbosity >= 3:
        log.addHandler(logging.StreamHandler())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(folder / f"{name}.log")
    except OSError as error:
        log.addHandler(logging.NullHandler())
        print(f"warning: no log is written: {error}", file=sys.stderr)
        return None
    handler.setFormatter(logging.Formatter("%(asctime)s %(threadName)s %(message)s"))
    log.addHandler(handler)
    return folder / f"{name}.log"
