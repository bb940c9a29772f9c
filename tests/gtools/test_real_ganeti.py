"""Event daemon, progress monitor and OS definition on a real Ganeti node.

Their broker is a file: how they get on with RabbitMQ is tested elsewhere.
"""

from __future__ import annotations

import json
import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gtools.osprovider.install import install
from synnefo.amqp import Client, connect
from synnefo.messages import Heartbeat, Message, NetworkStatus, OpStatus, Progress, decode
from tests.gtools.disk_images import MIB, debugfs, file_system, partitioned, root_tree, store_object
from tests.lab.ganeti import GanetiCluster

pytestmark = pytest.mark.e2e


class Events:
    """What the node tells."""

    def __init__(self, client: Client, queue: str) -> None:
        self._client = client
        self._queue = queue
        self.messages: list[Message] = []

    def wait_for(self, condition: Callable[[Message], bool], seconds: float = 60.0) -> Message:
        """Return the first message that fulfils a condition."""
        end = time.monotonic() + seconds
        for message in self.messages:
            if condition(message):
                return message
        while time.monotonic() < end:
            delivery = self._client.get(self._queue)
            if delivery is None:
                time.sleep(0.1)
                continue
            self._client.ack(delivery)
            message = decode(delivery.body)
            self.messages.append(message)
            if condition(message):
                return message
        raise AssertionError(f"no such message among {self.messages}")

    def final(self, operation: str, job: int) -> OpStatus:
        """Return the message about the end of an instance job."""
        found = self.wait_for(
            lambda message: (
                isinstance(message, OpStatus)
                and message.operation == operation
                and message.job_id == job
                and message.is_final
            )
        )
        assert isinstance(found, OpStatus)
        return found


def broker_of(folder: Path) -> str:
    """The URL of the node's broker."""
    return f"embedded://{folder}/broker.sqlite3"


