"""The event daemon with an embedded broker (ganeti-backend contract 6)."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gtools.eventd import EventDaemon, EventdOptions
from gtools.luxi import firewall_of
from gtools.queue_watch import InotifyWatcher, PollingWatcher
from gtools.spool import Spool
from synnefo.amqp import Client, connect
from synnefo.messages import Heartbeat, InstanceDisk, Message, OpStatus, decode
from tests.gtools.fake_master import FakeMaster, op

pytestmark = pytest.mark.functional

STATE: dict[str, Any] = {
    "nic.names": ["snf-nic-1", None],
    "nic.networks.names": ["snf-net-2", None],
    "nic.ips": ["10.0.0.2", None],
    "nic.macs": ["aa:00:00:00:00:01", "aa:00:00:00:00:02"],
    "nic.modes": ["bridged", "bridged"],
    "nic.links": ["br0", "br0"],
    "nic.uuids": ["u1", "u2"],
    "tags": ["synnefo:network:snf-nic-1:protected", "cyclades:user:x"],
    "disk.names": ["snf-vol-1"],
    "disk.sizes": [1024],
    "disk.uuids": ["d1"],
    "hv/boot_order": None,
    "hv/cdrom_image_path": None,
}


@pytest.fixture
def master(tmp_path: Path) -> Iterator[FakeMaster]:
    fake = FakeMaster(tmp_path)
    fake.instances["snf-1"] = STATE
    yield fake
    fake.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Client]:
    client = connect([f"embedded://{tmp_path}/broker"])
    client.exchange_declare("ganeti")
    client.queue_declare("all")
    client.queue_bind("all", "ganeti", "#")
    yield client
    client.close()


def options(master: FakeMaster, **changes: Any) -> EventdOptions:
    values: dict[str, Any] = {
        "queue_dir": str(master.queue_dir),
        "ssconf_dir": str(master.ssconf_dir),
        "luxi_socket": str(master.luxi_socket),
        "spool_dir": str(master.folder / "spool"),
        "amqp_hosts": (f"embedded://{master.folder}/broker",),
        "node_name": "node1.example.org",
    }
    return EventdOptions(**(values | changes))


@pytest.fixture
def start(master: FakeMaster, broker: Client) -> Iterator[Callable[..., EventDaemon]]:
    daemons: list[EventDaemon] = []

    def start_one(**changes: Any) -> EventDaemon:
        daemon = EventDaemon(options(master, **changes))
        daemons.append(daemon)
        return daemon

    yield start_one
    for daemon in daemons:
        daemon.close()


def received(broker: Client, queue: str = "all") -> list[Message]:
    found = []
    while (delivery := broker.get(queue)) is not None:
        found.append(decode(delivery.body))
        broker.ack(delivery)
    return found


def statuses(broker: Client) -> list[tuple[int, str]]:
    return [(message.job_id, message.status) for message in received(broker) if isinstance(message, OpStatus)]


def shutdown(status: str, instance: str = "snf-1") -> dict[str, Any]:
    return op("OP_INSTANCE_SHUTDOWN", status, instance_name=instance)


def test_each_status_is_told_once(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon]
) -> None:
    daemon = start()
    for status in ("queued", "waiting", "waiting", "running", "running", "success", "success"):
        master.write_ops(3, shutdown(status))
        daemon.run_once(1.0)
    assert statuses(broker) == [(3, "queued"), (3, "waiting"), (3, "running"), (3, "success")]


def test_success_carries_the_instance_state(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon]
) -> None:
    daemon = start()
    master.write_ops(4, op("OP_INSTANCE_STARTUP", "success", instance_name="snf-1"))
    daemon.run_once(1.0)
    [message] = received(broker)
    assert isinstance(message, OpStatus) and message.instance_nics is not None
    assert [nic.firewall for nic in message.instance_nics] == ["protected", None]
    assert message.instance_nics[1].mac == "aa:00:00:00:00:02"
    assert message.instance_disks == (InstanceDisk(name="snf-vol-1", size=1024, uuid="d1"),)
    assert message.instance_hvparams is not None and message.instance_hvparams.boot_order == ""
    assert master.questions[0]["method"] == "QueryInstances"
    assert master.questions[0]["args"][2] is False


def test_instance_gone_meanwhile_is_told_without_state(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon]
) -> None:
    daemon = start()
    master.write_ops(4, op("OP_INSTANCE_STARTUP", "success", instance_name="snf-404"))
    daemon.run_once(1.0)
    [message] = received(broker)
    assert isinstance(message, OpStatus) and message.instance_nics is None
    assert len(master.questions) == 1


def test_query_daemon_away_delays_messages_in_order(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon], tmp_path: Path
) -> None:
    late = tmp_path / "late"
    daemon = start(luxi_socket=str(late))
    master.write_ops(4, op("OP_INSTANCE_STARTUP", "success", instance_name="snf-1"))
    master.write_ops(5, shutdown("success"))
    daemon.run_once(1.0)
    assert received(broker) == []
    late.symlink_to(master.luxi_socket)
    told: list[Message] = []

    def both_told() -> bool:
        daemon.run_once(0.2)
        told.extend(received(broker))
        return len(told) == 2

    assert wait_for(both_told)
    assert [message.job_id for message in told if isinstance(message, OpStatus)] == [4, 5]
    assert isinstance(told[0], OpStatus) and told[0].instance_nics is not None


def test_query_daemon_away_for_long_does_not_stop_messages(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon]
) -> None:
    daemon = start(luxi_socket="/nonexistent/socket", state_patience=0.0)
    master.write_ops(4, op("OP_INSTANCE_STARTUP", "success", instance_name="snf-1"))
    daemon.run_once(1.0)
    assert statuses(broker) == [(4, "success")]


def test_all_opcodes_of_a_job_are_told(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon]
) -> None:
    daemon = start()
    master.write_ops(5, shutdown("success"), shutdown("running", "snf-2"))
    daemon.run_once(1.0)
    assert statuses(broker) == [(5, "success"), (5, "running")]


@pytest.mark.parametrize("temporary", ["{name}abc123.new", "{name}-77.tmp"])
def test_temporary_files_are_ignored(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon], temporary: str
) -> None:
    daemon = start()
    (master.queue_dir / temporary.format(name="job-6")).write_text("{half a job")
    daemon.run_once(0.3)
    assert daemon.waiting() == 0 and received(broker) == []


def test_broken_job_does_not_stop_the_others(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon]
) -> None:
    daemon = start()
    (master.queue_dir / "job-7").write_text("{half a job")
    master.write_ops(8, shutdown("success"))
    daemon.run_once(1.0)
    daemon.run_once(0.3)
    assert statuses(broker) == [(8, "success")]


def test_what_happened_while_down_is_told_at_start(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon]
) -> None:
    first = start()
    master.write_ops(1, shutdown("running"))
    first.run_once(1.0)
    first.close()
    master.write_ops(1, shutdown("success"))
    master.write_ops(2, shutdown("error"))
    start().run_once()
    assert statuses(broker) == [(1, "running"), (1, "success"), (2, "error")]


def test_restart_repeats_nothing(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon]
) -> None:
    master.write_ops(1, shutdown("success"))
    first = start()
    first.run_once()
    first.close()
    start().run_once()
    assert statuses(broker) == [(1, "success")]


def test_only_the_master_publishes(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon]
) -> None:
    master.set_master("node2.example.org")
    daemon = start()
    master.write_ops(1, shutdown("success"))
    daemon.run_once(0.5)
    assert received(broker) == []
    master.set_master("node1.example.org")
    daemon.run_once()
    assert statuses(broker) == [(1, "success")]


def test_heartbeat_is_told_once_and_only_while_fresh(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon]
) -> None:
    daemon = start()
    beat = op("OP_TAGS_SET", "waiting", kind="cluster", dry_run=True, tags=["snf:eventd:heartbeat:5"])
    master.write_ops(1, beat)
    daemon.run_once(1.0)
    assert received(broker) == [], "an old heartbeat proves nothing"
    now = [int(time.time()), 0]
    for status in ("waiting", "running", "success"):
        master.write_ops(2, {**beat, "status": status, "start_timestamp": now, "exec_timestamp": now})
        daemon.run_once(1.0)
    [message] = received(broker)
    assert isinstance(message, Heartbeat) and message.cluster == "c1.example.org"


def test_broker_away_messages_wait_on_disk_in_order(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon]
) -> None:
    daemon = start(amqp_hosts=("amqp://guest:guest@127.0.0.1:1/",))
    for status in ("queued", "running", "success"):
        master.write_ops(1, shutdown(status))
        daemon.run_once(1.0)
    assert daemon.waiting() == 3
    daemon.close()
    start().run_once()
    assert statuses(broker) == [(1, "queued"), (1, "running"), (1, "success")]


def test_full_spool_loses_nothing(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon]
) -> None:
    daemon = start(amqp_hosts=("amqp://guest:guest@127.0.0.1:1/",), spool_limit=5)
    for number in range(1, 9):
        master.write_ops(number, shutdown("success"))
    daemon.run_once(0.5)
    assert daemon.waiting() == 5
    daemon.close()
    again = start(spool_limit=5)
    end = time.monotonic() + 60
    told: list[tuple[int, str]] = []
    while len(told) < 8 and time.monotonic() < end:
        again.run_once(0.2)
        told += statuses(broker)
    assert told == [(number, "success") for number in range(1, 9)]


def test_damaged_spool_is_rebuilt_from_the_queue(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon]
) -> None:
    spool = master.folder / "spool"
    spool.mkdir()
    (spool / "eventd.sqlite3").write_bytes(b"not a database" * 1000)
    master.write_ops(1, shutdown("success"))
    start().run_once()
    assert statuses(broker) == [(1, "success")]
    assert list(spool.glob("eventd.sqlite3.damaged-*"))


def test_archived_jobs_are_forgotten(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon]
) -> None:
    daemon = start()
    master.write_ops(1, shutdown("success"))
    daemon.run_once(0.5)
    daemon.close()
    (master.queue_dir / "job-1").unlink()
    again = start()
    again.run_once()
    assert again._spool.statuses(1) == {}


def archive(master: FakeMaster, job: int) -> None:
    folder = master.queue_dir / "archive" / str(job // 10_000)
    folder.mkdir(parents=True, exist_ok=True)
    (master.queue_dir / f"job-{job}").rename(folder / f"job-{job}")


def test_jobs_that_ended_and_were_archived_while_down_are_told_once(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon]
) -> None:
    first = start()
    master.write_ops(9999, shutdown("success"))
    first.run_once(1.0)
    first.close()
    master.write_ops(10_001, shutdown("error"))
    archive(master, 9999)
    archive(master, 10_001)
    for _ in range(2):
        again = start()
        again.run_once()
        again.close()
    assert statuses(broker) == [(9999, "success"), (10_001, "error")]


def test_archive_is_read_when_the_queue_could_not_be_read_at_first(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon]
) -> None:
    first = start()
    master.write_ops(1, shutdown("success"))
    first.run_once(1.0)
    first.close()
    master.write_ops(2, shutdown("success"))
    archive(master, 2)
    again = start()
    away = master.folder / "away"
    master.queue_dir.rename(away)
    again.run_once()
    away.rename(master.queue_dir)
    again.run_once()
    assert statuses(broker) == [(1, "success"), (2, "success")]


def test_nothing_is_told_while_the_cluster_has_no_name(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon]
) -> None:
    name = master.ssconf_dir / "ssconf_cluster_name"
    text = name.read_text()
    name.write_text("")
    master.write_ops(1, shutdown("success"))
    daemon = start()
    daemon.run_once()
    assert statuses(broker) == []
    name.write_text(text)
    daemon.run_once()
    assert statuses(broker) == [(1, "success")]


def test_job_archived_between_notice_and_reading_is_told(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon]
) -> None:
    daemon = start()
    daemon.run_once()
    master.write_ops(7, shutdown("success"))
    archive(master, 7)
    assert wait_for(lambda: bool(daemon.run_once(0.2)))
    assert statuses(broker) == [(7, "success")]


def test_archive_of_years_is_not_told_at_the_first_start(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon]
) -> None:
    master.write_ops(1, shutdown("success"))
    archive(master, 1)
    start().run_once()
    assert statuses(broker) == []


def test_former_master_tells_nothing_new_and_catches_up_when_it_is_again(
    master: FakeMaster, broker: Client, start: Callable[..., EventDaemon]
) -> None:
    daemon = start()
    master.write_ops(1, shutdown("success"))
    daemon.run_once(1.0)
    master.set_master("node2.example.org")
    master.write_ops(2, shutdown("success"))
    daemon.run_once(0.5)
    master.write_ops(3, shutdown("success"))
    archive(master, 2)
    daemon.run_once(0.2)
    assert statuses(broker) == [(1, "success")]
    master.set_master("node1.example.org")
    daemon.run_once()
    assert statuses(broker) == [(2, "success"), (3, "success")]


@pytest.mark.parametrize("watcher_class", [InotifyWatcher, PollingWatcher])
def test_watchers_notice_renamed_files(master: FakeMaster, watcher_class: Any) -> None:
    watcher = watcher_class(str(master.queue_dir))
    try:
        master.write_ops(1, shutdown("queued"))
        (master.queue_dir / "serial").write_text("5")
        found: set[int] = set()
        end = time.monotonic() + 60
        while not found and time.monotonic() < end:
            found |= watcher.wait(1.0)
        assert found == {1}
    finally:
        watcher.close()


def test_malformed_firewall_tags_are_passed_over() -> None:
    tags = ["synnefo:network:snf-nic-1", "other:a:snf-nic-1:x", "synnefo:network:snf-nic-1:limited"]
    assert firewall_of("snf-nic-1", tags) == "limited"
    assert firewall_of("snf-nic-2", tags) is None
    assert firewall_of(None, tags) is None


class Daemon:
    """The daemon as a process."""

    def __init__(self, master: FakeMaster, hosts: str, notify: str | None = None) -> None:
        environment = os.environ | {"SYNNEFO_SETTINGS_DIR": "/nonexistent"}
        if notify:
            environment["NOTIFY_SOCKET"] = notify
        self.log = master.folder / "eventd.log"
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gtools.eventd", "-d"),
                *("--queue-dir", str(master.queue_dir), "--ssconf-dir", str(master.ssconf_dir)),
                *("--luxi-socket", str(master.luxi_socket), "--node-name", "node1.example.org"),
                *("--spool-dir", str(master.folder / "spool"), "--amqp-hosts", hosts),
                *("--health-file", str(master.folder / "health"), "--log", str(self.log)),
                *("--pid-file", str(master.folder / "pid")),
            ],
            env=environment,
        )

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_process_tells_readiness_and_health_and_stops_cleanly(master: FakeMaster, broker: Client) -> None:
    address = str(master.folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(address)
        notify.settimeout(120)
        daemon = Daemon(master, f"embedded://{master.folder}/broker", notify=address)
        assert notify.recv(1000) == b"READY=1"
        assert b"WATCHDOG=1" in notify.recv(1000)
        assert wait_for((master.folder / "health").exists)
        health = json.loads((master.folder / "health").read_text())
        assert health["master"] is True and health["pid"] == daemon.process.pid
        assert (master.folder / "pid").read_text().strip() == str(daemon.process.pid)
        master.write_ops(1, shutdown("success"))
        assert wait_for(lambda: broker.queue_length("all") == 1)
        assert daemon.end() == 0
        while (said := notify.recv(1000)) != b"STOPPING=1":
            assert b"WATCHDOG=1" in said
    assert not (master.folder / "pid").exists()


@pytest.mark.fault
def test_killed_again_and_again_it_loses_nothing(master: FakeMaster, broker: Client) -> None:
    jobs = 60
    daemon = Daemon(master, f"embedded://{master.folder}/broker")
    for number in range(1, jobs + 1):
        master.write_ops(number, shutdown("running"))
        master.write_ops(number, shutdown("success"))
        time.sleep(0.03)
        if number % 12 == 0:
            daemon.end(signal.SIGKILL)
            daemon = Daemon(master, f"embedded://{master.folder}/broker")
    told: list[tuple[int, str]] = []

    def all_told() -> bool:
        told.extend(statuses(broker))
        return {number for number, status in told if status == "success"} == set(range(1, jobs + 1))

    try:
        assert wait_for(all_told)
    finally:
        daemon.end()


def test_full_disk_delays_but_loses_nothing(
    master: FakeMaster,
    broker: Client,
    start: Callable[..., EventDaemon],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    daemon = start()
    daemon.run_once()
    add = Spool.add

    def full(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Spool, "add", full)
    master.write_ops(1, shutdown("success"))
    daemon.run_once(1.0)
    assert statuses(broker) == []
    monkeypatch.setattr(Spool, "add", add)
    daemon.run_once()
    assert statuses(broker) == [(1, "success")]
