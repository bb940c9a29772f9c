"""Noticing changes of Ganeti's job queue by inotify, else by looking (ganeti-backend contract 6.2)."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Protocol

from gtools.jobfile import job_id_of

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
JOBS_PER_ARCHIVE_DIRECTORY = 10_000


def scan(directory: str) -> dict[int, int]:
    """Return the modification time (ns) of every job file of the queue by job id."""
    found: dict[int, int] = {}
    with os.scandir(directory) as entries:
        for entry in entries:
            job = job_id_of(entry.name)
            if job is None:
                continue
            try:
                found[job] = entry.stat(follow_symlinks=False).st_mtime_ns
            except FileNotFoundError:
                continue
    return found


def archive_path(directory: str, job: int) -> Path:
    """Return where Ganeti moves a job's file some time after its end."""
    return Path(directory) / "archive" / str(job // JOBS_PER_ARCHIVE_DIRECTORY) / f"job-{job}"


def scan_archive(directory: str, since_ns: int) -> dict[int, int]:
    """Return the modification time (ns) of archived jobs that were modified since a time, by job id."""
    found: dict[int, int] = {}
    archive = Path(directory) / "archive"
    for folder in sorted(archive.iterdir()) if archive.is_dir() else []:
        # A directory changes when something is moved into it.
        if folder.is_dir() and folder.stat().st_mtime_ns >= since_ns:
            jobs = scan(str(folder))
            found |= {job: mtime for job, mtime in jobs.items() if mtime >= since_ns}
    return found


class Watcher(Protocol):
    """Tells which job files changed."""

    def wait(self, timeout: float) -> set[int]:
        """Return the jobs that changed since the last call, at the latest after ``timeout`` seconds."""

    def close(self) -> None:
        """End watching."""


class PollingWatcher:
    """Compares modification times; for file systems without notification."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._known = scan(directory)
        self._pause = threading.Event()

    def wait(self, timeout: float) -> set[int]:
        """Return the jobs whose files changed."""
        self._pause.wait(min(timeout, POLL_SECONDS))
        try:
            present = scan(self._directory)
        except OSError as error:
            logger.error("cannot read the job queue: %s", error)
            return set()
        changed = {job for job, mtime in present.items() if self._known.get(job) != mtime}
        self._known = present
        return changed

    def close(self) -> None:
        """Nothing to end."""


class InotifyWatcher:
    """Collects the kernel's notifications."""

    def __init__(self, directory: str) -> None:
        # Imported here: without the library a node falls back to polling.
        from watchdog.events import (
            FileClosedEvent,
            FileCreatedEvent,
            FileMovedEvent,
            FileSystemEvent,
            FileSystemEventHandler,
        )
        from watchdog.observers.inotify import InotifyObserver

        changed: set[int] = set()
        something = self._something = threading.Condition()
        self._changed = changed

        class Handler(FileSystemEventHandler):
            """Notes what was written or renamed into place."""

            def on_any_event(self, event: FileSystemEvent) -> None:
                # A file renamed from outside the directory is reported as created.
                path = os.fsdecode(event.dest_path or event.src_path)
                job = job_id_of(os.path.basename(path))
                if job is not None:
                    with something:
                        changed.add(job)
                        something.notify_all()

        self._observer = InotifyObserver()
        # Not the events of reading, which we would cause ourselves.
        wanted: list[type[FileSystemEvent]] = [FileClosedEvent, FileMovedEvent, FileCreatedEvent]
        self._observer.schedule(Handler(), directory, recursive=False, event_filter=wanted)
        self._observer.start()

    def wait(self, timeout: float) -> set[int]:
        """Return the jobs whose files were written."""
        with self._something:
            if not self._changed:
                self._something.wait(timeout)
            changed = set(self._changed)
            self._changed.clear()
        return changed

    def close(self) -> None:
        """End the observer's threads."""
        self._observer.stop()
        self._observer.join(5)


def watch(directory: str) -> Watcher:
    """Return the best watcher that works here."""
    try:
        return InotifyWatcher(directory)
    except (ImportError, OSError) as error:
        logger.warning("no file notification (%s): looking every %.1f s", error, POLL_SECONDS)
        return PollingWatcher(directory)
