"""From job files to messages (ganeti-backend contract 6.3)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gtools.jobfile import Job, JobFileError, job_id_of, message_for, read_job
from gtools.luxi import InstanceState
from synnefo.messages import (
    ClusterStatus,
    Heartbeat,
    InstanceHvparams,
    InstanceNic,
    Message,
    NetworkStatus,
    OpStatus,
)
from tests.gtools.fake_master import job, op

pytestmark = pytest.mark.unit

STATE = InstanceState((InstanceNic(name="snf-nic-1"),), (), InstanceHvparams())


def parsed(tmp_path: Path, content: object) -> Job:
    path = tmp_path / "job"
    path.write_text(json.dumps(content))
    return read_job(path)


def message(tmp_path: Path, opcode: dict[str, Any], state: InstanceState | None = STATE) -> Message | None:
    read = parsed(tmp_path, job(9, opcode))
    return message_for(read, read.ops[0], "c1", lambda instance: state)


def op_message(tmp_path: Path, opcode: dict[str, Any], state: InstanceState | None = STATE) -> OpStatus:
    found = message(tmp_path, opcode, state)
    assert isinstance(found, OpStatus)
    return found


@pytest.mark.parametrize(
    ("name", "job_id"),
    [
        ("job-123", 123),
        ("job-123abcdef.new", None),
        ("job-123-7.tmp", None),
        ("serial", None),
        ("lock", None),
        ("job-", None),
        ("job-12\n", None),
        ("job-١٢", None),
    ],
)
def test_only_finished_names_are_jobs(name: str, job_id: int | None) -> None:
    assert job_id_of(name) == job_id


@pytest.mark.parametrize(
    ("status", "time"),
    [
        ("queued", (1_700_000_000, 5)),
        ("waiting", (1_700_000_001, 10)),
        ("canceling", (1_700_000_001, 10)),
        ("running", (1_700_000_002, 20)),
        ("success", (1_700_000_003, 30)),
        ("error", (1_700_000_003, 30)),
        ("canceled", (1_700_000_003, 30)),
    ],
)
def test_event_time_depends_on_status(tmp_path: Path, status: str, time: tuple[int, int]) -> None:
    assert op_message(tmp_path, op("OP_INSTANCE_SHUTDOWN", status, instance_name="snf-1")).event_time == time


def test_event_time_falls_back_to_the_job(tmp_path: Path) -> None:
    content = job(9, op("OP_INSTANCE_SHUTDOWN", "error", instance_name="snf-1"))
    content["ops"][0]["end_timestamp"] = None
    content["end_timestamp"] = [1_700_000_009, 1]
    assert parsed(tmp_path, content).ops[0].event_time == (1_700_000_009, 1)


def test_shutdown_tells_status_log_and_result(tmp_path: Path) -> None:
    opcode = op(
        "OP_INSTANCE_SHUTDOWN",
        "error",
        instance_name="snf-1",
        result=["OpExecError", ["no", "x"]],
        log=[[1, [1, 2], "message", "first"], [2, [1, 3], "message", "last"]],
    )
    found = op_message(tmp_path, opcode)
    assert (found.instance, found.status, found.job_id, found.cluster) == ("snf-1", "error", 9, "c1")
    assert found.logmsg == "last"
    assert found.result == ["OpExecError", ["no", "x"]]
    assert found.instance_nics is None


@pytest.mark.parametrize(
    ("name", "status", "looked_up"),
    [
        ("OP_INSTANCE_CREATE", "success", True),
        ("OP_INSTANCE_CREATE", "error", False),
        ("OP_INSTANCE_STARTUP", "success", True),
        ("OP_INSTANCE_SET_PARAMS", "error", True),
        ("OP_INSTANCE_SET_PARAMS", "canceled", True),
        ("OP_INSTANCE_SET_PARAMS", "running", False),
        ("OP_INSTANCE_GROW_DISK", "success", True),
        ("OP_INSTANCE_REBOOT", "success", False),
    ],
)
def test_state_is_looked_up_when_it_may_have_changed(
    tmp_path: Path, name: str, status: str, looked_up: bool
) -> None:
    found = op_message(tmp_path, op(name, status, instance_name="snf-1"))
    assert (found.instance_nics is not None) is looked_up


def test_vanished_instance_is_told_without_state(tmp_path: Path) -> None:
    found = op_message(tmp_path, op("OP_INSTANCE_STARTUP", "success", instance_name="snf-1"), None)
    assert found.instance_nics is None and found.instance_hvparams is None


def test_failed_create_carries_its_whole_input(tmp_path: Path) -> None:
    opcode = op("OP_INSTANCE_CREATE", "error", instance_name="snf-1", os_type="snf-image", nics=[])
    assert op_message(tmp_path, opcode).job_fields["os_type"] == "snf-image"


def test_create_carries_nics_disks_and_parameters(tmp_path: Path) -> None:
    opcode = op(
        "OP_INSTANCE_CREATE", "running", instance_name="snf-1", nics=[1], disks=[2], tags=["a"], os_type="x"
    )
    found = op_message(tmp_path, opcode)
    assert found.job_fields == {"nics": [1], "disks": [2], "hvparams": None, "beparams": None}
    assert found.tags == ("a",)


def test_instance_may_be_the_only_one_of_a_list(tmp_path: Path) -> None:
    assert (
        op_message(tmp_path, op("OP_INSTANCE_QUERY_DATA", "success", instances=["snf-4"])).instance == "snf-4"
    )
    assert message(tmp_path, op("OP_INSTANCE_QUERY_DATA", "success", instances=["snf-4", "snf-5"])) is None
    assert message(tmp_path, op("OP_INSTANCE_QUERY_DATA", "success")) is None


def test_snapshot_gets_its_info_from_the_reason(tmp_path: Path) -> None:
    opcode = op(
        "OP_INSTANCE_SNAPSHOT",
        "success",
        instance_name="snf-1",
        disks=[["snf-vol-1", {"snapshot_name": "s"}]],
        reason=[["gnt:user", '{"snapshot_id": "u", "request_id": "r-9"}', 1], ["gnt:library", "", 2]],
    )
    found = op_message(tmp_path, opcode)
    disk = found.job_fields["disks"][0]
    assert disk[0] == "snf-vol-1" and disk[1]["snapshot_name"] == "s"
    assert json.loads(disk[1]["snapshot_info"])["snapshot_id"] == "u"
    assert found.request_id == "r-9"


def test_request_id_is_the_users_reason(tmp_path: Path) -> None:
    reason = [["gnt:user", "req-1", 1], ["gnt:library:rlib2", "", 2]]
    opcode = op("OP_INSTANCE_STARTUP", "queued", instance_name="snf-1", reason=reason)
    assert op_message(tmp_path, opcode).request_id == "req-1"


@pytest.mark.parametrize("reason", [None, [], "x", [["gnt:library", "r", 1]], [["gnt:user", "", 1]], [5]])
def test_no_reason_no_request_id(tmp_path: Path, reason: object) -> None:
    opcode = op("OP_INSTANCE_STARTUP", "queued", instance_name="snf-1", reason=reason)
    assert op_message(tmp_path, opcode).request_id is None


def test_dry_run_is_not_told(tmp_path: Path) -> None:
    assert message(tmp_path, op("OP_INSTANCE_REMOVE", "success", instance_name="snf-1", dry_run=True)) is None


def test_heartbeat_is_the_one_dry_run_that_is_told(tmp_path: Path) -> None:
    opcode = op(
        "OP_TAGS_SET", "waiting", kind="cluster", dry_run=True, tags=["snf:eventd:heartbeat:1"], name=None
    )
    assert isinstance(message(tmp_path, opcode), Heartbeat)
    assert message(tmp_path, {**opcode, "status": "queued"}) is None
    opcode["input"]["dry_run"] = False
    assert message(tmp_path, opcode) is None


def test_instance_tags_are_told_when_final(tmp_path: Path) -> None:
    opcode = op("OP_TAGS_SET", "success", kind="instance", name="snf-1", tags=["cyclades:user:a"])
    found = op_message(tmp_path, opcode)
    assert (found.instance, found.tags) == ("snf-1", ("cyclades:user:a",))
    assert found.job_fields == {"dry_run": False}
    assert message(tmp_path, op("OP_TAGS_SET", "running", kind="instance", name="snf-1", tags=[])) is None
    assert message(tmp_path, op("OP_TAGS_SET", "success", kind="node", name="n", tags=[])) is None


def test_network_job_tells_its_fields(tmp_path: Path) -> None:
    opcode = op(
        "OP_NETWORK_ADD",
        "success",
        network_name="snf-net-3",
        network="10.0.0.0/24",
        gateway=None,
        add_reserved_ips=["10.0.0.1"],
    )
    found = message(tmp_path, opcode)
    assert isinstance(found, NetworkStatus)
    assert (found.network, found.subnet, found.gateway) == ("snf-net-3", "10.0.0.0/24", None)
    assert (found.add_reserved_ips, found.remove_reserved_ips) == (("10.0.0.1",), None)
    assert message(tmp_path, op("OP_NETWORK_QUERY", "success")) is None


def test_cluster_parameters_are_told_and_nothing_else_of_the_cluster(tmp_path: Path) -> None:
    assert isinstance(message(tmp_path, op("OP_CLUSTER_SET_PARAMS", "queued")), ClusterStatus)
    assert message(tmp_path, op("OP_CLUSTER_VERIFY", "success")) is None
    assert message(tmp_path, op("OP_NODE_MIGRATE", "success")) is None
    assert message(tmp_path, op("OP_ODD", "success")) is None


def test_odd_parts_of_a_job_are_passed_over(tmp_path: Path) -> None:
    content = job(9, op("OP_INSTANCE_REBOOT", "lost", instance_name="snf-1"))
    content["ops"] += [5, {"input": None}, {"input": {"OP_ID": 7}, "status": "success"}]
    assert parsed(tmp_path, content).ops == ()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ops": 5}', '{"ops": []}', "[" * 100_000])
def test_what_is_no_job_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "job-1"
    path.write_text(text)
    with pytest.raises(JobFileError):
        read_job(path)
