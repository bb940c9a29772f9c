"""What today's clients do with compute and network: openstacksdk, the command line, Libcloud.

All of them use one demo cloud with its simulated cluster (compute contract 22, network contract 17).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.lab.demo import Demo, plain_environment
from tests.lab.programs import command_lines

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(900)]
ROOT = Path(__file__).resolve().parents[2]
#: Seconds; the machine may be busy.
DEADLINE = 250.0
FLAVOR = "C1R1024D10file"


@dataclass(frozen=True)
class Cloud:
    """A running demo cloud and its user."""

    folder: Path
    base: str
    user: str
    token: str
    image: str
    #: One for all requests: loading the trusted certificates costs more than a request.
    http: httpx.Client

    def get(self, path: str) -> Any:
        """Return the JSON at a path of Cyclades."""
        answer = self.http.get(f"{self.base}/cyclades/{path}", headers={"X-Auth-Token": self.token})
        return answer.raise_for_status().json()

    def until_idle(self, server_id: str) -> str:
        """Wait until no task of a server is pending and return its status."""

        def status() -> str:
            server = self.get(f"compute/v2.1/servers/{server_id}")["server"]
            return "" if server["SNF:task_state"] else str(server["status"])

        return until(status)

    def idle(self) -> str:
        """Return ``idle`` unless a task of some server is pending."""
        servers = self.get("compute/v2.0/servers/detail")["servers"]
        return "" if any(server["SNF:task_state"] for server in servers) else "idle"

    def empty(self) -> str:
        """Return ``empty`` when no server is left."""
        return "" if self.get("compute/v2.0/servers")["servers"] else "empty"


def manage(demo: Demo, *words: str) -> None:
    """Run an administrator's command."""
    settings = plain_environment() | {"SYNNEFO_SETTINGS_DIR": str(demo.data / "settings")}
    result = demo.manage.run(["snf-manage", *words], environment=settings)
    assert result.returncode == 0, result.stderr


def until(reached: Callable[[], str]) -> str:
    """Return what *reached* returns as soon as it is not empty."""
    deadline = time.monotonic() + DEADLINE
    while not (value := reached()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)
    return value


@pytest.fixture(scope="module")
def cloud(demo: Demo) -> Iterator[Cloud]:
    """The demo cloud, as ``make run`` starts it."""
    known = json.loads((demo.data / "credentials.json").read_text())
    with httpx.Client(timeout=60) as http:
        found = Cloud(demo.data, demo.base_url, known["user_uuid"], known["token"], "", http)
        image = found.get("compute/v2.0/images")["images"][0]["id"]
        yield replace(found, image=image)


@pytest.fixture(scope="module")
def sdk(cloud: Cloud) -> Iterator[Any]:
    """A connection of openstacksdk with the configuration that the demo wrote."""
    openstack = pytest.importorskip("openstack")
    region = openstack.config.OpenStackConfig(config_files=[str(cloud.folder / "clouds.yaml")])
    connection = openstack.connection.Connection(config=region.get_one("demo"))
    yield connection
    connection.close()


def test_the_catalog_sends_todays_clients_to_novas_profile(cloud: Cloud, sdk: Any) -> None:
    assert sdk.compute.get_endpoint() == f"{cloud.base}/cyclades/compute/v2.1"
    login = {"auth": {"tenantId": cloud.user, "token": {"id": cloud.token}}}
    old = cloud.http.post(f"{cloud.base}/astakos/identity/v2.0/tokens", json=login).json()
    urls = [e["publicURL"] for s in old["access"]["serviceCatalog"] for e in s["endpoints"]]
    assert f"{cloud.base}/cyclades/compute/v2.0" in urls


def test_the_sdk_lists_and_finds(cloud: Cloud, sdk: Any) -> None:
    compute, network = sdk.compute, sdk.network
    flavors = list(compute.flavors(limit=1))
    assert flavors[0].name == FLAVOR and len(flavors) >= 3
    assert compute.find_flavor(FLAVOR).id == flavors[0].id
    assert [image.id for image in compute.images()] == [cloud.image]
    assert compute.find_server("nobody") is None
    assert network.find_network("nobody") is None
    (internet,) = network.networks(is_router_external=True)
    assert internet.name == "Internet"
    assert compute.get_limits().absolute.instances == 4
    assert compute.get_quota_set(cloud.user).cores == 16
    assert [zone.name for zone in compute.availability_zones()] == ["nova"]
    assert list(compute.server_groups()) == list(network.security_groups()) == list(network.routers()) == []
    assert list(network.extensions()) == []
    made = compute.create_keypair(name="laptop")
    assert made.private_key and [key.name for key in compute.keypairs()] == ["laptop"]
    compute.delete_keypair("laptop")


