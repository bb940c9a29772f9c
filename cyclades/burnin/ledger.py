"""What the user is charged, followed through the whole run.

Suites that run side by side share one ledger. A change is announced before it is ordered and booked once it
is complete; in between it may or may not show. So every reading must equal what is booked plus some of the
announced changes, for every resource of every project: nothing else may move.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from cyclades.burnin.client import Client, UnexpectedStatus
from cyclades.burnin.failures import CheckFailed

#: (project, resource)
Holding = tuple[str, str]
Usage = dict[Holding, int]

VM, CPU, RAM, DISK = "cyclades.vm", "cyclades.cpu", "cyclades.ram", "cyclades.disk"
TOTAL_CPU, TOTAL_RAM = "cyclades.total_cpu", "cyclades.total_ram"
PRIVATE_NETWORK, FLOATING_IP, DISKSPACE = (
    "cyclades.network.private",
    "cyclades.floating_ip",
    "pithos.diskspace",
)
#: More announced changes at once than this are not told apart.
_MOST_OPEN = 12


class Ledger:
    """Books of one user; ``observe`` reads the quota service."""

    def __init__(self, client: Client, user_id: str) -> None:
        self._client = client
        self._user_id = user_id
        self._lock = threading.RLock()
        self._booked: Usage = {}
        self._open: list[Usage] = []
        self.reliable = True

    def observe(self) -> Usage:
        """Usage of every resource, of the user in all projects and of the user's own project as a whole."""
        quotas = self._client.call("account", "GET", "quotas")
        usage: Usage = {}
        for project, resources in quotas.items():
            for resource, numbers in resources.items():
                usage[project, resource] = int(numbers["usage"])
                if project == self._user_id and "project_usage" in numbers:
                    usage[_whole(project), resource] = int(numbers["project_usage"])
        return usage

    def open_books(self) -> None:
        """Take the present usage as the base."""
        with self._lock:
            self._booked = self.observe()
            self._open = []
            self.reliable = True

    def forgive(self) -> None:
        """A suite failed half-way: nothing is sure until the books are opened again."""
        self.reliable = False

    @contextmanager
    def change(self, project: str, deltas: Mapping[str, int]) -> Iterator[None]:
        """Announce a change, let it happen in the ``with`` block, book it and check."""
        with self.changes({project: deltas}):
            yield

    @contextmanager
    def changes(self, deltas: Mapping[str, Mapping[str, int]]) -> Iterator[None]:
        """The same for several projects."""
        change = self._complete(deltas)
        with self._lock:
            self._open.append(change)
        try:
            yield
        except UnexpectedStatus:
            # Refused, so nothing changed: the next reading will tell.
            with self._lock:
                self._open = [item for item in self._open if item is not change]
            raise
        except BaseException:
            self.forgive()
            raise
        with self._lock:
            if any(change is item for item in self._open):
                self._open = [item for item in self._open if item is not change]
                for holding, amount in change.items():
                    self._booked[holding] = self._booked.get(holding, 0) + amount
        self.check()

    def check(self) -> None:
        """Compare every resource of every project with the books."""
        with self._lock:
            if not self.reliable:
                return
            seen = self.observe()
            difference = _difference(seen, self._booked)
            if not difference or difference in _sums(self._open):
                return
        texts = [
            f"{resource} in {project}: {seen.get((project, resource), 0)}, expected "
            f"{self._booked.get((project, resource), 0)} ({amount:+d})"
            for (project, resource), amount in sorted(difference.items())
        ]
        raise CheckFailed("quota differs: " + "; ".join(texts))

    def _complete(self, deltas: Mapping[str, Mapping[str, int]]) -> Usage:
        # A deployment need not show every resource to its users.
        shown = {resource for _, resource in self._booked}
        change = {
            (project, resource): amount
            for project, resources in deltas.items()
            for resource, amount in resources.items()
            if amount and resource in shown
        }
        own = {
            (_whole(project), name): n for (project, name), n in change.items() if project == self._user_id
        }
        return change | own


def _whole(project: str) -> str:
    return f"{project} (all members)"


def _difference(seen: Usage, booked: Usage) -> Usage:
    holdings = seen.keys() | booked.keys()
    amounts = {holding: seen.get(holding, 0) - booked.get(holding, 0) for holding in holdings}
    return {holding: amount for holding, amount in amounts.items() if amount}


def _sums(changes: list[Usage]) -> list[Usage]:
    """What the announced changes may add up to, each complete or absent."""
    if len(changes) > _MOST_OPEN:
        raise CheckFailed("more quota changes at once than can be told apart: use a smaller --parallel")
    sums = []
    for count in range(1, len(changes) + 1):
        for chosen in itertools.combinations(changes, count):
            total: Counter[Holding] = Counter()
            for change in chosen:
                total.update(change)
            sums.append({holding: amount for holding, amount in total.items() if amount})
    return sums
