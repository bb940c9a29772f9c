"""The tables of the embedded broker and what happens in them; callers hold the transaction."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synnefo.amqp.client import AmqpRefused
from synnefo.amqp.topics import matches

EXCHANGE_TYPES = frozenset({"topic", "direct", "fanout"})
#: How often a lease or a queue's life is renewed while it lasts.
_RENEWALS = 10

SCHEMA = """
CREATE TABLE IF NOT EXISTS exchange (name TEXT PRIMARY KEY, type TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS queue (
    name TEXT PRIMARY KEY, dead_letter_exchange TEXT, expires_ms INTEGER, owner TEXT, used REAL NOT NULL);
CREATE TABLE IF NOT EXISTS binding (
    exchange TEXT NOT NULL REFERENCES exchange, queue TEXT NOT NULL REFERENCES queue ON DELETE CASCADE,
    pattern TEXT NOT NULL, PRIMARY KEY (exchange, queue, pattern));
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL REFERENCES queue ON DELETE CASCADE,
    exchange TEXT NOT NULL, routing_key TEXT NOT NULL, body BLOB NOT NULL, headers TEXT NOT NULL,
    redelivered INTEGER NOT NULL DEFAULT 0, client TEXT);
CREATE INDEX IF NOT EXISTS message_waiting_idx ON message (queue, id) WHERE client IS NULL;
CREATE INDEX IF NOT EXISTS message_client_idx ON message (client) WHERE client IS NOT NULL;
CREATE TABLE IF NOT EXISTS client (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, pid INTEGER NOT NULL, pid_namespace TEXT NOT NULL,
    started TEXT NOT NULL, seen REAL NOT NULL);
"""


@dataclass(frozen=True)
class ClaimedMessage:
    """A message that now belongs to a client."""

    id: int
    queue: str
    exchange: str
    routing_key: str
    body: bytes
    headers: Mapping[str, Any]
    redelivered: bool


def open_file(path: str, busy_seconds: float) -> sqlite3.Connection:
    """Open the broker's file, creating it for the owner only."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    database = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA foreign_keys = ON")
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'client'").fetchone():
        database.executescript(SCHEMA)
    return database


def declare_exchange(database: sqlite3.Connection, name: str, kind: str) -> None:
    """Create an exchange; refuse a change of type."""
    if kind not in EXCHANGE_TYPES:
        raise AmqpRefused(503, f"unknown exchange type '{kind}'")
    database.execute("INSERT INTO exchange VALUES (?, ?) ON CONFLICT DO NOTHING", (name, kind))
    found = database.execute("SELECT type FROM exchange WHERE name = ?", (name,)).fetchone()
    if found[0] != kind:
        raise AmqpRefused(406, f"exchange '{name}' has type {found[0]}")


def declare_queue(
    database: sqlite3.Connection,
    name: str,
    dead_letter_exchange: str | None,
    expires_ms: int | None,
    owner: str | None,
) -> None:
    """Create a queue; refuse other arguments, and another client's exclusive queue."""
    database.execute(
        "INSERT INTO queue VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET used = excluded.used",
        (name, dead_letter_exchange, expires_ms, owner, time.time()),
    )
    found = database.execute(
        "SELECT dead_letter_exchange, expires_ms, owner FROM queue WHERE name = ?", (name,)
    ).fetchone()
    if found[2] != owner:
        raise AmqpRefused(405, f"queue '{name}' belongs to another client")
    if found[:2] != (dead_letter_exchange, expires_ms):
        raise AmqpRefused(406, f"queue '{name}' has other arguments")


def delete_exchange(database: sqlite3.Connection, name: str) -> None:
    """Remove an exchange and its bindings."""
    database.execute("DELETE FROM binding WHERE exchange = ?", (name,))
    database.execute("DELETE FROM exchange WHERE name = ?", (name,))


def bind(database: sqlite3.Connection, queue: str, exchange: str, pattern: str) -> None:
    """Route matching messages of an exchange to a queue."""
    _exchange_type(database, exchange)
    _require_queue(database, queue)
    database.execute(
        "INSERT INTO binding VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (exchange, queue, pattern)
    )


def delete_queue(database: sqlite3.Connection, queue: str, *, only_idle: bool = False) -> None:
    """Remove a queue with its bindings and messages; with ``only_idle`` refuse one that has messages."""
    if only_idle and database.execute("SELECT 1 FROM message WHERE queue = ? LIMIT 1", (queue,)).fetchone():
        raise AmqpRefused(406, f"queue '{queue}' is not empty")
    database.execute("DELETE FROM queue WHERE name = ?", (queue,))


