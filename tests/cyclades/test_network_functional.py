"""kamaki against a web server: networks, ports, floating IPs and images."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cyclades.site_fixtures import Site, site  # noqa: F401
from tests.lab.kamaki import Kamaki

pytestmark = pytest.mark.functional


@pytest.fixture
def client(kamaki: Kamaki, site: Site) -> Kamaki:  # noqa: F811
    """kamaki, configured."""
    kamaki.configure(auth_url=f"http://127.0.0.1:{site.port}/astakos/identity/v2.0", token=site.token)
    return kamaki


def test_network_session(client: Kamaki, site: Site) -> None:  # noqa: F811
    network = client.json("network", "create", "MAC_FILTERED", "--name", "lab-net")
    assert (network["name"], network["type"], network["status"]) == ("lab-net", "MAC_FILTERED", "ACTIVE")
    subnet = client.json(
        "subnet", "create", "--network-id", network["id"], "--cidr", "10.0.1.0/28", "--no-gateway"
    )
    assert (subnet["gateway_ip"], subnet["allocation_pools"][0]["start"]) == (None, "10.0.1.1")
    assert client.json("network", "modify", network["id"], "--new-name", "renamed")["name"] == "renamed"
    names = {item["name"] for item in client.json("network", "list", "--details")}
    assert names == {"renamed", "public_network"}
    port = client.json("port", "create", "--network-id", network["id"], "--name", "eth")
    assert (port["status"], port["fixed_ips"][0]["ip_address"]) == ("DOWN", "10.0.1.1")
    assert "10.0.1.1" in client("port", "info", port["id"])
    assert client.run(["network", "delete", network["id"]]).returncode != 0
    client("port", "delete", port["id"])
    client("network", "delete", network["id"])
    assert client.json("network", "info", network["id"])["status"] == "DELETED"


def test_floating_ip_session(client: Kamaki) -> None:
    created = client.json("ip", "create")
    ip = created[0] if isinstance(created, list) else created
    assert ip["floating_ip_address"] == "203.0.113.2"
    listed = client.json("ip", "list")
    assert [item["floating_ip_address"] for item in listed] == ["203.0.113.2"]
    port = client.json(
        "port", "create", "--network-id", ip["floating_network_id"], "--ip-address", ip["floating_ip_address"]
    )
    assert client.run(["ip", "delete", ip["id"]]).returncode != 0
    client("port", "delete", port["id"])
    client("ip", "delete", ip["id"])
    assert client.json("ip", "list") == []


def test_image_session(client: Kamaki, site: Site, tmp_path: Path) -> None:  # noqa: F811
    image = tmp_path / "debian.diskdump"
    image.write_bytes(b"x" * 5000)
    client("container", "create", "pics")
    client("file", "upload", image, "/pics/debian.diskdump")
    client(
        "image", "register", "--name", "Debian Base", "--location", "/pics/debian.diskdump",
        "--public", "-p", "OSFAMILY=linux", "-p", "ROOT_PARTITION=1",
    )  # fmt: skip
    [listed] = client.json("image", "list", "--details")
    assert (listed["name"], listed["is_public"], listed["size"]) == ("Debian Base", True, 5000)
    assert listed["properties"] == {"osfamily": "linux", "root_partition": "1"}
    client("image", "modify", listed["id"], "-p", "OSFAMILY=windows", "--private")
    [changed] = client.json("image", "list", "--details")
    assert (changed["properties"]["osfamily"], changed["is_public"]) == ("windows", False)
    assert "Debian Base" in client("image", "info", listed["id"])
    assert client.json("image", "list", "--name", "Debian Base")[0]["id"] == listed["id"]
    assert client.json("image", "list", "--name", "other") == []
    assert "osfamily" in client("imagecompute", "info", listed["id"])
    client("image", "unregister", listed["id"])
    assert client.json("image", "list") == []
