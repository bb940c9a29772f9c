"""The real Ganeti of the lab, its namespaces, and the guest image."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import started
from tests.lab.ganeti import GanetiCluster
from tests.lab.instance import LabError, reap_stale, registry_directory
from tests.lab.kamaki import Kamaki
from tests.lab.namespaces import Namespaces

pytestmark = pytest.mark.functional


def instance(name: str, **changes: Any) -> dict[str, Any]:
    """Body of a create request."""
    body: dict[str, Any] = {
        "__version__": 1,
        "mode": "create",
        "name": name,
        "os": "snf-image+default",
        "disk_template": "file",
        "ip_check": False,
        "name_check": False,
        "disks": [{"name": f"{name}-disk", "size": 128}],
        "nics": [],
        "beparams": {"vcpus": 1, "memory": 128},
        "osparams": {"img_id": "null", "config_url": "http://127.0.0.1/", "img_format": "diskdump"},
        "opportunistic_locking": True,
    }
    return {**body, **changes}


def test_the_next_create_fails_on_demand(ganeti: GanetiCluster) -> None:
    ganeti.fail_next_create()
    job = ganeti.wait_job(ganeti.rapi("POST", "/2/instances", instance("snf-900002")))
    assert job["status"] == "error"


def test_rapi_wants_the_password_even_to_read(ganeti: GanetiCluster) -> None:
    correct, ganeti.password = ganeti.password, "wrong"
    try:
        with pytest.raises(LabError, match="401"):
            ganeti.rapi("GET", "/2/info")
    finally:
        ganeti.password = correct


def test_the_clusters_name_resolves_here_and_for_wrapped_programs(ganeti: GanetiCluster) -> None:
    with socket.create_connection((ganeti.cluster_name, ganeti.port), timeout=5) as connection:
        assert connection.getpeername()[0] == ganeti.master_address
    command = ganeti.with_names(["getent", "hosts", ganeti.cluster_name])
    assert ganeti.master_address in subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert ganeti.cluster_name not in Path("/etc/hosts").read_text()


def test_nothing_of_the_machines_own_ganeti_is_touched(ganeti: GanetiCluster) -> None:
    assert ganeti.run(["gnt-cluster", "getmaster"]).stdout.strip() == ganeti.hostname
    name = Path("/var/lib/ganeti/ssconf_cluster_name")
    assert not name.exists() or name.read_text().strip() != ganeti.cluster_name
    assert not Path("/srv/ganeti/os/snf-image").exists()


def test_a_server_of_the_host_is_reachable_inside_at_the_same_address(ganeti: GanetiCluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ganeti.expose(port)
        client = ganeti.spawn(["socat", "-u", f"TCP:127.0.0.1:{port}", "STDOUT"], log="greeting.log")
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"hello")
        client.wait(10)
    assert ganeti.log_tail("greeting.log") == "hello"


def test_everything_inside_ends_with_the_namespaces() -> None:
    with started(lambda: Namespaces(hostname="node.lab.test")) as node:
        node.spawn(["sleep", "1000.25"], log="sleep.log")
        links = [Path("/sys/class/net") / name for name in node.links]
        assert all(link.exists() for link in links)
    running = subprocess.run(["ps", "-e", "-o", "args"], check=True, capture_output=True, text=True).stdout
    assert not re.search(r"^sleep 1000\.25$", running, re.MULTILINE)
    assert not any(link.exists() for link in links)


def test_a_crashed_run_leaves_no_namespaces_and_no_links() -> None:
    program = (
        "import os\nfrom tests.lab.namespaces import Namespaces\n"
        "node = Namespaces(hostname='node.lab.test').start()\n"
        "node.spawn(['sleep', '1000.5'], log='sleep.log')\n"
        "print(node.name, *node.links, flush=True)\nos.kill(os.getpid(), 9)\n"
    )
    started(lambda: Namespaces(hostname="probe.lab.test")).stop()
    crashed = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    name, link = crashed.stdout.split()
    reap_stale()
    running = subprocess.run(["ps", "-e", "-o", "args"], check=True, capture_output=True, text=True).stdout
    assert not re.search(r"^sleep 1000\.5$", running, re.MULTILINE)
    assert not (Path("/sys/class/net") / link).exists()
    assert not (registry_directory() / name).exists()


def test_two_nodes_side_by_side_have_different_networks() -> None:
    first = started(lambda: Namespaces(hostname="a.lab.test"))
    second = started(lambda: Namespaces(hostname="b.lab.test"))
    with first, second:
        assert not first.subnet.overlaps(second.subnet)
        assert first.run(["hostname"]).stdout.strip() == "a.lab.test"


def test_kamaki_is_the_released_one(kamaki: Kamaki) -> None:
    kamaki.configure(auth_url="http://127.0.0.1:9/identity/v2.0", token="t")
    result = kamaki.run(["--version"])
    assert "0.16" in result.stdout + result.stderr
