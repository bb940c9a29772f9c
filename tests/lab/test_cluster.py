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
from tests.lab.guest import PASSWORD, boot_command, guest_image
from tests.lab.instance import LabError, Unavailable, reap_stale, registry_directory, wait_until
from tests.lab.kamaki import Kamaki
from tests.lab.namespaces import Namespaces
from tests.lab.packages import why_missing

pytestmark = pytest.mark.functional


def image() -> Path:
    """The guest image, or a skipped test."""
    try:
        return guest_image()
    except Unavailable as error:
        pytest.skip(why_missing(str(error)))


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


def test_instances_are_made_and_removed(ganeti: GanetiCluster) -> None:
    job = ganeti.wait_job(ganeti.rapi("POST", "/2/instances", instance("snf-900001")))
    assert job["status"] == "success", job
    assert (ganeti.queue_dir / f"job-{job['id']}").exists()
    job = ganeti.wait_job(ganeti.rapi("DELETE", "/2/instances/snf-900001"))
    assert job["status"] == "success", job


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


def test_the_guest_image_boots_from_its_own_disk(tmp_path: Path) -> None:
    console = tmp_path / "console"
    with console.open("wb") as output:
        guest = subprocess.Popen(boot_command(image()), stdin=subprocess.DEVNULL, stdout=output)
    try:
        wait_until(lambda: b"login:" in console.read_bytes(), timeout=120, what="login prompt")
        assert b"lab-guest is up" in console.read_bytes()
    finally:
        guest.kill()
        guest.wait()


def test_a_guest_runs_in_ganeti_and_is_reached_over_the_network(ganeti_kvm: GanetiCluster) -> None:
    cluster = ganeti_kvm
    cluster.serve_guests("10.201.3.1/24")
    network = {"network_name": "snf-net-900", "network": "10.201.3.0/24", "gateway": "10.201.3.1"}
    cluster.wait_job(cluster.rapi("POST", "/2/networks", {**network, "conflicts_check": False}))
    link = {
        "group_name": "default",
        "network_mode": "bridged",
        "network_link": "br0",
        "conflicts_check": False,
    }
    cluster.wait_job(cluster.rapi("PUT", "/2/networks/snf-net-900/connect", link))
    body = instance(
        "snf-900003",
        hypervisor="kvm",
        nics=[{"name": "snf-nic-900", "network": "snf-net-900", "ip": "10.201.3.7"}],
        osparams={"img_id": f"lab:{image()}", "config_url": "http://127.0.0.1/", "img_format": "diskdump"},
    )
    job = cluster.wait_job(cluster.rapi("POST", "/2/instances", body))
    assert job["status"] == "success", job
    wait_until(lambda: cluster.guest_answers("10.201.3.7"), timeout=120, what="ping")
    assert cluster.guest_shell("10.201.3.7", "hostname", password=PASSWORD).strip() == "lab-guest"
    console = cluster.rapi("GET", "/2/instances/snf-900003")["network_port"]
    with socket.create_connection((cluster.address, console), timeout=5) as connection:
        assert connection.recv(3) == b"RFB"
    job = cluster.wait_job(cluster.rapi("DELETE", "/2/instances/snf-900003", {"shutdown_timeout": 0}))
    assert job["status"] == "success", job


def test_kamaki_is_the_released_one(kamaki: Kamaki) -> None:
    kamaki.configure(auth_url="http://127.0.0.1:9/identity/v2.0", token="t")
    result = kamaki.run(["--version"])
    assert "0.16" in result.stdout + result.stderr
