"""The simulated image provider: one-time configuration and progress messages."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from cyclades.ganeti.rapi import RapiClient
from gtools.simulator import Simulator, SimulatorOptions

pytestmark = pytest.mark.functional

# Appends what it reads to a file, with the instance's name, like a progress monitor that publishes to disk.
MONITOR = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + '\\n' + sys.stdin.read())"


class ConfigServer(HTTPServer):
    """Answers GET with a status and remembers the paths."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Config)
        self.status, self.content = 200, b'{"img_id": "null"}'
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/server-params/1"


class _Config(BaseHTTPRequestHandler):
    server: ConfigServer

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def config() -> Iterator[ConfigServer]:
    with ConfigServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    return tmp_path / "messages"


@pytest.fixture
def client(tmp_path: Path, messages: Path) -> Iterator[RapiClient]:
    options = SimulatorOptions(
        queue_dir=tmp_path / "queue",
        state_file=tmp_path / "state.json",
        password="pass",
        time_scale=0,
        progress_command=(sys.executable, "-c", MONITOR, str(messages)),
    )
    with (
        Simulator(options) as simulator,
        RapiClient("127.0.0.1", simulator.port, "synnefo", "pass", connect_timeout=60) as client,
    ):
        yield client


def create(client: RapiClient, url: str) -> Any:
    body = {
        "__version__": 1,
        "mode": "create",
        "name": "snf-1",
        "os": "snf-image+default",
        "disk_template": "file",
        "disks": [{"size": 1024}],
        "nics": [],
        "osparams": {"config_url": url, "img_id": "pithosmap://x/1", "img_format": "diskdump"},
    }
    return client.WaitForJobCompletion(client.CreateInstance(body))


def test_the_configuration_is_fetched_once(client: RapiClient, config: ConfigServer) -> None:
    assert create(client, config.url)["status"] == "success"
    assert config.paths == ["/server-params/1"]
    assert client.GetInstance("snf-1")["status"] == "running"


def test_progress_reaches_the_command(client: RapiClient, config: ConfigServer, messages: Path) -> None:
    create(client, config.url)
    name, *lines = messages.read_text().splitlines()
    assert name == "snf-1"
    sent = [json.loads(line) for line in lines]
    progress = [message["progress"] for message in sent if message["type"] == "image-copy-progress"]
    assert progress[0] == 0 and progress[-1] == 100 and progress == sorted(progress)
    total = 1024 * 1024 * 1024
    assert all(message["total"] == total for message in sent if message["type"] == "image-copy-progress")
    helper = [(message["subtype"], message["task"]) for message in sent if message["type"] == "image-helper"]
    assert helper[0][0] == "task-start" and helper[1] == ("task-end", helper[0][1])
    assert all(isinstance(message["timestamp"], float) for message in sent)


@pytest.mark.parametrize(("status", "content"), [(404, b"{}"), (500, b""), (200, b"<html>"), (200, b"[]")])
def test_without_a_configuration_the_creation_fails(
    client: RapiClient, config: ConfigServer, status: int, content: bytes
) -> None:
    config.status, config.content = status, content
    job = create(client, config.url)
    assert job["status"] == "error"
    kind, (text,) = job["opresult"][0]
    assert kind == "OpExecError"
    assert "OS create script failed" in text and "configuration" in text
    instance = client.GetInstance("snf-1")
    assert (instance["admin_state"], instance["status"]) == ("down", "ADMIN_down")


def test_only_http_is_fetched(client: RapiClient, tmp_path: Path) -> None:
    assert create(client, f"file://{tmp_path}/state.json")["status"] == "error"


def test_a_broken_command_does_not_matter(tmp_path: Path, config: ConfigServer) -> None:
    options = SimulatorOptions(
        queue_dir=tmp_path / "queue",
        state_file=tmp_path / "state.json",
        password="pass",
        time_scale=0,
        progress_command=("/nonexistent",),
    )
    with (
        Simulator(options) as simulator,
        RapiClient("127.0.0.1", simulator.port, "synnefo", "pass", connect_timeout=60) as client,
    ):
        assert create(client, config.url)["status"] == "success"


# -- what the default hypervisor adds --------------------------------------------------------------------


def test_kvm_instances_have_a_console_port_and_parameters(client: RapiClient, config: ConfigServer) -> None:
    create(client, config.url)
    instance = client.GetInstance("snf-1")
    assert instance["network_port"] == 11000
    assert instance["hvparams"]["boot_order"] == "disk"


def test_kvm_instances_are_changed_while_they_run(client: RapiClient, config: ConfigServer) -> None:
    create(client, config.url)
    disk = {"disks": [["add", "-1", {"name": "x", "size": 64}]], "hotplug_if_possible": True}
    assert client.WaitForJobCompletion(client.ModifyInstance("snf-1", disk))["status"] == "success"
    change = {"disks": [["remove", "x", {}]], "hotplug_if_possible": True}
    assert client.WaitForJobCompletion(client.ModifyInstance("snf-1", change))["status"] == "success"
    rescue = {"hvparams": {"boot_order": "cdrom", "cdrom_image_path": "http://x/y.iso"}}
    job = client.WaitForJobCompletion(client.ModifyInstance("snf-1", rescue))
    assert job["opresult"] == [[["hv/boot_order", "cdrom"], ["hv/cdrom_image_path", "http://x/y.iso"]]]
