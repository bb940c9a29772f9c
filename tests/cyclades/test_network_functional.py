"""kamaki against a web server: networks, ports, floating IPs and images."""

# ruff: noqa: F811
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cyclades.site_fixtures import Site, site  # noqa: F401
from tests.lab.kamaki import Kamaki

pytestmark = pytest.mark.functional


@pytest.fixture
def client(kamaki: Kamaki, site: Site) -> Kamaki:
    """kamaki, configured."""
    kamaki.configure(auth_url=f"http://127.0.0.1:{site.port}/astakos/identity/v2.0", token=site.token)
    return kamaki


def read(client: Kamaki, *words: str) -> Any:
    """Run a command and decode what it prints."""
    return json.loads(client(*words, "--output-format", "json"))


def create_port(site: Site, **port: object) -> dict[str, Any]:
    """Create an unattached port, for which kamaki has no command."""
    body = json.dumps({"port": port}).encode()
    status, _, content = site.call(
        "POST", "/cyclades/network/v2.0/ports", body, **{"Content-Type": "application/json"}
    )
    assert status == 201, content
    return json.loads(content)["port"]


def test_network_session(client: Kamaki, site: Site) -> None:
    network = read(client, "network", "create", "--type", "MAC_FILTERED", "--name", "lab-net")
    assert (network["name"], network["type"], network["status"]) == ("lab-net", "MAC_FILTERED", "ACTIVE")
    subnet = read(
        client, "subnet", "create", "--network-id", network["id"], "--cidr", "10.0.1.0/28", "--no-gateway"
    )
    assert (subnet["gateway_ip"], subnet["allocation_pools"][0]["start"]) == (None, "10.0.1.1")
    assert read(client, "network", "modify", network["id"], "--name", "renamed")["name"] == "renamed"
    names = {item["name"] for item in read(client, "network", "list", "--details")}
    assert names == {"renamed", "public_network"}
    port = create_port(site, network_id=network["id"], name="eth")
    assert (port["status"], port["fixed_ips"][0]["ip_address"]) == ("DOWN", "10.0.1.1")
    assert "10.0.1.1" in client("port", "info", port["id"])
    assert client.run(["network", "delete", network["id"]]).returncode != 0
    client("port", "delete", port["id"])
    client("network", "delete", network["id"])
    assert read(client, "network", "info", network["id"])["status"] == "DELETED"


def test_floating_ip_session(client: Kamaki, site: Site) -> None:
    created = read(client, "ip", "create")
    ip = created[0] if isinstance(created, list) else created
    assert ip["floating_ip_address"] == "203.0.113.2"
    listed = read(client, "ip", "list")
    assert [item["floating_ip_address"] for item in listed] == ["203.0.113.2"]
    port = create_port(
        site,
        network_id=ip["floating_network_id"],
        fixed_ips=[{"ip_address": ip["floating_ip_address"]}],
    )
    assert client.run(["ip", "delete", ip["id"]]).returncode != 0
    client("port", "delete", port["id"])
    client("ip", "delete", ip["id"])
    assert read(client, "ip", "list") == []


def test_image_session(client: Kamaki, site: Site, tmp_path: Path) -> None:
    image = tmp_path / "debian.diskdump"
    image.write_bytes(b"x" * 5000)
    client("container", "create", "pics")
    client("file", "upload", image, "/pics/debian.diskdump")
    client(
        "image", "register", "--name", "Debian Base", "--location", "/pics/debian.diskdump",
        "--public", "-p", "OSFAMILY=linux", "-p", "ROOT_PARTITION=1",
    )  # fmt: skip
    [listed] = read(client, "image", "list", "--details")
    assert (listed["name"], listed["is_public"], listed["size"]) == ("Debian Base", True, 5000)
    assert listed["properties"] == {"osfamily": "linux", "root_partition": "1"}
    client("image", "modify", listed["id"], "-p", "OSFAMILY=windows", "--private")
    [changed] = read(client, "image", "list", "--details")
    assert (changed["properties"]["osfamily"], changed["is_public"]) == ("windows", False)
    assert "Debian Base" in client("image", "info", listed["id"])
    assert read(client, "image", "list", "--name", "Debian Base")[0]["id"] == listed["id"]
    assert read(client, "image", "list", "--name", "other") == []
    assert "osfamily" in client("imagecompute", "info", listed["id"])
    client("image", "unregister", listed["id"])
    assert read(client, "image", "list") == []
