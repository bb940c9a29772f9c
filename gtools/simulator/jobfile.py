"""A job and its file, in the format of Ganeti's job queue (ganeti-backend contract 14)."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FINAL_STATUSES = frozenset({"canceled", "error", "success"})
JOBS_PER_ARCHIVE_DIRECTORY = 10000
Timestamp = list[int]

#: Filled in by the process that executes the job; absent from the file while the job is queued.
_LATE_PARAMETERS = frozenset({"debug_level", "instance_uuid"})


def timestamp() -> Timestamp:
    """Return the present as Ganeti writes it: seconds and microseconds."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return [seconds, nanoseconds // 1000]


@dataclass
class Job:
    """A job of one opcode; ``status`` is the job's and the opcode's at once."""

    id: int
    input: dict[str, Any]
    status: str = "queued"
    result: Any = None
    log: list[list[Any]] = field(default_factory=list)
    received: Timestamp = field(default_factory=timestamp)
    start: Timestamp | None = None
    execution: Timestamp | None = None
    end: Timestamp | None = None
    process_id: int | None = None
    cancel_requested: bool = False

    @property
    def opcode(self) -> str:
        """The opcode's name, such as ``OP_INSTANCE_CREATE``."""
        return str(self.input["OP_ID"])

    @property
    def is_final(self) -> bool:
        """Whether the job will never change again."""
        return self.status in FINAL_STATUSES

    def summary(self) -> str:
        """Return the one-line description Ganeti derives from the opcode."""
        name = self.opcode.removeprefix("OP_")
        key = "network_name" if name.startswith("NETWORK_") else "instance_name"
        value = self.input.get(key)
        return f"{name}({value})" if value else name

    def to_file(self) -> str:
        """Return the file's text."""
        parameters = dict(self.input)
        if self.status == "queued":
            parameters = {key: value for key, value in parameters.items() if key not in _LATE_PARAMETERS}
        operation = {
            "input": parameters,
            "status": self.status,
            "result": self.result,
            "log": self.log,
            "start_timestamp": self.start,
            "exec_timestamp": self.execution,
            "end_timestamp": self.end,
            "priority": self.input.get("priority", 0),
        }
        data: dict[str, Any] = {
            "id": self.id,
            "ops": [operation],
            "start_timestamp": self.start,
            "end_timestamp": self.end,
            "received_timestamp": self.received,
        }
        if self.process_id is not None:
            started = self.start[0] if self.start else self.received[0]
            data["livelock"] = f"/var/run/ganeti/livelocks/job_{self.id:06d}_{started}"
            data["process_id"] = self.process_id
        return json.dumps(data)

    @classmethod
    def from_file(cls, text: str) -> Job:
        """Return the job that a file describes."""
        data = json.loads(text)
        operation = data["ops"][0]
        return cls(
            id=int(data["id"]),
            input=operation["input"],
            status=operation["status"],
            result=operation["result"],
            log=operation["log"],
            received=data["received_timestamp"],
            start=data["start_timestamp"],
            execution=operation["exec_timestamp"],
            end=data["end_timestamp"],
            process_id=data.get("process_id"),
        )

    def fields(self) -> dict[str, Any]:
        """Return what RAPI and job waiting show of the job."""
        return {
            "id": self.id,
            "ops": [self.input],
            "status": self.status,
            "summary": [self.summary()],
            "opstatus": [self.status],
            "received_ts": self.received,
            "start_ts": self.start,
            "end_ts": self.end,
            "oplog": [self.log],
            "opresult": [self.result],
        }


class QueueDirectory:
    """The directory of job files, ``serial`` and ``archive``, which changes as Ganeti's own would."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "archive").mkdir(parents=True, exist_ok=True)
        if not (path / "version").exists():
            (path / "version").write_text("1\n")
        (path / "lock").touch()

    def next_id(self) -> int:
        """Take the next job id; it is never given again, even after a crash."""
        serial = self.path / "serial"
        number = int(serial.read_text()) + 1 if serial.exists() else 1
        self._replace(serial, f"{number}\n")
        return number

    def write(self, job: Job) -> None:
        """Put the job's present state into its file: a temporary name first, then renamed."""
        self._replace(self.path / f"job-{job.id}", job.to_file())

    def load(self) -> list[Job]:
        """Return all jobs that are not archived, by id."""
        numbers = [path.name.removeprefix("job-") for path in self.path.glob("job-*")]
        present = sorted(int(number) for number in numbers if number.isdigit())
        return [Job.from_file((self.path / f"job-{number}").read_text()) for number in present]

    def archive(self, job_id: int) -> None:
        """Move a job's file into the archive."""
        target = self._archived(job_id)
        target.parent.mkdir(exist_ok=True)
        (self.path / f"job-{job_id}").replace(target)

    def load_archived(self, job_id: int) -> Job | None:
        """Return an archived job, None when there is none."""
        try:
            return Job.from_file(self._archived(job_id).read_text())
        except FileNotFoundError:
            return None

    def _archived(self, job_id: int) -> Path:
        return self.path / "archive" / str(job_id // JOBS_PER_ARCHIVE_DIRECTORY) / f"job-{job_id}"

    def _replace(self, path: Path, text: str) -> None:
        temporary = path.with_name(f"{path.name}{secrets.token_hex(4)}.new")
        temporary.write_text(text)
        temporary.replace(path)