@pytest.fixture(scope="module")
def node(ganeti: GanetiCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The cluster's node with our programs on it; gives the folder of its image store."""
    folder = tmp_path_factory.mktemp("node")
    here = str(Path.cwd())
    monitor = [
        *("env", f"PYTHONPATH={here}", f"SNF_AMQP_HOSTS={[broker_of(folder)]!r}"),
        *(sys.executable, "-m", "gtools.progress_monitor"),
    ]
    defaults = folder / "snf-image.conf"
    defaults.write_text(
        f"PROGRESS_MONITOR={shlex.quote(shlex.join(monitor))}\nPITHOS_BLOCK_PATH={folder}/pithos\n"
        "MOUNT_METHOD=loop\n"
    )
    install(str(folder / "os"), sys.executable, here, str(defaults))
    ganeti.install_os("deployer", folder / "os")
    eventd = ganeti.spawn(
        [
            *(sys.executable, "-m", "gtools.eventd", "-d", "--amqp-hosts", broker_of(folder)),
            *("--spool-dir", str(folder / "spool"), "--health-file", str(folder / "health")),
        ],
        log="eventd.log",
        environment={"SYNNEFO_SETTINGS_DIR": "/nonexistent", "PYTHONPATH": here},
    )
    yield folder
    ganeti.end_process(eventd)


@pytest.fixture
def events(node: Path) -> Iterator[Events]:
    with connect([broker_of(node)]) as client:
        queue = f"events-{secrets.token_hex(4)}"
        client.exchange_declare("ganeti")
        client.queue_declare(queue, exclusive=True)
        client.queue_bind(queue, "ganeti", "#")
        yield Events(client, queue)


def create(ganeti: GanetiCluster, name: str, osparams: dict[str, str]) -> int:
    body: dict[str, Any] = {
        "__version__": 1,
        "mode": "create",
        "name": name,
        "os": "deployer+default",
        "disk_template": "file",
        "disks": [{"size": 64, "name": "snf-vol-1"}],
        "nics": [{"link": "br0", "name": "snf-nic-1"}],
        "beparams": {"vcpus": 1, "memory": 64},
        "hvparams": {},
        "osparams": osparams,
        "ip_check": False,
        "name_check": False,
    }
    return int(ganeti.rapi("POST", "/2/instances?reason=req-77", body))


def test_server_is_built_and_told(ganeti: GanetiCluster, node: Path, events: Events, tmp_path: Path) -> None:
    tree = root_tree(tmp_path / "tree")
    disk = partitioned(tmp_path / "disk", file_system(tmp_path / "fs", tree, 16))
    image_id = store_object(node / "pithos", disk.read_bytes())
    properties = json.dumps({"OSFAMILY": "linux", "ROOT_PARTITION": "1"})
    job = create(
        ganeti, "snf-7101", {"img_id": image_id, "img_format": "diskdump", "img_properties": properties}
    )
    result = ganeti.wait_job(job)
    assert result["status"] == "success", result["opresult"]
    message = events.final("OP_INSTANCE_CREATE", job)
    assert (message.instance, message.status, message.request_id) == ("snf-7101", "success", "req-77")
    assert message.cluster == ganeti.cluster_name
    assert message.instance_nics is not None and message.instance_nics[0].name == "snf-nic-1"
    assert message.instance_nics[0].mac and message.instance_nics[0].link == "br0"
    assert message.instance_disks is not None and message.instance_disks[0].size == 64
    copied = events.wait_for(lambda m: isinstance(m, Progress) and m.progress == 100.0)
    assert isinstance(copied, Progress) and copied.instance == "snf-7101"
    events.wait_for(lambda m: isinstance(m, Progress) and m.task == "UmountImage")
    told = [m.status for m in events.messages if isinstance(m, OpStatus) and m.job_id == job]
    assert told[-1] == "success" and len(told) == len(set(told))

    [path] = [
        path
        for path in (ganeti.directory / "srv/ganeti/file-storage/snf-7101").iterdir()
        if path.is_file() and path.stat().st_size >= 64 * MIB
    ]
    root = tmp_path / "root"
    with path.open("rb") as file:
        file.seek(MIB)
        root.write_bytes(file.read())
    assert debugfs(root, "cat /etc/hostname") == "snf-7101\n"
    assert subprocess.run(["e2fsck", "-fn", str(root)], capture_output=True, check=False).returncode == 0


def test_failed_deployment_tells_why(ganeti: GanetiCluster, node: Path, events: Events) -> None:
    job = create(ganeti, "snf-7102", {"img_id": "pithosmap://" + "0" * 64 + "/5"})
    assert ganeti.wait_job(job)["status"] == "error"
    message = events.final("OP_INSTANCE_CREATE", job)
    assert message.status == "error"
    assert message.job_fields["osparams"]["img_id"].startswith("pithosmap://")
    reason = events.wait_for(lambda m: isinstance(m, Progress) and m.type == "image-error")
    assert isinstance(reason, Progress) and reason.messages and "block 0" in reason.messages[0]


def test_instance_life_is_told(ganeti: GanetiCluster, node: Path, events: Events) -> None:
    properties = json.dumps({"EXCLUDE_ALL_TASKS": "yes"})
    job = create(ganeti, "snf-7103", {"img_id": "null", "img_properties": properties})
    done = ganeti.wait_job(job)
    assert done["status"] == "success", done["opresult"]
    events.final("OP_INSTANCE_CREATE", job)
    for method, path, operation in (
        ("PUT", "/2/instances/snf-7103/shutdown", "OP_INSTANCE_SHUTDOWN"),
        ("PUT", "/2/instances/snf-7103/startup", "OP_INSTANCE_STARTUP"),
    ):
        job = int(ganeti.rapi(method, path, {}))
        assert events.final(operation, job).status == "success"
    started = events.final("OP_INSTANCE_STARTUP", job)
    assert started.instance_nics is not None and started.instance_hvparams is not None
    # The fake hypervisor has no boot parameters.
    assert started.instance_hvparams.boot_order == ""
    job = int(ganeti.rapi("PUT", "/2/instances/snf-7103/tags?tag=synnefo:network:snf-nic-1:protected"))
    assert events.final("OP_TAGS_SET", job).tags == ("synnefo:network:snf-nic-1:protected",)
    job = int(ganeti.rapi("PUT", "/2/instances/snf-7103/shutdown", {}))
    events.final("OP_INSTANCE_SHUTDOWN", job)
    job = int(
        ganeti.rapi("PUT", "/2/instances/snf-7103/modify", {"nics": [["modify", "0", {"ip": "10.0.0.9"}]]})
    )
    changed = events.final("OP_INSTANCE_SET_PARAMS", job)
    assert changed.status == "success", changed
    assert changed.instance_nics is not None and changed.instance_nics[0].firewall == "protected"
    assert changed.instance_nics[0].ip == "10.0.0.9"
    job = int(ganeti.rapi("DELETE", "/2/instances/snf-7103", {}))
    assert events.final("OP_INSTANCE_REMOVE", job).status == "success"


def test_dry_run_is_silent_and_heartbeat_is_told(ganeti: GanetiCluster, node: Path, events: Events) -> None:
    ganeti.rapi("PUT", "/2/tags?dry-run=1&tag=snf:eventd:heartbeat:1")
    beat = events.wait_for(lambda m: isinstance(m, Heartbeat))
    assert isinstance(beat, Heartbeat) and beat.cluster == ganeti.cluster_name


def test_network_is_told(ganeti: GanetiCluster, node: Path, events: Events) -> None:
    body = {"network_name": "snf-net-9", "network": "10.77.0.0/24", "conflicts_check": False}
    job = int(ganeti.rapi("POST", "/2/networks", body))
    found = events.wait_for(
        lambda m: isinstance(m, NetworkStatus) and m.job_id == job and m.status == "success"
    )
    assert isinstance(found, NetworkStatus)
    assert (found.network, found.subnet) == ("snf-net-9", "10.77.0.0/24")
