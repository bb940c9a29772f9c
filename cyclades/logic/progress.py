"""Progress and diagnostics of a server's deployment (Ganeti contract 9.5)."""

from __future__ import annotations

import logging

from cyclades.logic.server_events import Outcome, Saver, save_now
from cyclades.models import Server, ServerDiagnostic
from synnefo.messages import Progress

log = logging.getLogger(__name__)

_LEVELS = {"image-error": "ERROR", "image-warning": "WARNING"}
_HELPER_LEVELS = {"warning": "WARNING", "error": "ERROR", "info": "INFO"}
_MESSAGE_LENGTH = 255
_DETAILS_LENGTH = 64 * 1024


def apply(server: Server, event: Progress, *, save: Saver = save_now) -> Outcome:
    """Store what the deployment of the locked *server* reports.

    Progress has a time of its own: nodes' clocks differ, and a percentage must never hide a job's end.
    *save* writes the percentage, and that there is news.
    """
    if server.deleted:
        return Outcome.IGNORED
    if event.type != "image-copy-progress":
        return _add_diagnostic(server, event, save)
    if event.progress is None or event.progress < 0:
        log.warning("server %d: %r is no progress", server.pk, event.progress)
        return Outcome.IGNORED
    if server.progress_time is not None and event.event_datetime <= server.progress_time:
        return Outcome.STALE
    server.progress_time = event.event_datetime
    server.buildpercentage = min(100, int(event.progress))
    save(server, {"buildpercentage", "progress_time", "updated"})
    return Outcome.APPLIED


def _add_diagnostic(server: Server, event: Progress, save: Saver) -> Outcome:
    """Store the message once, however often it is delivered; the server's lock makes the check safe."""
    columns = describe(event)
    if ServerDiagnostic.objects.filter(server=server, **columns).exists():
        return Outcome.STALE
    ServerDiagnostic.objects.create(server=server, **columns)
    # Lists of what changed show the newest message, too.
    save(server, {"updated"})
    return Outcome.APPLIED


def describe(event: Progress) -> dict[str, object]:
    """Return the columns of the diagnostic that *event* makes."""
    source = event.type
    is_task = event.type == "image-helper" and event.subtype in ("task-start", "task-end")
    if is_task:
        source = f"{event.type}-{event.subtype}"
    if event.type == "image-helper":
        level = _HELPER_LEVELS.get(event.subtype or "", "DEBUG")
    else:
        level = _LEVELS.get(event.type, "DEBUG")
    message = (event.task or "") if is_task else " ".join(event.messages or ())
    message = message or source.replace("-", " ").capitalize()
    return {
        "source": source[:100],
        "level": level,
        "message": message.replace("\x00", "")[:_MESSAGE_LENGTH],
        "details": event.stderr.replace("\x00", "")[:_DETAILS_LENGTH] if event.stderr is not None else None,
        "source_date": event.event_datetime,
    }
