"""The ``--wait`` of commands that start a job (administrator's contract 1.5)."""

from __future__ import annotations

import time

from django.core.management.base import CommandError

from cyclades.logic import backends
from cyclades.models import IntentState, JobIntent
from synnefo.management.base import SynnefoCommand

_SUBMISSION_SECONDS = 30.0
_POLL_SECONDS = 0.1


def follow(command: SynnefoCommand, intent: JobIntent | None, *, wait: bool) -> None:
    """Tell the job of *intent* and, with *wait*, how it ended; raises ``CommandError`` for a failure.

    A job that did not reach Ganeti yet is not lost: the dispatcher submits it later.
    """
    if intent is None:
        return
    submitted = _submitted(intent)
    if submitted.job_id is None:
        command.say("The job was not submitted yet; the dispatcher will do so when the backend answers.")
        return
    if not wait:
        command.say(f"Issued job '{submitted.job_id}'.")
        return
    command.say(f"Issued job '{submitted.job_id}'. Waiting to complete...")
    job = backends.wait_for_job(submitted.backend, submitted.job_id)
    if job.get("status") != "success":
        raise CommandError(f"Job failed! Error: {_reason(job)}")
    command.say("Job finished successfully.")


def _submitted(intent: JobIntent) -> JobIntent:
    """Wait until Ganeti has the job; raises ``CommandError`` when it refused."""
    deadline = time.monotonic() + _SUBMISSION_SECONDS
    while True:
        stored = JobIntent.objects.select_related("backend").get(pk=intent.pk)
        if stored.state == IntentState.FAILED:
            raise CommandError(f"Ganeti refused the job: {stored.last_error}")
        if stored.job_id is not None or stored.last_error or time.monotonic() > deadline:
            return stored
        time.sleep(_POLL_SECONDS)


def _reason(job: object) -> str:
    results = job.get("opresult") if isinstance(job, dict) else None
    return str(results[0] if results else "unknown")
