"""What the event daemon must not forget, in one durable file: messages to send and statuses seen.

A message and the note that its status was seen are stored in one transaction, so a crash can repeat a
message but never lose one.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

BUSY_SECONDS = 30.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY AUTOINCREMENT, routing_key TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS seen (
    job INTEGER NOT NULL, op INTEGER NOT NULL, status TEXT NOT NULL, PRIMARY KEY (job, op)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS watermark (id INTEGER PRIMARY KEY CHECK (id = 1), mtime_ns INTEGER NOT NULL);
"""


class SpoolFull(Exception):
    """The spool holds as many messages as it may."""


@dataclass(frozen=True)
class SpooledMessage:
    """One message that waits for the broker."""

    id: int
    routing_key: str
    body: bytes


@dataclass(frozen=True)
class SeenStatus:
    """The last status of an opcode that a message was made for, or that needs none."""

    job: int
    op: int
    status: str


class Spool:
    """The daemon's durable memory; usable from several threads.

    directory: where its file lives; must survive restarts.
    limit: how many messages may wait; beyond, `add` raises `SpoolFull` and the job files themselves, which
    Ganeti keeps for hours, are read again later.
    """

    def __init__(self, directory: str, limit: int = 100_000) -> None:
        Path(directory).mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = Path(directory) / "eventd.sqlite3"
        self._limit = limit
        self._lock = threading.Lock()
        try:
            self._database = self._open()
        except sqlite3.DatabaseError as error:
            logger.error("%s is damaged (%s): starting anew, jobs will be read again", self._path, error)
            self._set_aside()
            self._database = self._open()
        self._count = int(self._database.execute("SELECT count(*) FROM message").fetchone()[0])

    def _open(self) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        database = sqlite3.connect(
            self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.executescript(SCHEMA)
        if database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("integrity check failed")
        return database

    def _set_aside(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            part = Path(f"{self._path}{suffix}")
            if part.exists():
                part.rename(f"{self._path}.damaged-{int(time.time())}{suffix}")

    def add(self, messages: Sequence[tuple[str, bytes]], seen: Sequence[SeenStatus]) -> None:
        """Store messages as (routing key, body) with what they tell, all or nothing, on disk."""
        with self._lock:
            if messages and self._count + len(messages) > self._limit:
                raise SpoolFull(f"{self._count} messages wait for the broker")
            with self._transaction():
                self._database.executemany("INSERT INTO message (routing_key, body) VALUES (?, ?)", messages)
                self._database.executemany(
                    "INSERT INTO seen VALUES (?, ?, ?)"
                    " ON CONFLICT (job, op) DO UPDATE SET status = excluded.status",
                    [(status.job, status.op, status.status) for status in seen],
                )
            self._count += len(messages)

    def head(self, count: int) -> list[SpooledMessage]:
        """Return the oldest waiting messages."""
        with self._lock:
            rows = self._database.execute(
                "SELECT id, routing_key, body FROM message ORDER BY id LIMIT ?", (count,)
            ).fetchall()
        return [SpooledMessage(row[0], row[1], bytes(row[2])) for row in rows]

    def remove(self, messages: Sequence[SpooledMessage]) -> None:
        """Forget messages that the broker has confirmed."""
        with self._lock:
            with self._transaction():
                self._database.executemany(
                    "DELETE FROM message WHERE id = ?", [(message.id,) for message in messages]
                )
            self._count -= len(messages)

    def __len__(self) -> int:
        return self._count

    def statuses(self, job: int) -> dict[int, str]:
        """Return the statuses already seen of a job's opcodes."""
        with self._lock:
            return dict(self._database.execute("SELECT op, status FROM seen WHERE job = ?", (job,)))

    def known_jobs(self) -> set[int]:
        """Return the jobs of which statuses were seen."""
        with self._lock:
            return {row[0] for row in self._database.execute("SELECT DISTINCT job FROM seen")}

    def forget_jobs(self, jobs: Collection[int]) -> None:
        """Drop the statuses of jobs that can't come up again."""
        if jobs:
            with self._lock, self._transaction():
                self._database.executemany("DELETE FROM seen WHERE job = ?", [(job,) for job in jobs])

    def watermark(self) -> int:
        """Return the modification time (ns) up to which all job files were handled, 0 at first."""
        with self._lock:
            row = self._database.execute("SELECT mtime_ns FROM watermark").fetchone()
        return int(row[0]) if row else 0

    def set_watermark(self, mtime_ns: int) -> None:
        """Note that everything modified before was handled."""
        with self._lock, self._transaction():
            self._database.execute(
                "INSERT INTO watermark VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET mtime_ns = ?",
                (mtime_ns, mtime_ns),
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.rollback()
            raise
        self._database.commit()
