"""What the contract suite knows of a cluster, simulated or real."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from cyclades.ganeti.rapi import FINAL_STATUSES, RapiClient
from tests.lab.instance import wait_until

Json = Any
_NUMBERS = itertools.count(1)


def number() -> int:
    """A number no other object of this run has."""
    return next(_NUMBERS)


def prerequisite(text: str, code: str | None = None) -> list[Any]:
    """The result of a job that may not run in the cluster's present state."""
    return ["OpPrereqError", [text] if code is None else [text, code]]


@dataclass
class ContractCluster:
    """A cluster under test. ``query`` asks the query socket, ``archive`` moves a final job away, and
    ``long_job`` orders a job that takes a minute.
    """

    kind: str
    host: str
    port: int
    user: str
    password: str
    name: str
    queue_dir: Path
    archive: Callable[[int], None]
    query: Callable[[str, list[Any]], Json]
    long_job: Callable[[], int]
    client: RapiClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = RapiClient(self.host, self.port, self.user, self.password, connect_timeout=60)

    # -- below the client ----------------------------------------------------------------------------------

    def raw(self, method: str, path: str, body: Json = None, **options: Any) -> httpx.Response:
        """One request without the client under test; ``body`` None sends none."""
        options.setdefault("auth", (self.user, self.password))
        if body is not None:
            options["content"] = json.dumps(body).encode()
            options["headers"] = {"Content-Type": "application/json", **options.get("headers", {})}
        with httpx.Client(verify=False, trust_env=False, timeout=30) as client:
            return client.request(method, f"https://{self.host}:{self.port}{path}", **options)

    # -- jobs ----------------------------------------------------------------------------------------------

    def job(self, job_id: int) -> Json:
        """Wait for a job and return it as RAPI shows it.

        Its file tells of its end at less cost than RAPI, which is asked again for each change.
        """
        wait_until(
            lambda: self.file(job_id)["ops"][-1]["status"] in FINAL_STATUSES,
            timeout=240, what=f"the end of job {job_id}", interval=0.02,
        )  # fmt: skip
        return self.client.WaitForJobCompletion(job_id)

    def succeed(self, job_id: int) -> Json:
        """Wait for a job, which must succeed, and return its result."""
        job = self.job(job_id)
        assert job["status"] == "success", job["opresult"]
        return job["opresult"][0]

    def fail(self, job_id: int) -> Json:
        """Wait for a job, which must fail, and return its result."""
        job = self.job(job_id)
        assert job["status"] == "error", job["opresult"]
        return job["opresult"][0]

    def file(self, job_id: int) -> Json:
        """The job's file in the queue directory."""
        return json.loads((self.queue_dir / f"job-{job_id}").read_text())

    def log(self, job_id: int) -> list[str]:
        """The lines that a job logged."""
        return [entry[3] for entry in self.client.GetJobStatus(job_id)["oplog"][0]]

    # -- objects -------------------------------------------------------------------------------------------

    def instance_body(self, name: str, /, **changes: Any) -> dict[str, Any]:
        """A small instance as Cyclades asks for it."""
        body: dict[str, Any] = {
            "__version__": 1,
            "mode": "create",
            "name": name,
            "os": "snf-image+default",
            "disk_template": "file",
            "wait_for_sync": False,
            "ip_check": False,
            "name_check": False,
            "disks": [{"name": f"{name}-vol", "size": 16}],
            "nics": [],
            "beparams": {"auto_balance": True, "vcpus": 1, "memory": 32},
            "hvparams": {},
            "osparams": {"img_id": "null", "img_format": "diskdump"},
            "opportunistic_locking": True,
        }
        return {**body, **changes}

    def instance(self, *, start: bool = True, nics: Sequence[dict[str, Any]] = (), **changes: Any) -> str:
        """Create an instance and return its name."""
        name = f"snf-{number()}"
        body = self.instance_body(name, start=start, nics=list(nics), **changes)
        self.succeed(self.client.CreateInstance(body))
        return name

    def network(self, *, connect: bool = True, **changes: Any) -> str:
        """Create a network of its own range, connected, and return its name."""
        serial = number()
        options = {
            "network": f"10.{200 + serial // 250}.{serial % 250}.0/24",
            "conflicts_check": False,
            **changes,
        }
        name = f"snf-net-{serial}"
        self.succeed(self.client.CreateNetwork(name, options.pop("network"), **options))
        if connect:
            self.connect(name)
        return name

    def connect(self, network: str, **options: Any) -> None:
        """Connect a network to the only node group."""
        options.setdefault("conflicts_check", False)
        self.succeed(self.client.ConnectNetwork(network, "default", "bridged", "br0", **options))

    def modify(self, instance: str, **changes: Any) -> Json:
        """Change an instance and return the job's result."""
        return self.succeed(self.client.ModifyInstance(instance, changes))

    def modify_fails(self, instance: str, **changes: Any) -> Json:
        """Try to change an instance and return the failed job's result."""
        return self.fail(self.client.ModifyInstance(instance, changes))

    def address(self, network: str, last: int) -> str:
        """An address of a network made by :meth:`network`."""
        prefix = self.client.GetNetwork(network)["network"].rpartition(".")[0]
        return f"{prefix}.{last}"
