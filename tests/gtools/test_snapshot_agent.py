"""``snf-snapshot-agent``: disks of stopped and running instances into the block store (volume contract 9)."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gtools.snapshots import __main__ as program
from gtools.snapshots import agent, qmp, sources, storing
from gtools.snapshots.agent import Agent, AgentOptions
from gtools.snapshots.errors import SnapshotError
from gtools.snapshots.sources import Places
from pithos.blocks.directory import DirectoryStore
from synnefo import amqp, snapshot_requests
from synnefo.messages import OpStatus, decode
from synnefo.snapshot_requests import SnapshotRequest

pytestmark = pytest.mark.functional

BLOCK = 64 * 1024
SIZE = 64 * BLOCK


class Node:
    """A node with a disk, its agent, and what the dispatcher hears of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker = f"embedded://{folder}/queue.sqlite3"
        self.places = Places(str(folder / "qmp"), str(folder / "scratch"))
        (folder / "qmp").mkdir()
        self.store = DirectoryStore(
            str(folder / "store"),
            block_size=BLOCK,
            algorithm="sha256",
            umask=0o007,
            fsync="never",
            verify="never",
        )
        self.disk = folder / "disk0"
        with self.disk.open("wb") as file:
            file.truncate(SIZE)
            file.seek(5 * BLOCK + 10)
            file.write(b"hello")
            file.seek(SIZE - BLOCK)
            file.write(os.urandom(BLOCK))
        self.client = amqp.connect([self.broker])
        self.client.exchange_declare("ganeti")
        self.client.queue_declare("heard")
        self.client.queue_bind("heard", "ganeti", "ganeti.snf.event.op")
        self.agent = self.make_agent()

    def make_agent(self, **options: object) -> Agent:
        values = {"nodes": ("node1",), "exchange": "ganeti", "places": self.places, **options}
        return Agent(AgentOptions(**values), connect=lambda: amqp.connect([self.broker]), store=self.store)

    @property
    def monitor(self) -> Path:
        return self.folder / "qmp" / "snf-7.qmp"

    def request(self, **changes: object) -> SnapshotRequest:
        values: dict[str, object] = {
            "job_id": 3, "snapshot_id": "s1", "cluster": "c", "node": "node1", "instance": "snf-7",
            "disk": "snf-vol-9", "index": 0, "path": str(self.disk), "size": SIZE, **changes,
        }  # fmt: skip
        return SnapshotRequest(**values)

    def ask(self, **changes: object) -> list[OpStatus]:
        """Have the agent do a request and return what it says."""
        queue = snapshot_requests.declare_queue(self.client, "node1")
        self.client.publish(snapshot_requests.EXCHANGE, queue, self.request(**changes).encode())
        assert self.agent.run_once(5.0)
        return self.heard()

    def heard(self) -> list[OpStatus]:
        messages = []
        while (delivery := self.client.get("heard")) is not None:
            self.client.ack(delivery)
            messages.append(decode(delivery.body))
        return messages

    def content(self, mapfile: str) -> bytes:
        digests = self.store.get_map(mapfile, count=SIZE // BLOCK)
        return b"".join(
            b"".ljust(BLOCK, b"\0") if d == self.store.empty else self.store.get(d).ljust(BLOCK, b"\0")
            for d in digests
        )


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path)
    yield node
    node.agent.close()
    node.client.close()


def mapfile_of(message: OpStatus) -> str:
    [[disk, info]] = message.job_fields["disks"]
    assert disk == "snf-vol-9"
    assert json.loads(info["snapshot_info"]) == {"snapshot_id": "s1"}
    return info["mapfile"]


def test_a_stopped_instance_s_disk_is_stored_without_its_holes(node: Node) -> None:
    running, *_, success = node.ask()
    assert (running.status, success.status, success.job_id, success.operation) == (
        "running", "success", 3, "OP_INSTANCE_SNAPSHOT",
    )  # fmt: skip
    assert node.content(mapfile_of(success)) == node.disk.read_bytes()
    assert len(list(node.store.entries("blocks"))) == 2


def test_it_says_how_far_it_has_come(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "STEP_SECONDS", 0.0)
    told = [message.job_fields["disks"][0][1].get("progress", 0) for message in node.ask()]
    assert told[0] == told[-1] == 0
    assert told[1:-1] == sorted(set(told[1:-1]))
    assert 0 < told[1] < 100


def test_doing_it_again_gives_the_same_map_and_writes_nothing(node: Node) -> None:
    first = mapfile_of(node.ask()[-1])
    before = {entry.name for entry in node.store.entries("blocks")}
    assert mapfile_of(node.ask()[-1]) == first
    assert {entry.name for entry in node.store.entries("blocks")} == before


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"path": "/nowhere/disk"}, "No such file"),
        ({"size": SIZE + 1}, "less than"),
        ({"instance": "snf-7/../evil"}, "no name"),
    ],
)
def test_what_fails_is_said(node: Node, changes: dict[str, object], reason: str) -> None:
    error = node.ask(**changes)[-1]
    assert error.status == "error"
    assert reason in str(error.logmsg)


def test_messages_that_are_no_requests_are_dropped(node: Node) -> None:
    queue = snapshot_requests.declare_queue(node.client, "node1")
    whole = json.loads(node.request().encode())
    for body in (b"{", b"[]", b"{}", json.dumps({**whole, "size": -1}).encode(),
                 json.dumps({**whole, "path": 3}).encode(), b"x" * 70000):  # fmt: skip
        node.client.publish(snapshot_requests.EXCHANGE, queue, body)
        assert node.agent.run_once(5.0)
    assert node.heard() == []
    assert not node.agent.run_once(0.0)


