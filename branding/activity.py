"""What is under way for a visitor and what has just changed, told by each service (web contract 7)."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from synnefo import clock
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest

#: A row changed at 10:00:00 may become visible after its transaction, so questions overlap by this much.
_OVERLAP = dt.timedelta(seconds=20)
#: Whoever was away for longer reads the page again.
_FURTHEST = dt.timedelta(minutes=15)
#: Changes told at once; more of them mean "read everything again".
MOST_CHANGES = 200
MOST_TASKS = 50
#: A task that takes longer is said to do so.
SLOW = dt.timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Task:
    """Something the visitor started that has not ended; ``label`` is in his language.

    ``percent`` is ``None`` when nobody knows how far it is.
    """

    id: str
    label: str
    started: dt.datetime
    url: str = ""
    percent: int | None = None

    @property
    def is_slow(self) -> bool:
        """Tell whether it takes longer than usual."""
        return clock.now() - self.started > SLOW


@dataclass(frozen=True, slots=True)
class Change:
    """That an object is not what it was; what it is now, its page tells."""

    kind: str
    id: str
    updated: dt.datetime


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes since a moment; ``cursor`` is the next moment to ask for, ``reset`` says to read all again."""

    cursor: str
    changes: tuple[Change, ...]
    reset: bool = False

    @property
    def mark(self) -> str:
        """Return what is equal for equal changes, whenever they were asked for."""
        text = "|".join(f"{change.kind}/{change.id}/{change.updated.timestamp()}" for change in self.changes)
        return hashlib.sha256(f"{self.reset}{text}".encode()).hexdigest()[:16]


TaskSource = Callable[[Credentials, int], list[Task]]
#: Returns up to a number of changes of the acting user's things since a moment.
ChangeSource = Callable[[Credentials, dt.datetime, int], Iterable[Change]]
_task_sources: list[TaskSource] = []
_topics: dict[str, ChangeSource] = {}


def provide_tasks(source: TaskSource) -> None:
    """Register where tasks come from."""
    _task_sources.append(source)


def provide_changes(topic: str, source: ChangeSource) -> None:
    """Register where the changes of a topic, such as ``servers``, come from."""
    _topics[topic] = source


def tasks_of(credentials: Credentials) -> list[Task]:
    """Return what is under way, newest first; one query for each service."""
    found = [task for source in _task_sources for task in source(credentials, MOST_TASKS)]
    return sorted(found, key=lambda task: task.started, reverse=True)[:MOST_TASKS]


def topics_in(text: str) -> list[str]:
    """Return the topics of a comma list, those that exist here; raises ``BadRequest`` for nonsense."""
    names = [name for name in text.split(",") if name]
    if len(names) > 20 or any(len(name) > 40 or not name.replace("-", "").isalnum() for name in names):
        raise BadRequest("topics: names such as servers, with commas between them.")
    return [name for name in dict.fromkeys(names) if name in _topics]


def moment_in(text: str) -> dt.datetime | None:
    """Return the moment that a cursor stands for, ``None`` for an empty one; raises ``BadRequest``."""
    if not text:
        return None
    try:
        moment = dt.datetime.fromisoformat(text[:40])
    except ValueError:
        raise BadRequest(
            "since: the cursor of an earlier answer, or a moment such as 2031-05-04T10:20:30Z."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def changes_of(credentials: Credentials, *, topics: Collection[str], since: dt.datetime | None) -> Changes:
    """Return what changed of the acting user's things, one query for each topic.

    Each change may be told more than once; its moment tells which ones are known.
    """
    now = clock.now()
    nothing = Changes(clock.isoformat(now), ())
    if since is None:
        return nothing
    if now - since > _FURTHEST:
        return replace(nothing, reset=True)
    changes = [
        change
        for topic in topics
        for change in _topics[topic](credentials, min(since, now) - _OVERLAP, MOST_CHANGES + 1)
    ]
    if len(changes) > MOST_CHANGES:
        return replace(nothing, reset=True)
    return replace(nothing, changes=tuple(sorted(changes, key=lambda change: change.updated)))


def as_json(change: Change) -> dict[str, Any]:
    """Return a change as pages' scripts read it: never what the object is, only that it changed."""
    return {"kind": change.kind, "id": change.id, "updated": clock.isoformat(change.updated)}
