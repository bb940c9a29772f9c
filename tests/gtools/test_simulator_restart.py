"""The simulated cluster survives its process: restarts, kills, and a second one on the same state."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cyclades.ganeti.rapi import GanetiApiError, RapiClient
from gtools.simulator import AlreadyRunning, Simulator, SimulatorOptions
from tests.lab.instance import free_ports

pytestmark = pytest.mark.functional


@pytest.fixture
def options(tmp_path: Path) -> SimulatorOptions:
    return SimulatorOptions(
        queue_dir=tmp_path / "queue",
        state_file=tmp_path / "state.json",
        password="pass",
        time_scale=0,
        hypervisors=("fake",),
    )


def client_of(simulator: Simulator) -> RapiClient:
    return RapiClient("127.0.0.1", simulator.port, "synnefo", "pass", connect_timeout=60)


BODY = {
    "__version__": 1,
    "mode": "create",
    "name": "snf-1",
    "os": "snf-image+default",
    "disk_template": "file",
    "disks": [{"name": "snf-vol-1", "size": 1024}],
    "nics": [{"name": "snf-nic-1", "network": "snf-net-1", "ip": "pool"}],
    "beparams": {"vcpus": 1, "memory": 128},
}


def test_everything_is_there_after_a_restart(options: SimulatorOptions) -> None:
    with Simulator(options) as simulator, client_of(simulator) as client:
        client.CreateNetwork("snf-net-1", "10.0.0.0/24", conflicts_check=False)
        connected = client.ConnectNetwork("snf-net-1", "default", "bridged", "br0", conflicts_check=False)
        client.WaitForJobCompletion(connected)
        job = client.WaitForJobCompletion(client.CreateInstance(BODY))
        assert job["status"] == "success", job["opresult"]
        before = (client.GetInfo(), client.GetInstances(True), client.GetNetworks(True), client.GetJobs(True))
    with Simulator(options) as simulator, client_of(simulator) as client:
        after = (client.GetInfo(), client.GetInstances(True), client.GetNetworks(True), client.GetJobs(True))
        assert after == before
        assert client.AddClusterTags(["a"]) == before[3][-1]["id"] + 1, "ids are never given twice"


def test_a_job_in_the_middle_of_its_work_has_failed(options: SimulatorOptions) -> None:
    with Simulator(options) as simulator, client_of(simulator) as client:
        simulator.fail(kind="slow_job", seconds=60)
        running = client.AddClusterTags(["a"])
        queued = client.AddClusterTags(["b"])
        client.WaitForJobChange(running, ["status"], ["queued"])
        client.WaitForJobChange(running, ["status"], ["waiting"])
    with Simulator(options) as simulator, client_of(simulator) as client:
        assert client.GetJobStatus(running)["status"] == "error"
        assert client.GetJobStatus(running)["opresult"] == ["Unexpectedly died"]
        assert client.WaitForJobCompletion(queued)["status"] == "success", "queued jobs are run"


def test_two_simulators_cannot_share_a_state(options: SimulatorOptions) -> None:
    with Simulator(options), pytest.raises(AlreadyRunning):
        Simulator(options)


def test_old_jobs_are_archived(tmp_path: Path) -> None:
    options = SimulatorOptions(
        queue_dir=tmp_path / "queue", state_file=tmp_path / "s", password="pass", time_scale=0, keep_jobs=5
    )
    with Simulator(options) as simulator, client_of(simulator) as client:
        for _ in range(8):
            client.WaitForJobCompletion(client.AddClusterTags(["a"]))
        deadline = time.monotonic() + 60
        while len(client.GetJobs()) > 5 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(client.GetJobs()) == 5
        assert client.GetJobStatus(1)["status"] == "success"


# -- as a process ----------------------------------------------------------------------------------------


class Program:
    """``python -m gtools.simulator`` on a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.password = directory / "password"
        self.password.write_text("pass\n")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> RapiClient:
        (port,) = free_ports(1)
        command = [
            *(sys.executable, "-m", "gtools.simulator", "--port", str(port), "--speed", "0"),
            *("--queue-dir", str(self.directory / "queue"), "--state", str(self.directory / "state.json")),
            *("--ssconf-dir", str(self.directory / "ssconf"), "--hypervisors", "fake"),
            *("--password-file", str(self.password), "--cluster-name", "demo.example.org", *arguments),
        ]
        self.process = subprocess.Popen(command)
        client = RapiClient("127.0.0.1", port, "synnefo", "pass", connect_timeout=60)
        deadline = time.monotonic() + 120
        while True:
            try:
                client.GetVersion()
            except GanetiApiError:
                assert self.process.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
            else:
                return client

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        os.kill(self.process.pid, number)
        return self.process.wait(60)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path)
    yield program
    if program.process is not None and program.process.poll() is None:
        program.end(signal.SIGKILL)


def test_the_program_serves_and_ends_on_sigterm(program: Program) -> None:
    with program.start() as client:
        assert client.GetInfo()["name"] == "demo.example.org"
        assert (program.directory / "ssconf" / "ssconf_cluster_name").read_text() == "demo.example.org\n"
        master = (program.directory / "ssconf" / "ssconf_master_node").read_text().strip()
        assert master == client.GetInfo()["master"]
    assert program.end() == 0


@pytest.mark.fault
def test_killing_the_program_loses_no_accepted_job(program: Program) -> None:
    with program.start("--fail", json.dumps({"kind": "slow_job", "seconds": 60})) as client:
        first = client.AddClusterTags(["a"])
        others = [client.AddClusterTags([f"t{number}"]) for number in range(20)]
        client.WaitForJobChange(first, ["status"], ["queued"])
    program.end(signal.SIGKILL)
    with program.start() as client:
        assert client.WaitForJobCompletion(first)["status"] in ("error", "success")
        assert {client.WaitForJobCompletion(number)["status"] for number in others} == {"success"}
        assert set(client.GetClusterTags()) >= {f"t{number}" for number in range(20)}


def test_a_port_in_use_is_a_plain_error(program: Program) -> None:
    client = program.start()
    command = [
        *(sys.executable, "-m", "gtools.simulator", "--port", str(client.port)),
        *("--queue-dir", str(program.directory / "q2"), "--state", str(program.directory / "s2")),
        *("--password-file", str(program.password)),
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