def test_a_simulated_disk_is_empty(node: Node) -> None:
    node.agent.close()
    node.agent = node.make_agent(simulated=True)
    assert node.content(mapfile_of(node.ask(path="/simulated/x")[-1])) == bytes(SIZE)


def test_an_instance_that_is_started_meanwhile_is_copied_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = iter([False, True, False, False])
    monkeypatch.setattr(qmp, "is_running", lambda path: next(states))
    assert node.ask()[-1].status == "success"
    flips = iter([False, True] * 3)
    monkeypatch.setattr(qmp, "is_running", lambda path: next(flips))
    assert "was started" in str(node.ask()[-1].logmsg)


def test_an_agent_that_stops_says_nothing_more(node: Node) -> None:
    node.agent.stop()
    queue = snapshot_requests.declare_queue(node.client, "node1")
    node.client.publish(snapshot_requests.EXCHANGE, queue, node.request().encode())
    node.agent.run()
    assert [message.status for message in node.heard()] in ([], ["running"])


class FakeMonitor(threading.Thread):
    """Answers like QEMU; a copy is done by the test's own function."""

    def __init__(self, path: Path, disk: Path, error: str = "") -> None:
        super().__init__(daemon=True)
        self.disk, self.error = disk, error
        self.jobs: list[dict[str, object]] = [{"id": "snf-snapshot-old", "status": "running"}]
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(8)

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            # A client that only looks whether anybody listens goes away at once.
            with contextlib.suppress(OSError), connection:
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        def say(content: dict[str, object]) -> None:
            connection.sendall(json.dumps(content).encode() + b"\n")

        say({"QMP": {}})
        with connection.makefile("rb") as lines:
            for line in lines:
                request = json.loads(line)
                say({"event": "NOISE"})
                say(self._answer(request["execute"], request["arguments"]))

    def _answer(self, command: str, arguments: dict[str, object]) -> dict[str, object]:
        if command == "query-block":
            return {"return": [{"device": "cd"}, {"device": "", "inserted": {
                "file": str(self.disk), "node-name": "n0"}}]}  # fmt: skip
        if command == "drive-backup":
            if self.error:
                return {"error": {"desc": self.error}}
            shutil.copyfile(self.disk, str(arguments["target"]))
            self.jobs.append({"id": arguments["job-id"], "status": "concluded"})
        if command in ("job-cancel", "job-dismiss"):
            self.jobs = [job for job in self.jobs if job["id"] != arguments["id"]]
        return {"return": self.jobs if command == "query-jobs" else {}}


def test_a_running_instance_s_disk_is_copied_by_qemu(node: Node) -> None:
    monitor = FakeMonitor(node.monitor, node.disk)
    monitor.start()
    success = node.ask()[-1]
    monitor.listener.close()
    assert node.content(mapfile_of(success)) == node.disk.read_bytes()
    assert (monitor.jobs, list((node.folder / "scratch").iterdir())) == ([], [])


def test_qemu_s_refusal_is_said_and_leaves_nothing(node: Node) -> None:
    monitor = FakeMonitor(node.monitor, node.disk, error="no room")
    monitor.start()
    assert "no room" in str(node.ask()[-1].logmsg)
    assert list((node.folder / "scratch").iterdir()) == []
    error = node.ask(path=str(node.folder / "queue.sqlite3"))[-1]
    monitor.listener.close()
    assert "does not use" in str(error.logmsg)


def test_what_a_killed_agent_left_is_cleared(node: Node) -> None:
    scratch = node.folder / "scratch"
    scratch.mkdir()
    (scratch / "snf-7-0011.snapshot").write_text("x")
    sources.clear(node.places)
    assert list(scratch.iterdir()) == []


@pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed")
def test_a_real_qemu_keeps_the_state_of_a_moment(node: Node) -> None:
    qemu = subprocess.Popen(
        ["qemu-system-x86_64", "-S", "-nodefaults", "-display", "none", "-accel", "tcg", "-m", "32",
         "-drive", f"file={node.disk},format=raw,if=none,id=hotdisk-1",
         "-device", "virtio-blk-pci,drive=hotdisk-1",
         "-qmp", f"unix:{node.monitor},server=on,wait=off"],
    )  # fmt: skip
    try:
        _wait_until(lambda: node.monitor.exists() and qmp.is_running(str(node.monitor)))
        success = node.ask()[-1]
        assert node.content(mapfile_of(success)) == node.disk.read_bytes()
        assert list((node.folder / "scratch").iterdir()) == []
        with pytest.raises(SnapshotError, match="does not use"):
            qmp.start_backup(str(node.monitor), disk="/dev/null", target="/dev/null", job="x")
        with qmp.connected(str(node.monitor)) as monitor:
            assert monitor.execute("query-jobs") == []
    finally:
        qemu.kill()
        qemu.wait(30)


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_program_reads_both_settings(tmp_path: Path) -> None:
    (tmp_path / "10.conf").write_text(f'AMQP_HOSTS = ["embedded://{tmp_path}/q"]\n')
    (tmp_path / "image").write_text(f"PITHOS_BLOCK_PATH={tmp_path}/store\nPITHOS_BLOCK_SIZE=65536\n")
    options = program.parse_options(["--config", str(tmp_path), "--image-config", str(tmp_path / "image")])
    assert isinstance(program.make_agent(options), Agent)
    store = storing.open_store(program.node_config.load(str(tmp_path / "image")))
    assert store.block_size == 65536
    (tmp_path / "image").write_text("PITHOS_STORAGE=tape\n")
    assert program.main(["--config", str(tmp_path), "--image-config", str(tmp_path / "image")]) == 1
