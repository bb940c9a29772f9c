"""Jobs and their files, on a simulated and on a real cluster (ganeti-backend contract 3, 6, 14.1)."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from typing import Any

import pytest

from cyclades.ganeti.rapi import ANY_FINAL_STATUS, RapiRefused
from tests.contract.cluster import ContractCluster, number, prerequisite
from tests.lab.instance import wait_until

JOB_KEYS = {"id", "ops", "received_timestamp", "start_timestamp", "end_timestamp", "livelock", "process_id"}
OP_KEYS = {
    "input",
    "status",
    "result",
    "log",
    "priority",
    "start_timestamp",
    "exec_timestamp",
    "end_timestamp",
}
HEARTBEAT = "snf:eventd:heartbeat:host:1"


def is_timestamp(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(part, int) for part in value)
        and abs(value[0] - time.time()) < 600
        and 0 <= value[1] < 1_000_000
    )


@pytest.fixture(scope="session")
def finished(cluster: ContractCluster) -> int:
    """A successful dry-run job with a reason."""
    job_id = cluster.client.AddClusterTags([HEARTBEAT], dry_run=True, reason="req-42")
    cluster.succeed(job_id)
    return job_id


# -- files -----------------------------------------------------------------------------------------------


def test_a_final_job_file_has_these_keys(cluster: ContractCluster, finished: int) -> None:
    job = cluster.file(finished)
    assert set(job) == JOB_KEYS
    assert set(job["ops"][0]) == OP_KEYS
    assert job["id"] == finished
    assert isinstance(job["process_id"], int)
    assert isinstance(job["livelock"], str)


def test_a_final_job_file_has_all_timestamps(cluster: ContractCluster, finished: int) -> None:
    job = cluster.file(finished)
    (operation,) = job["ops"]
    received, start, end = (job[f"{name}_timestamp"] for name in ("received", "start", "end"))
    assert all(is_timestamp(value) for value in (received, start, end))
    assert all(is_timestamp(operation[f"{name}_timestamp"]) for name in ("start", "exec", "end"))
    assert received <= start <= operation["exec_timestamp"] <= operation["end_timestamp"] <= end


def test_the_input_holds_all_parameters_and_the_opcode(cluster: ContractCluster, finished: int) -> None:
    given = cluster.file(finished)["ops"][0]["input"]
    assert given["OP_ID"] == "OP_TAGS_SET"
    assert (given["kind"], given["name"], given["tags"]) == ("cluster", None, [HEARTBEAT])
    assert given["dry_run"] is True
    assert (given["priority"], given["depends"], given["comment"]) == (0, None, None)


def test_the_reason_trail_begins_with_the_users(cluster: ContractCluster, finished: int) -> None:
    trail = cluster.file(finished)["ops"][0]["input"]["reason"]
    assert [entry[:2] for entry in trail] == [
        ["gnt:user", "req-42"],
        ["gnt:library:rlib2:tags", ""],
        ["gnt:opcode:tags_set", f"job={finished};index=0"],
    ]
    assert all(abs(entry[2] / 1e9 - time.time()) < 600 for entry in trail)


def test_without_a_reason_the_trail_begins_with_rapi(cluster: ContractCluster) -> None:
    job_id = cluster.client.ShutdownInstance("nothing")
    cluster.fail(job_id)
    trail = cluster.file(job_id)["ops"][0]["input"]["reason"]
    assert trail[0][0] == "gnt:library:rlib2:instances_name_shutdown"


def test_log_entries_are_numbered_and_stamped(cluster: ContractCluster, finished: int) -> None:
    (entry,) = cluster.file(finished)["ops"][0]["log"]
    serial, stamp, kind, text = entry
    assert (serial, kind) == (1, "message")
    assert is_timestamp(stamp)
    assert text == " - INFO: dry-run mode requested, not actually executing the operation"


def test_an_unknown_instance_fails_before_execution(cluster: ContractCluster) -> None:
    job_id = cluster.client.StartupInstance("nothing")
    assert cluster.fail(job_id) == prerequisite("Instance 'nothing' not known", "unknown_entity")
    (operation,) = cluster.file(job_id)["ops"]
    assert operation["exec_timestamp"] is None
    assert is_timestamp(operation["end_timestamp"])


def test_the_queue_directory_has_serial_version_and_archive(cluster: ContractCluster, finished: int) -> None:
    assert int((cluster.queue_dir / "serial").read_text()) >= finished
    assert (cluster.queue_dir / "version").read_text().strip() == "1"
    assert (cluster.queue_dir / "archive").is_dir()


def test_every_status_is_written_in_order(cluster: ContractCluster) -> None:
    statuses: list[str] = []
    names: set[str] = set()
    stop = threading.Event()
    before = set(os.listdir(cluster.queue_dir))

    def watch() -> None:
        while not stop.is_set():
            found = {name for name in os.listdir(cluster.queue_dir) if name.startswith("job-")}
            names.update(found)
            for name in found - before:
                if not re.fullmatch(r"job-\d+", name):
                    continue
                try:
                    status = json.loads((cluster.queue_dir / name).read_text())["ops"][0]["status"]
                except FileNotFoundError:
                    continue
                if status not in statuses:
                    statuses.append(status)
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        cluster.instance()
        wait_until(lambda: "success" in statuses, timeout=60, what="the last status")
    finally:
        stop.set()
        watcher.join()
    # Who looks again and again may miss one, but never sees an earlier one again.
    assert [
        status for status in ("queued", "waiting", "running", "success") if status in statuses
    ] == statuses
    # Whatever else begins like a job file is a temporary name.
    assert all(re.fullmatch(r"job-\d+(\w*\.new|-\d+-\d+\.tmp)?", name) for name in names), names


# -- dependencies and cancellation -----------------------------------------------------------------------


def test_a_dependent_job_stays_queued_and_can_be_cancelled(cluster: ContractCluster) -> None:
    name = f"snf-{number()}"
    first = cluster.client.CreateInstance(cluster.instance_body(name))
    second = cluster.client.DeleteInstance(name, depends=[[first, ANY_FINAL_STATUS]])
    third = cluster.client.StartupInstance(name, depends=[[second, ANY_FINAL_STATUS]])
    waiting = cluster.file(third)
    assert waiting["ops"][0]["status"] == "queued"
    assert set(waiting) == JOB_KEYS - {"livelock", "process_id"}
    assert waiting["ops"][0]["input"]["depends"] == [[second, ANY_FINAL_STATUS]]
    assert waiting["start_timestamp"] is None and waiting["end_timestamp"] is None
    assert cluster.client.CancelJob(third) == (True, f"Dequeued job {third}")
    cancelled = cluster.file(third)
    assert cancelled["ops"][0]["status"] == "canceled"
    assert is_timestamp(cancelled["end_timestamp"])
    cluster.succeed(first)
    cluster.succeed(second)
    ends, starts = cluster.file(first)["end_timestamp"], cluster.file(second)["start_timestamp"]
    assert ends <= starts


def test_a_dependency_that_failed_lets_the_job_run_when_it_may(cluster: ContractCluster) -> None:
    first = cluster.client.StartupInstance("nothing")
    second = cluster.client.AddClusterTags([HEARTBEAT], dry_run=True)
    third = cluster.client.ShutdownInstance("nothing", depends=[[first, ANY_FINAL_STATUS]])
    cluster.fail(first)
    cluster.succeed(second)
    assert cluster.fail(third)[0] == "OpPrereqError"


def test_a_dependency_that_ended_otherwise_fails_the_job(cluster: ContractCluster) -> None:
    first = cluster.client.StartupInstance("nothing")
    second = cluster.client.ShutdownInstance("nothing", depends=[[first, ["success"]]])
    problem = f"Dependency job {first} finished with status 'error', not one of 'success' as required"
    assert cluster.fail(second) == ["OpExecError", [problem]]


def test_a_dependency_that_does_not_exist_fails_the_job(cluster: ContractCluster) -> None:
    job_id = cluster.client.ShutdownInstance("nothing", depends=[[999999, ["success"]]])
    assert cluster.fail(job_id) == ["OpExecError", ["Dependency error: Job 999999 not found"]]


@pytest.mark.parametrize("which", ["final", "unknown"])
def test_only_open_jobs_can_be_cancelled(cluster: ContractCluster, finished: int, which: str) -> None:
    job_id = finished if which == "final" else 999999
    assert cluster.client.CancelJob(job_id) == (False, f"Job {job_id} not found in queue")


# -- looking at jobs -------------------------------------------------------------------------------------


def test_a_job_as_rapi_shows_it(cluster: ContractCluster, finished: int) -> None:
    job = cluster.client.GetJobStatus(finished)
    assert job.keys() == {
        "id", "ops", "status", "summary", "opstatus", "received_ts", "start_ts", "end_ts", "oplog",
        "opresult",
    }  # fmt: skip
    assert (job["id"], job["status"], job["opstatus"], job["summary"]) == (
        finished,
        "success",
        ["success"],
        ["TAGS_SET"],
    )
    assert job["opresult"] == [None]
    assert job["ops"][0]["OP_ID"] == "OP_TAGS_SET"


def test_the_bulk_list_leaves_out_logs_and_results(cluster: ContractCluster, finished: int) -> None:
    jobs = {job["id"]: job for job in cluster.client.GetJobs(bulk=True)}
    assert jobs[finished].keys() == {
        "id", "ops", "status", "summary", "opstatus", "received_ts", "start_ts", "end_ts",
    }  # fmt: skip
    assert {"id": finished, "uri": f"/2/jobs/{finished}"} in cluster.client.GetJobs()


@pytest.mark.parametrize(
    ("submit", "summary"),
    [
        (lambda client: client.StartupInstance("nothing"), "INSTANCE_STARTUP(nothing)"),
        (lambda client: client.DeleteNetwork("nothing"), "NETWORK_REMOVE(nothing)"),
        (lambda client: client.ModifyCluster(), "CLUSTER_SET_PARAMS"),
    ],
)
def test_the_summary_names_the_object(cluster: ContractCluster, submit: Any, summary: str) -> None:
    assert cluster.job(submit(cluster.client))["summary"] == [summary]


def test_an_unknown_job_is_answered_with_nulls(cluster: ContractCluster) -> None:
    answer = cluster.raw("GET", "/2/jobs/999999")
    assert answer.status_code == 200
    assert answer.json()["id"] == 999999
    assert all(value is None for key, value in answer.json().items() if key != "id")
    with pytest.raises(RapiRefused) as caught:
        cluster.client.GetJobStatus(999999)
    assert caught.value.not_found


def test_an_archived_job_can_still_be_read_but_is_not_listed(cluster: ContractCluster) -> None:
    job_id = cluster.client.AddClusterTags([HEARTBEAT], dry_run=True)
    cluster.succeed(job_id)
    cluster.archive(job_id)
    assert not (cluster.queue_dir / f"job-{job_id}").exists()
    assert (cluster.queue_dir / "archive" / str(job_id // 10000) / f"job-{job_id}").exists()
    assert cluster.client.GetJobStatus(job_id)["status"] == "success"
    assert job_id not in [job["id"] for job in cluster.client.GetJobs()]
    with pytest.raises(RapiRefused):
        cluster.client.WaitForJobChange(job_id)


# -- waiting ---------------------------------------------------------------------------------------------


def test_waiting_without_knowledge_answers_at_once(cluster: ContractCluster, finished: int) -> None:
    change = cluster.client.WaitForJobChange(finished)
    assert change is not None
    assert change["job_info"] == ["success", [None]]
    assert [entry[0] for entry in change["log_entries"]] == [1]


def test_log_entries_already_seen_are_left_out(cluster: ContractCluster, finished: int) -> None:
    change = cluster.client.WaitForJobChange(finished, previous_log_serial=1)
    assert change == {"job_info": ["success", [None]], "log_entries": []}


def test_nothing_new_is_told_after_ten_seconds(cluster: ContractCluster) -> None:
    last = cluster.client.StartupInstance("nothing", depends=[[cluster.long_job(), ANY_FINAL_STATUS]])
    first = cluster.client.WaitForJobChange(last, ["status"])
    assert first == {"job_info": ["queued"], "log_entries": []}
    begin = time.monotonic()
    answer = cluster.raw(
        "GET",
        f"/2/jobs/{last}/wait",
        {"fields": ["status"], "previous_job_info": ["queued"], "previous_log_serial": None},
    )
    elapsed = time.monotonic() - begin
    cluster.client.CancelJob(last)
    assert answer.json() == {"job_info": ["queued"], "log_entries": []}
    assert 5 < elapsed < 60


def test_waiting_for_an_unknown_job_is_a_server_error(cluster: ContractCluster) -> None:
    with pytest.raises(RapiRefused) as caught:
        cluster.client.WaitForJobChange(999999)
    assert caught.value.not_found


def test_waiting_needs_a_body(cluster: ContractCluster, finished: int) -> None:
    assert cluster.raw("GET", f"/2/jobs/{finished}/wait").status_code == 500
    assert cluster.raw("GET", f"/2/jobs/{finished}/wait", {}).status_code == 400


# -- dry run ---------------------------------------------------------------------------------------------


def test_a_dry_run_changes_nothing(cluster: ContractCluster, running: str) -> None:
    job_id = cluster.client.ShutdownInstance(running, dry_run=True)
    cluster.succeed(job_id)
    assert cluster.file(job_id)["ops"][0]["input"]["dry_run"] is True
    assert cluster.client.GetInstance(running)["status"] == "running"


def test_a_dry_run_of_modify_goes_into_the_body(cluster: ContractCluster, running: str) -> None:
    cluster.succeed(cluster.client.ModifyInstance(running, {"beparams": {"vcpus": 2}}, dry_run=True))
    assert cluster.client.GetInstance(running)["beparams"]["vcpus"] == 1


def test_an_empty_cluster_change_succeeds(cluster: ContractCluster) -> None:
    job_id = cluster.client.ModifyCluster()
    assert cluster.succeed(job_id) is None
    assert cluster.file(job_id)["ops"][0]["input"]["OP_ID"] == "OP_CLUSTER_SET_PARAMS"
