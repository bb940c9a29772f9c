"""The job queue: takes jobs, runs them in order, and lets others wait for changes."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from gtools.simulator.claims import claims_of, conflict
from gtools.simulator.errors import OpError
from gtools.simulator.jobfile import FINAL_STATUSES, Job, QueueDirectory, timestamp

logger = logging.getLogger(__name__)

MAX_RUNNING_JOBS = 20
RETRY_SECONDS = 1.0
INTERRUPTED = "Unexpectedly died"
#: Runs one job: gets the job and the queue (for logs and status), returns the opcode's result.
Runner = Callable[["JobHandle"], Any]


class JobHandle:
    """What the executing opcode may do with its job."""

    def __init__(self, queue: JobQueue, job: Job) -> None:
        self._queue = queue
        self.job = job

    def running(self) -> None:
        """Tell that the opcode holds its locks and begins."""
        with self._queue.condition:
            self.job.status = "running"
            self.job.execution = timestamp()
            self._queue.store(self.job)

    def fill(self, **parameters: Any) -> None:
        """Store parameters that the opcode computed, such as the chosen node."""
        with self._queue.condition:
            self.job.input.update(parameters)
            self._queue.store(self.job)

    def log(self, text: str) -> None:
        """Add a line to the job's log."""
        with self._queue.condition:
            self.job.log.append([len(self.job.log) + 1, timestamp(), "message", text])
            self._queue.store(self.job)

    def sleep(self, seconds: float) -> None:
        """Pretend to work; ends early, as by a crash, when the simulator stops."""
        if seconds > 0 and self._queue.stopping.wait(seconds):
            raise Interrupted


class Interrupted(Exception):
    """The simulator stops while a job runs."""


