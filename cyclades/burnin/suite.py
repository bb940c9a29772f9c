"""A suite: steps in a fixed order, and the removal of what they made."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

from cyclades.burnin.client import Access, Client, Json, log
from cyclades.burnin.failures import CheckFailed, Interrupted, Skipped, TimedOut
from cyclades.burnin.ledger import Ledger
from cyclades.burnin.options import Options

_numbers = itertools.count()
#: How the text of a failure begins that was only a matter of time.
TIMED_OUT = "timed out"
Method = TypeVar("Method", bound=Callable[..., None])


class Outcome(StrEnum):
    """How a step ended; ``NOT_RUN`` follows a failure that it depends on."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Result:
    """One step's end."""

    suite: str
    step: str
    outcome: Outcome
    seconds: float = 0.0
    text: str = ""


@dataclass
class Run:
    """What all suites of one run share."""

    options: Options
    client: Client
    access: Access
    ledger: Ledger
    prefix: str
    say: Callable[[str, int], None]
    stopped: threading.Event = field(default_factory=threading.Event)

    def sleep(self, seconds: float, *, tidying: bool = False) -> None:
        """Wait; a run that is being stopped ends the step, but not what tidies up after it."""
        if tidying:
            time.sleep(seconds)
        elif self.stopped.wait(seconds):
            raise Interrupted("the run was stopped")


def step(text: str) -> Callable[[Method], Method]:
    """Mark a method as a step; steps run in the order in which they are written."""

    def mark(method: Method) -> Method:
        method.step_text = text  # type: ignore[attr-defined]
        method.step_number = next(_numbers)  # type: ignore[attr-defined]
        return method

    return mark


class Suite:
    """Base of all suites.

    ``services`` must be in the catalogue; ``chain`` says that a step needs those before it; ``alone`` that
    nothing else may run at the same time; ``group`` is a name that stands for several suites.
    """

    name: ClassVar[str]
    services: ClassVar[tuple[str, ...]] = ()
    chain: ClassVar[bool] = True
    group: ClassVar[str] = ""
    alone: ClassVar[bool] = False

    def __init__(self, run: Run, *, variant: str = "") -> None:
        self.run = run
        self.options = run.options
        self.client = run.client
        self.ledger = run.ledger
        self.title = f"{self.name}({variant})" if variant else self.name
        self._clean_up: list[tuple[str, Callable[[], None]]] = []
        self._tidying = False

    # -- what steps use ----------------------------------------------------------------------------

    @property
    def user_id(self) -> str:
        """The user whose token is used; also the id of the user's own project."""
        return self.run.access.user_id

    def call(self, service: str, method: str, path: str, **options: Any) -> Json:
        """One request; see :meth:`Client.call`."""
        return self.client.call(service, method, path, **options)

    def say(self, text: str) -> None:
        """Tell what is going on (``-v 2``)."""
        self.run.say(f"    {self.title}: {text}", 2)

    def label(self, what: str) -> str:
        """A name that later runs recognise as a leftover."""
        return f"{self.run.prefix} {what}"

    def on_cleanup(self, what: str, action: Callable[[], None]) -> None:
        """Remember how to remove something; done in reverse order, whatever happened."""
        self._clean_up.append((what, action))

    def wait(self, what: str, look: Callable[[], Any], *, until: Any, through: tuple[Any, ...] = ()) -> None:
        """Poll until ``look()`` equals *until*, passing only through the values of *through*."""
        options = self.options
        started, warned, last = time.monotonic(), False, object()
        while True:
            seen = look()
            waited = time.monotonic() - started
            if seen == until:
                return
            if through and seen not in through:
                raise CheckFailed(f"{what} is {seen!r} on its way to {until!r}")
            if waited > options.action_timeout:
                raise TimedOut(f"{what} is still {seen!r} after {waited:.0f} s, expected {until!r}")
            if waited > options.action_warning and not warned:
                warned = True
                self.run.say(f"    {self.title}: {what} is still {seen!r} after {waited:.0f} s", 1)
            if seen != last:
                self.say(f"{what} is {seen!r}, waiting for {until!r}")
                last = seen
            self.run.sleep(options.query_interval, tidying=self._tidying)

    def insist(self, what: str, attempt: Callable[[], bool]) -> None:
        """Repeat an attempt until it succeeds."""
        self.wait(what, attempt, until=True)

    # -- running -----------------------------------------------------------------------------------

    @classmethod
    def steps(cls) -> list[str]:
        """Names of the step methods in their order."""
        found = {name: method for name in dir(cls) if hasattr(method := getattr(cls, name), "step_number")}
        return sorted(found, key=lambda name: found[name].step_number)

    def execute(self) -> Iterator[Result]:
        """Run all steps, then clean up; yields a result after each."""
        missing = [service for service in self.services if not self.client.offers(service)]
        if missing:
            text = f"not offered: the service catalogue has no {', '.join(missing)}"
            yield Result(self.title, "service offered", Outcome.FAILED, 0.0, text)
            return
        broken = False
        try:
            for name in self.steps():
                method = getattr(self, name)
                if self.run.stopped.is_set() or (broken and self.chain):
                    yield Result(self.title, method.step_text, Outcome.NOT_RUN)
                    continue
                result = self._timed(method.step_text, method)
                broken = broken or result.outcome is Outcome.FAILED
                yield result
        finally:
            failed = self._tidy()
        if failed:
            yield Result(self.title, "clean-up", Outcome.FAILED, 0.0, "; ".join(failed))
        if broken or failed:
            self.ledger.forgive()

    def _timed(self, text: str, method: Callable[[], None]) -> Result:
        started = time.monotonic()
        self.run.say(f"  {self.title}: {text} …", 2)
        outcome, message = Outcome.PASSED, ""
        try:
            method()
        except TimedOut as error:
            outcome, message = Outcome.FAILED, f"{TIMED_OUT}: {error}"
        except (CheckFailed, Interrupted) as error:
            outcome, message = Outcome.FAILED, str(error)
        except Skipped as reason:
            outcome, message = Outcome.SKIPPED, str(reason)
        except Exception as error:  # the edge of the program: an answer in a shape nobody foresaw
            log.exception("%s: %s", self.title, text)
            outcome, message = Outcome.FAILED, f"unexpected answer: {type(error).__name__}: {error}"
        return Result(self.title, text, outcome, time.monotonic() - started, message)

    def _tidy(self) -> list[str]:
        failed = []
        self._tidying = True
        while self._clean_up:
            what, action = self._clean_up.pop()
            try:
                action()
            except Exception as error:  # the edge: whatever one removal meets, the next is tried
                log.exception("%s: clean-up of %s", self.title, what)
                failed.append(f"{what}: {error}")
        return failed