def purge(database: sqlite3.Connection, queue: str) -> int:
    """Remove the waiting messages of a queue; return how many."""
    _require_queue(database, queue)
    return database.execute("DELETE FROM message WHERE queue = ? AND client IS NULL", (queue,)).rowcount


def length(database: sqlite3.Connection, queue: str) -> int:
    """Return the number of waiting messages."""
    _require_queue(database, queue)
    row = database.execute("SELECT count(*) FROM message WHERE queue = ? AND client IS NULL", (queue,))
    return int(row.fetchone()[0])


def publish(
    database: sqlite3.Connection, exchange: str, routing_key: str, body: bytes, headers: Mapping[str, Any]
) -> None:
    """Put a message into every queue that wants it; the empty exchange addresses a queue by name."""
    if exchange:
        kind = _exchange_type(database, exchange)
        rows = database.execute("SELECT queue, pattern FROM binding WHERE exchange = ?", (exchange,))
        queues = {queue for queue, pattern in rows if _routes(kind, pattern, routing_key)}
    else:
        rows = database.execute("SELECT name FROM queue WHERE name = ?", (routing_key,))
        queues = {row[0] for row in rows}
    text = json.dumps(headers)
    database.executemany(
        "INSERT INTO message (queue, exchange, routing_key, body, headers) VALUES (?, ?, ?, ?, ?)",
        [(queue, exchange, routing_key, body, text) for queue in sorted(queues)],
    )


def has_waiting(database: sqlite3.Connection, queues: Sequence[str]) -> bool:
    """Return whether any of the queues has a message to hand out."""
    query = "SELECT 1 FROM message WHERE queue = ? AND client IS NULL LIMIT 1"
    return any(database.execute(query, (queue,)).fetchone() for queue in queues)


def claim(database: sqlite3.Connection, queues: Sequence[str], client: str) -> ClaimedMessage | None:
    """Hand the oldest waiting message of the queues to a client."""
    heads = [
        database.execute(
            "SELECT min(id) FROM message WHERE queue = ? AND client IS NULL", (queue,)
        ).fetchone()[0]
        for queue in queues
    ]
    found = [head for head in heads if head is not None]
    if not found:
        return None
    touch_queues(database, queues)
    row = database.execute(
        "UPDATE message SET client = ? WHERE id = ?"
        " RETURNING id, queue, exchange, routing_key, body, headers, redelivered",
        (client, min(found)),
    ).fetchone()
    return ClaimedMessage(row[0], row[1], row[2], row[3], bytes(row[4]), json.loads(row[5]), bool(row[6]))


def remove(database: sqlite3.Connection, messages: Sequence[int], client: str) -> None:
    """Remove acknowledged messages that still belong to the client."""
    database.executemany(
        "DELETE FROM message WHERE id = ? AND client = ?", [(message, client) for message in messages]
    )


def give_back(database: sqlite3.Connection, message: int, client: str) -> None:
    """Return a message to its place in the queue."""
    database.execute(
        "UPDATE message SET client = NULL, redelivered = 1 WHERE id = ? AND client = ?", (message, client)
    )


def dead_letter(database: sqlite3.Connection, message: int, client: str, reason: str) -> None:
    """Move a message to its queue's dead-letter exchange, or drop it if there is none."""
    row = database.execute(
        "DELETE FROM message WHERE id = ? AND client = ?"
        " RETURNING queue, exchange, routing_key, body, headers",
        (message, client),
    ).fetchone()
    if row is None:
        return
    queue, exchange, routing_key, body, headers = row
    target = database.execute("SELECT dead_letter_exchange FROM queue WHERE name = ?", (queue,)).fetchone()[0]
    known = database.execute("SELECT 1 FROM exchange WHERE name = ?", (target,)).fetchone()
    if target is None or (target and not known):
        return
    death = _Death(queue=queue, reason=reason, exchange=exchange, routing_key=routing_key)
    publish(database, target, routing_key, body, death.added_to(json.loads(headers)))