class JobQueue:
    """Runs jobs on threads, each status change written to the queue directory first."""

    def __init__(self, directory: QueueDirectory, runner: Runner, *, keep_jobs: int = 1000) -> None:
        self.directory = directory
        self.condition = threading.Condition()
        self.stopping = threading.Event()
        self._runner = runner
        self._keep_jobs = keep_jobs
        self._jobs: dict[int, Job] = {}
        self._active: dict[int, dict[str, bool]] = {}
        self._threads: list[threading.Thread] = []
        self._scheduler = threading.Thread(target=self._schedule, name="scheduler", daemon=True)

    # -- life cycle --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take over what an earlier run left: queued jobs run now, half-done ones have failed."""
        for job in self.directory.load():
            self._jobs[job.id] = job
            if job.status not in FINAL_STATUSES and job.status != "queued":
                job.status, job.result, job.end = "error", INTERRUPTED, timestamp()
                self.directory.write(job)
        self._scheduler.start()

    def stop(self) -> None:
        """Stop scheduling; jobs in the middle of their work stay as they are, like after a power cut."""
        with self.condition:
            self.stopping.set()
            self.condition.notify_all()
            threads = list(self._threads)
        for thread in [self._scheduler, *threads]:
            if thread.is_alive():
                thread.join(timeout=10)

    # -- what RAPI asks ----------------------------------------------------------------------------------

    def submit(self, parameters: dict[str, Any]) -> int:
        """Queue a job of one opcode; its file exists when this returns."""
        with self.condition:
            number = self.directory.next_id()
            opcode = str(parameters["OP_ID"]).removeprefix("OP_").lower()
            entry = [f"gnt:opcode:{opcode}", f"job={number};index=0", time.time_ns() // 1000 * 1000]
            parameters = {**parameters, "reason": [*parameters["reason"], entry]}
            parameters["depends"] = _absolute(parameters.get("depends"), number)
            job = Job(id=number, input=parameters)
            self._jobs[number] = job
            self.store(job)
        return number

    def ids(self) -> list[int]:
        """Return the ids of all jobs that are not archived."""
        with self.condition:
            return sorted(self._jobs)

    def fields(self, job_id: int) -> dict[str, Any] | None:
        """Return what there is to see of a job, archived ones included; None for an unknown one."""
        with self.condition:
            job = self._find(job_id)
            return None if job is None else _copy(job.fields())

    def cancel(self, job_id: int) -> tuple[bool, str]:
        """Cancel a job that does not run yet."""
        with self.condition:
            job = self._jobs.get(job_id)
            if job is None or job.is_final:
                return False, f"Job {job_id} not found in queue"
            if job.status == "queued":
                job.status, job.end = "canceled", timestamp()
                self.store(job)
                return True, f"Dequeued job {job_id}"
            if job.status == "waiting":
                job.status, job.cancel_requested = "canceling", True
                self.store(job)
                return True, f"Job {job_id} will be canceled"
            return False, f"Job {job_id} is not waiting in the queue"

    def archive(self, job_id: int) -> bool:
        """Move a final job to the archive; False when that is not possible."""
        with self.condition:
            job = self._jobs.get(job_id)
            if job is None or not job.is_final:
                return False
            self.directory.archive(job_id)
            del self._jobs[job_id]
            return True

    def wait_for_change(
        self,
        job_id: int,
        fields: Sequence[str],
        previous_info: list[Any] | None,
        previous_serial: int | None,
        timeout: float,
    ) -> tuple[list[Any], list[Any]]:
        """Wait until a job's fields or log differ from what the caller knows, or for ``timeout`` seconds.

        Raises LookupError for a job that is not in the queue.
        """
        deadline = time.monotonic() + timeout
        with self.condition:
            while True:
                job = self._jobs.get(job_id)
                if job is None:
                    raise LookupError(job_id)
                shown = job.fields()
                info = _copy([shown.get(name) for name in fields])
                entries = [
                    entry for entry in job.log if previous_serial is None or entry[0] > previous_serial
                ]
                remaining = deadline - time.monotonic()
                over = remaining <= 0 or self.stopping.is_set()
                if info != previous_info or entries or job.is_final or over:
                    return info, list(entries)
                self.condition.wait(remaining)

    # -- execution ---------------------------------------------------------------------------------------

    def store(self, job: Job) -> None:
        """Write a job that changed and wake whoever waits; the lock must be held."""
        if self.stopping.is_set():
            raise Interrupted
        self.directory.write(job)
        self.condition.notify_all()

    def _find(self, job_id: int) -> Job | None:
        return self._jobs.get(job_id) or self.directory.load_archived(job_id)

    def _schedule(self) -> None:
        with self.condition:
            while not self.stopping.is_set():
                self._threads = [thread for thread in self._threads if thread.is_alive()]
                try:
                    self._start_ready()
                    self._archive_old()
                except OSError:
                    # A full disk, say: what could not be written now is tried again.
                    logger.exception("job queue")
                    self.condition.wait(RETRY_SECONDS)
                    continue
                self.condition.wait()

    def _start_ready(self) -> None:
        blocked: list[dict[str, bool]] = list(self._active.values())
        for number in sorted(self._jobs):
            job = self._jobs[number]
            if job.status != "queued" or len(self._active) >= MAX_RUNNING_JOBS:
                continue
            claims = claims_of(job.input)
            if self._waits_for_dependency(job):
                continue
            if not any(conflict(claims, other) for other in blocked):
                self._begin(job, claims)
            blocked.append(claims)

    def _begin(self, job: Job, claims: dict[str, bool]) -> None:
        job.status, job.start, job.process_id = "waiting", timestamp(), os.getpid()
        job.input = {**job.input, "debug_level": 0}
        try:
            self.directory.write(job)
        except OSError:
            job.status, job.start, job.process_id = "queued", None, None
            raise
        self._active[job.id] = claims
        thread = threading.Thread(target=self._execute, args=(job,), name=f"job-{job.id}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _execute(self, job: Job) -> None:
        try:
            status, result = self._outcome(job)
            while not self._finish(job, status, result):
                self.stopping.wait(RETRY_SECONDS)
        except Interrupted:
            logger.info("job %s was interrupted", job.id)

    def _finish(self, job: Job, status: str, result: Any) -> bool:
        """Store a job's end and give up its claims; False when it could not be written."""
        with self.condition:
            job.status, job.result, job.end = status, result, timestamp()
            try:
                self.store(job)
            except OSError:
                logger.exception("job %s", job.id)
                return False
            self._active.pop(job.id, None)
            return True

    def _outcome(self, job: Job) -> tuple[str, Any]:
        try:
            self._check_dependencies(job)
            if job.cancel_requested:
                return "canceled", None
            return "success", self._runner(JobHandle(self, job))
        except OpError as error:
            return "error", error.result()
        except Interrupted:
            raise
        except Exception:  # the edge of a job: whatever is wrong with the simulator fails this job only
            logger.exception("job %s", job.id)
            return "error", ["OpExecError", ["internal error of the simulator"]]

    def _waits_for_dependency(self, job: Job) -> bool:
        others = [self._find(number) for number, _ in job.input.get("depends") or []]
        return any(other is not None and not other.is_final for other in others)

    def _check_dependencies(self, job: Job) -> None:
        for number, wanted in job.input.get("depends") or []:
            with self.condition:
                other = self._find(number)
            if other is None:
                raise OpError("OpExecError", f"Dependency error: Job {number} not found")
            if wanted and other.status not in wanted:
                accepted = ", ".join(f"'{status}'" for status in wanted)
                raise OpError(
                    "OpExecError",
                    f"Dependency job {number} finished with status '{other.status}',"
                    f" not one of {accepted} as required",
                )

    def _archive_old(self) -> None:
        surplus = len(self._jobs) - self._keep_jobs
        for number in sorted(self._jobs)[: max(surplus, 0)]:
            self.archive(number)


def _absolute(depends: list[Any] | None, number: int) -> list[Any] | None:
    """Return dependencies with relative job ids (-1: the previous job) resolved."""
    if depends is None:
        return None
    return [[other if other > 0 else number + other, wanted] for other, wanted in depends]


def _copy(value: Any) -> Any:
    """Return a copy that later changes of the job do not reach."""
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value
