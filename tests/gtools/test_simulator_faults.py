"""Failures on demand of the simulated cluster, seen through the client."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cyclades.ganeti.rapi import RapiClient, RapiRefused, RapiUnavailable, RapiUnknown
from gtools.simulator import Simulator, SimulatorOptions
from gtools.simulator.faults import Fault

pytestmark = pytest.mark.functional


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    options = SimulatorOptions(
        queue_dir=tmp_path / "queue",
        state_file=tmp_path / "state.json",
        password="pass",
        time_scale=0,
        control_port=0,
        hypervisors=("fake",),
    )
    with Simulator(options) as running:
        yield running


@pytest.fixture
def client(simulator: Simulator) -> Iterator[RapiClient]:
    with RapiClient(
        "127.0.0.1", simulator.port, "synnefo", "pass", connect_timeout=60, read_timeout=120
    ) as client:
        yield client


def control(simulator: Simulator, method: str, path: str, body: Any = None) -> Any:
    url = f"http://127.0.0.1:{simulator.control_port}{path}"
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=60) as answer:
        return json.loads(answer.read())


def test_the_next_jobs_of_an_opcode_fail(simulator: Simulator, client: RapiClient) -> None:
    simulator.fail(kind="job", opcode="OP_TAGS_SET", text="disk on fire", count=2)
    results = []
    for _ in range(3):
        results.append(client.WaitForJobCompletion(client.AddClusterTags(["a"]))["opresult"][0])
    assert results == [["OpExecError", ["disk on fire"]]] * 2 + [None]


def test_jobs_of_other_opcodes_do_not_fail(simulator: Simulator, client: RapiClient) -> None:
    simulator.fail(kind="job", opcode="OP_INSTANCE_CREATE")
    assert client.WaitForJobCompletion(client.AddClusterTags(["a"]))["status"] == "success"


def test_a_failure_may_carry_an_error_code(simulator: Simulator, client: RapiClient) -> None:
    simulator.fail(
        kind="job", error="OpPrereqError", text="no room", error_code="temp_insufficient_resources"
    )
    job = client.WaitForJobCompletion(client.AddClusterTags(["a"]))
    assert job["opresult"] == [["OpPrereqError", ["no room", "temp_insufficient_resources"]]]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(503, RapiUnavailable), (500, RapiUnknown), (401, RapiUnavailable), (400, RapiRefused)],
)
def test_requests_are_answered_with_a_status(
    simulator: Simulator, client: RapiClient, status: int, kind: type[Exception]
) -> None:
    simulator.fail(kind="status", status=status, method="PUT")
    with pytest.raises(kind):
        client.AddClusterTags(["a"])
    assert client.GetJobs() == [], "nothing happened"
    client.AddClusterTags(["a"])


def test_a_lost_answer_leaves_a_job_behind(simulator: Simulator, client: RapiClient) -> None:
    simulator.fail(kind="drop_answer", path="^/2/tags")
    with pytest.raises(RapiUnknown):
        client.AddClusterTags(["a"], reason="req-7")
    (job,) = client.GetJobs(bulk=True)
    assert job["ops"][0]["reason"][0][:2] == ["gnt:user", "req-7"]


def test_a_hanging_request_does_nothing(simulator: Simulator, client: RapiClient) -> None:
    simulator.fail(kind="hang", seconds=300, path="^/2/tags")
    with (
        RapiClient(
            "127.0.0.1", simulator.port, "synnefo", "pass", connect_timeout=60, read_timeout=0.5
        ) as impatient,
        pytest.raises(RapiUnknown),
    ):
        impatient.AddClusterTags(["a"])
    assert client.GetJobs() == []


def test_an_answer_can_come_late(simulator: Simulator, client: RapiClient) -> None:
    simulator.fail(kind="delay", seconds=0.3)
    begin = time.monotonic()
    client.GetInfo()
    assert time.monotonic() - begin >= 0.3


def test_a_slow_job_keeps_its_instance_locked(simulator: Simulator, client: RapiClient) -> None:
    # Longer, if these questions took longer than the job.
    for seconds in (0.5, 5, 50):
        simulator.fail(kind="slow_job", opcode="OP_TAGS_SET", seconds=seconds)
        first = client.AddClusterTags(["a"])
        second = client.DeleteClusterTags(["a"])
        change = client.WaitForJobChange(first, ["status"], ["queued"])
        behind = client.GetJobStatus(second)["status"]
        is_held = client.GetJobStatus(first)["status"] in ("waiting", "running")
        assert client.WaitForJobCompletion(second)["status"] == "success"
        if is_held:
            break
    assert is_held
    assert change is not None and change["job_info"][0] in ("waiting", "running")
    assert behind == "queued"


def test_the_control_endpoint_plans_shows_and_clears(simulator: Simulator, client: RapiClient) -> None:
    planned = control(simulator, "POST", "/faults", {"kind": "job", "opcode": "OP_TAGS_SET", "text": "x"})
    assert [(fault["kind"], fault["count"]) for fault in planned] == [("job", 1)]
    assert control(simulator, "GET", "/faults") == planned
    assert control(simulator, "DELETE", "/faults") == []
    assert client.WaitForJobCompletion(client.AddClusterTags(["a"]))["status"] == "success"


def test_the_control_endpoint_archives_jobs(simulator: Simulator, client: RapiClient) -> None:
    job_id = client.AddClusterTags(["a"])
    client.WaitForJobCompletion(job_id)
    assert control(simulator, "POST", "/archive", {"job": job_id}) == {"archived": True}
    assert control(simulator, "POST", "/archive", {"job": job_id}) == {"archived": False}
    assert client.GetJobs() == []


@pytest.mark.parametrize(
    "body", [{}, {"kind": "odd"}, {"kind": "job", "odd": 1}, {"kind": "job", "count": "1"}, 5]
)
def test_the_control_endpoint_refuses_nonsense(simulator: Simulator, body: Any) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        control(simulator, "POST", "/faults", body)
    assert caught.value.code == 400
    caught.value.close()


def test_a_fault_is_checked_when_it_is_planned() -> None:
    with pytest.raises(ValueError, match="kind"):
        Fault.parse({"kind": "odd"})