@dataclass(frozen=True)
class _Death:
    """Why and where from a message was dead-lettered, as RabbitMQ records it in ``x-death``."""

    queue: str
    reason: str
    exchange: str
    routing_key: str

    def added_to(self, headers: dict[str, Any]) -> dict[str, Any]:
        earlier = headers.get("x-death")
        deaths = [dict(death) for death in earlier] if isinstance(earlier, list) else []
        same = [death for death in deaths if (death["queue"], death["reason"]) == (self.queue, self.reason)]
        others = [death for death in deaths if death not in same]
        newest = {
            "count": 1 + (same[0]["count"] if same else 0),
            "reason": self.reason,
            "queue": self.queue,
            "time": int(time.time()),
            "exchange": self.exchange,
            "routing-keys": [self.routing_key],
        }
        first = {
            "x-first-death-exchange": self.exchange,
            "x-first-death-queue": self.queue,
            "x-first-death-reason": self.reason,
        }
        return first | headers | {"x-death": [newest, *others]}


def add_client(database: sqlite3.Connection, client: str, name: str) -> None:
    """Register a client of this process."""
    pid = os.getpid()
    database.execute(
        "INSERT INTO client VALUES (?, ?, ?, ?, ?, ?)",
        (client, name, pid, _pid_namespace(), _process_started(pid) or "", time.time()),
    )


def renew_client(database: sqlite3.Connection, client: str) -> bool:
    """Note that the client lives; return False if it was given up."""
    changed = database.execute("UPDATE client SET seen = ? WHERE id = ?", (time.time(), client))
    return changed.rowcount == 1


def drop_client(database: sqlite3.Connection, client: str) -> None:
    """Forget a client: its messages are redelivered, its exclusive queues vanish."""
    database.execute("UPDATE message SET client = NULL, redelivered = 1 WHERE client = ?", (client,))
    database.execute("DELETE FROM queue WHERE owner = ?", (client,))
    database.execute("DELETE FROM client WHERE id = ?", (client,))


def drop_dead_clients(database: sqlite3.Connection, lease_seconds: float) -> None:
    """Drop the clients whose process is gone or that were silent for too long."""
    for client in _dead_clients(database, lease_seconds):
        drop_client(database, client)


def needs_housekeeping(
    database: sqlite3.Connection, client: str, queues: Sequence[str], lease_seconds: float
) -> bool:
    """Return whether there is anything to renew for the client and its queues, or anything to drop."""
    now = time.time()
    seen = database.execute("SELECT seen FROM client WHERE id = ?", (client,)).fetchone()
    if seen is None or now - seen[0] > lease_seconds / _RENEWALS:
        return True
    rows = database.execute(
        "SELECT name, used, expires_ms / 1000.0 FROM queue WHERE expires_ms IS NOT NULL"
    ).fetchall()
    for name, used, seconds in rows:
        if now - used > (seconds / _RENEWALS if name in queues else seconds):
            return True
    return bool(_dead_clients(database, lease_seconds))


def _dead_clients(database: sqlite3.Connection, lease_seconds: float) -> list[str]:
    rows = database.execute("SELECT id, pid, pid_namespace, started, seen FROM client").fetchall()
    now, here = time.time(), _pid_namespace()
    return [
        client
        for client, pid, namespace, started, seen in rows
        # The process ids of another container tell nothing here.
        if (namespace == here and _process_started(pid) != started) or now - seen > lease_seconds
    ]


def touch_queues(database: sqlite3.Connection, queues: Sequence[str]) -> None:
    """Note that queues are in use."""
    database.executemany(
        "UPDATE queue SET used = ? WHERE name = ? AND expires_ms IS NOT NULL",
        [(time.time(), queue) for queue in queues],
    )


def drop_expired_queues(database: sqlite3.Connection) -> None:
    """Drop the queues that nobody used for their ``x-expires``."""
    database.execute(
        "DELETE FROM queue WHERE expires_ms IS NOT NULL AND used + expires_ms / 1000.0 < ?", (time.time(),)
    )


def _routes(kind: str, pattern: str, routing_key: str) -> bool:
    if kind == "topic":
        return matches(pattern, routing_key)
    return kind == "fanout" or pattern == routing_key


def _exchange_type(database: sqlite3.Connection, exchange: str) -> str:
    row = database.execute("SELECT type FROM exchange WHERE name = ?", (exchange,)).fetchone()
    if row is None:
        raise AmqpRefused(404, f"no exchange '{exchange}'")
    return str(row[0])


def _require_queue(database: sqlite3.Connection, queue: str) -> None:
    if database.execute("SELECT 1 FROM queue WHERE name = ?", (queue,)).fetchone() is None:
        raise AmqpRefused(404, f"no queue '{queue}'")


def _pid_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _process_started(pid: int) -> str | None:
    """Return the start time of a process in clock ticks since boot, None if it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else fields[19]