def test_the_sdk_drives_a_server_through_its_life(cloud: Cloud, demo: Demo, sdk: Any) -> None:
    openstack = pytest.importorskip("openstack")
    compute, network = sdk.compute, sdk.network
    lab = network.create_network(name="sdk-net")
    network.create_subnet(network_id=lab.id, cidr="10.1.0.0/24", ip_version=4, name="sdk-subnet")
    small, medium = list(compute.flavors())[:2]
    made = compute.create_server(
        name="sdk", image_id=cloud.image, flavor_id=small.id, networks=[{"uuid": lab.id}]
    )
    server = compute.wait_for_server(made, wait=DEADLINE, interval=0.5)
    assert (server.status, set(server.addresses)) == ("ACTIVE", {"Internet", "sdk-net"})
    assert [found.id for found in compute.servers(limit=1)] == [server.id]
    assert compute.find_server("sdk").id == server.id
    assert [s.name for s in compute.servers(name="^sd", status="ACTIVE", details=False)] == ["sdk"]
    compute.set_server_metadata(server, role="web")
    assert compute.get_server_metadata(server).metadata == {"role": "web"}
    assert compute.update_server(server, name="sdk-2").name == "sdk-2"
    assert len(list(compute.server_interfaces(server))) == 2
    (port,) = network.ports(device_id=server.id, network_id=lab.id)
    (internet,) = network.networks(is_router_external=True)
    ip = network.create_ip(floating_network_id=internet.id)
    assert network.update_ip(ip, port_id=port.id).status == "ACTIVE"
    cloud.until_idle(server.id)
    assert ip.floating_ip_address in [a["addr"] for a in compute.get_server(server.id).addresses["Internet"]]
    network.update_ip(ip, port_id=None)
    cloud.until_idle(server.id)
    compute.stop_server(server)
    compute.wait_for_server(compute.get_server(server.id), status="SHUTOFF", wait=DEADLINE, interval=0.5)
    cloud.until_idle(server.id)
    with pytest.raises(openstack.exceptions.BadRequestException, match="disk size cannot change"):
        compute.resize_server(server, medium.id)
    with pytest.raises(openstack.exceptions.ConflictException):
        compute.stop_server(server)
    compute.start_server(server)
    assert cloud.until_idle(server.id) == "ACTIVE"
    manage(demo, "flavor-create", "2", "1024", "10", "file")
    bigger = compute.find_flavor("C2R1024D10file")
    compute.resize_server(server, bigger.id)
    compute.wait_for_server(
        compute.get_server(server.id), status="VERIFY_RESIZE", wait=DEADLINE, interval=0.5
    )
    compute.confirm_server_resize(server)
    assert cloud.until_idle(server.id) == "ACTIVE"
    assert compute.get_server(server.id).flavor.id == bigger.id
    # Others look at the demo's flavors.
    manage(demo, "flavor-modify", bigger.id, "--deleted", "True")
    compute.reboot_server(server, "HARD")
    assert cloud.until_idle(server.id) == "ACTIVE"
    compute.delete_server(server)
    compute.wait_for_delete(compute.get_server(server.id), wait=DEADLINE, interval=0.5)
    network.delete_ip(ip)
    network.delete_network(lab)
    until(lambda: "" if network.find_network("sdk-net") else "gone")


def run_lines(cloud: Cloud, *lines: str) -> list[str]:
    """Run command lines one after the other, each when no server has a task, and return what each prints.

    ``ADDRESS`` stands for what the first line printed.
    """
    login = {"client_config_file": str(cloud.folder / "clouds.yaml"), "cloud": "demo"}
    printed: list[str] = []
    for line in lines:
        words = line.replace("ADDRESS", printed[0].strip() if printed else "").split()
        printed += command_lines(words, **login)
        until(cloud.idle)
    return printed


def test_the_command_line_does_a_servers_life(cloud: Cloud) -> None:
    values = "-f value -c"
    printed = run_lines(
        cloud,
        f"floating ip create Internet {values} floating_ip_address",
        "network create cli-net",
        "subnet create --network cli-net --subnet-range 10.2.0.0/24 cli-subnet",
        f"server create --image {cloud.image} --flavor {FLAVOR} --network cli-net --wait cli",
        f"server list {values} Name {values} Status",
        "server add floating ip cli ADDRESS",
        "server show cli -f json",
        "server remove floating ip cli ADDRESS",
        "port create --network cli-net cli-port",
        "server add port cli cli-port",
        f"port list --server cli --network cli-net {values} Status",
        "server remove port cli cli-port",
        "server stop cli",
        f"server show cli {values} status",
        "server start cli",
        "server reboot --wait cli",
        "server set --property role=web --name cli-2 cli",
        "server show cli-2 -f json",
        "console log show cli-2",
        "server delete --wait cli-2",
        f"server list {values} Name",
        "floating ip delete ADDRESS",
        "network delete cli-net",
        "limits show --absolute -f json",
        "availability zone list --compute -f json",
    )
    assert printed[4].split() == ["cli", "ACTIVE"]
    addresses = json.loads(printed[6])["addresses"]
    assert printed[0].strip() in addresses["Internet"] and addresses["cli-net"] == ["10.2.0.2"]
    assert printed[10].split() == ["ACTIVE", "ACTIVE"]
    assert printed[13].strip() == "SHUTOFF"
    shown = json.loads(printed[17])
    assert (shown["status"], shown["name"], shown["properties"]) == ("ACTIVE", "cli-2", {"role": "web"})
    assert printed[20].strip() == ""


