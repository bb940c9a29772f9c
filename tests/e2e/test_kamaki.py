"""What the last released kamaki does with a cloud, from its first command to an exhausted quota."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import pytest

from tests.e2e.cloud_user import CloudUser, eventually
from tests.lab.cloud import Cloud
from tests.lab.kamaki import Kamaki

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture
def client(kamaki: Kamaki, fast_cloud: Cloud) -> Kamaki:
    """kamaki as the demo user."""
    kamaki.configure(auth_url=fast_cloud.credentials["auth_url"], token=fast_cloud.credentials["token"])
    return kamaki


def test_kamaki_authenticates_and_shows_quota(client: Kamaki, fast_cloud: Cloud) -> None:
    assert fast_cloud.credentials["user_uuid"] in client("user", "info")
    quota = client.json("quota", "list")[fast_cloud.credentials["user_uuid"]]
    assert {"cyclades.vm", "cyclades.ram", "pithos.diskspace"} <= set(quota)


def test_kamaki_refuses_a_wrong_token(client: Kamaki, fast_cloud: Cloud) -> None:
    client.configure(auth_url=fast_cloud.credentials["auth_url"], token="wrong")
    result = client.run(["user", "info"])
    assert result.returncode != 0
    assert "new and valid token" in result.stderr


def test_a_file_comes_back_as_it_went(client: Kamaki, tmp_path: Path) -> None:
    # Three blocks, the last one short, one of them all zeros.
    sent = tmp_path / "sent"
    sent.write_bytes(secrets.token_bytes(4 << 20) + bytes(4 << 20) + secrets.token_bytes(1234))
    client("container", "create", "box")
    client("file", "upload", sent, "/box/file")
    client("file", "download", "/box/file", tmp_path / "received")
    assert (tmp_path / "received").read_bytes() == sent.read_bytes()
    assert "file" in client("file", "list", "/box")
    client("container", "delete", "box", "-r", "--yes")


def test_a_server_lives_from_an_uploaded_image(
    client: Kamaki, fast_cloud: Cloud, fast_user: CloudUser, tmp_path: Path
) -> None:
    before = fast_user.usage()
    disk = tmp_path / "disk"
    disk.write_bytes(secrets.token_bytes(100_000))
    client("container", "create", "kamaki-images")
    client("file", "upload", disk, "/kamaki-images/disk")
    properties = ["--property", "OS=lab", "--property", "OSFAMILY=linux"]
    client("image", "register", "--name", "from kamaki", "--location", "/kamaki-images/disk", *properties)
    image = next(item["id"] for item in client.json("image", "list") if item["name"] == "from kamaki")
    flavor = str(client.json("flavor", "list")[0]["id"])

    order = ["server", "create", "--name", "k", "--flavor-id", flavor, "--image-id", image]
    server = client.json(*order)
    assert server["adminPass"]
    name = str(server["id"])
    client("server", "wait", name, "--while", "BUILD", "--timeout", "60")
    assert client.json("server", "info", name)["status"] == "ACTIVE"
    assert fast_user.usage()["cyclades.vm"] == before["cyclades.vm"] + 1

    client("server", "shutdown", name, "-w")
    assert client.json("server", "info", name)["status"] == "STOPPED"
    assert fast_user.usage()["cyclades.ram"] == before["cyclades.ram"]
    client("server", "start", name, "-w")
    client("server", "reboot", name, "--type", "HARD", "-w")
    assert client.json("server", "info", name)["status"] == "ACTIVE"

    fast_cloud.limit_servers(before["cyclades.vm"] + 1)
    try:
        refused = client.run(order)
    finally:
        fast_cloud.limit_servers(None)
    assert refused.returncode != 0
    assert "413" in refused.stderr
    assert "overLimit" in refused.stderr

    client("server", "delete", name, "-w")

    def released() -> None:
        assert fast_user.usage() == before
        assert name not in json.dumps([item["id"] for item in client.json("server", "list")])

    eventually(released)
