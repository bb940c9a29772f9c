"""Following an intended job to its end, for commands with ``--wait`` (administrator's contract 1.5)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from cyclades.ganeti import clients
from cyclades.models import IntentState, JobIntent
from synnefo.errors import Conflict, ServiceUnavailable

_POLL_SECONDS = 0.2


def wait_for_intent(intent: JobIntent, *, timeout: float = 600.0) -> Mapping[str, Any]:
    """Return the final job of *intent*, as RAPI shows it, after at most *timeout* seconds.

    Call it after the commit, outside transactions. Raises ``Conflict`` when Ganeti refused the job and
    ``ServiceUnavailable`` when it was not submitted or has not ended in time; the repair task goes on then.
    """
    deadline = time.monotonic() + timeout
    job_id = wait_for_submission(intent, timeout=timeout)
    try:
        with clients.rapi_for(intent.backend) as rapi:
            return rapi.WaitForJobCompletion(job_id, timeout=max(0.0, deadline - time.monotonic()))
    except clients.GanetiApiError as error:
        raise ServiceUnavailable(f"Job {job_id} can't be followed: {error}") from error


def wait_for_submission(intent: JobIntent, *, timeout: float = 60.0) -> int:
    """Return the job id of *intent* once it has one; errors as ``wait_for_intent``."""
    deadline = time.monotonic() + timeout
    while True:
        intent.refresh_from_db()
        if intent.job_id is not None:
            return intent.job_id
        if intent.state == IntentState.FAILED:
            raise Conflict(f"The job was not submitted: {intent.last_error}")
        if time.monotonic() >= deadline:
            raise ServiceUnavailable(
                f"The job is not submitted yet ({intent.last_error or 'nobody tried'}); it will be."
            )
        time.sleep(_POLL_SECONDS)