def test_libcloud_creates_lists_and_destroys(cloud: Cloud) -> None:
    compute_base = pytest.importorskip("libcloud.compute.base")
    from libcloud.compute.providers import get_driver
    from libcloud.compute.types import NodeState, Provider

    driver = get_driver(Provider.OPENSTACK)(
        cloud.user, cloud.token, secure=False, api_version="2.1",
        ex_force_auth_url=f"{cloud.base}/astakos/identity", ex_force_auth_version="3.x_password",
        ex_tenant_name=cloud.user, ex_domain_name="default", ex_force_service_region="default",
        ex_force_service_name="cyclades_compute",
    )  # fmt: skip
    # Libcloud takes one service name for all services; the others' addresses it is told.
    driver.image_connection._ex_force_base_url = f"{cloud.base}/cyclades/image/"
    driver.network_connection._ex_force_base_url = f"{cloud.base}/cyclades/network/"
    size = driver.list_sizes()[0]
    image = compute_base.NodeImage(cloud.image, "Starter", driver)
    made = driver.create_node(name="libcloud", size=size, image=image)
    ((node, addresses),) = driver.wait_until_running([made], wait_period=0.5, timeout=DEADLINE)
    assert node.state == NodeState.RUNNING and addresses[0].startswith("203.0.113.")
    assert "libcloud" in [found.name for found in driver.list_nodes()]
    assert cloud.image in [found.id for found in driver.list_images()]
    assert driver.get_image(cloud.image).name == "Starter"
    internet = next(found for found in driver.ex_list_networks() if found.name == "Internet")
    assert internet.id in [subnet.network_id for subnet in driver.ex_list_subnets()]
    cloud.until_idle(node.id)
    assert driver.stop_node(node)
    cloud.until_idle(node.id)
    assert driver.ex_get_node_details(node.id).state == NodeState.STOPPED
    assert driver.start_node(node)
    cloud.until_idle(node.id)
    assert driver.ex_set_metadata(node, {"a": "b"}) == driver.ex_get_metadata(node) == {"a": "b"}
    assert driver.ex_set_server_name(node, "libcloud-2").name == "libcloud-2"
    assert driver.reboot_node(node)
    cloud.until_idle(node.id)
    assert driver.destroy_node(node)
    until(lambda: "" if node.id in [left.id for left in driver.list_nodes()] else "gone")


def unsupported() -> list[tuple[str, str, str, int]]:
    """Return the calls that the guide for users lists as not supported: verb, path, body, status."""
    text = (ROOT / "docs/users/openstack-clients.md").read_text()
    table = text.partition("## What is not supported")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| `")]
    calls = []
    for _call, request, status in rows:
        verb, path, *body = request.strip().replace("`", "").split(" ", 2)
        calls.append((verb, path, body[0] if body else "", int(status)))
    return calls


def test_what_is_not_supported_says_so_as_the_guide_says(cloud: Cloud) -> None:
    headers = {"X-Auth-Token": cloud.token, "Content-Type": "application/json"}
    body = {"server": {"name": "x", "imageRef": cloud.image, "flavorRef": "1", "networks": "none"}}
    root = f"{cloud.base}/cyclades"
    made = cloud.http.post(f"{root}/compute/v2.1/servers", json=body, headers=headers).json()
    server = made["server"]["id"]
    calls = unsupported()
    assert len(calls) > 20
    wrong = []
    for verb, path, text, status in calls:
        url = f"{root}/{path.replace('SERVER', server).replace('USER', cloud.user)}"
        answer = cloud.http.request(verb, url, content=text, headers=headers)
        (fault,) = answer.json().values()
        if (answer.status_code, fault["code"], bool(fault["message"])) != (status, status, True):
            wrong.append(f"{verb} {path}: {answer.status_code} {fault}")
    assert wrong == []
    cloud.until_idle(server)
    cloud.http.delete(f"{root}/compute/v2.1/servers/{server}", headers=headers)
    until(cloud.empty)
