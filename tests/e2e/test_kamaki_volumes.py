"""Volumes with kamaki, through all components but Ganeti itself."""

from __future__ import annotations

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


def test_a_volume_is_created_attached_detached_and_deleted(
    client: Kamaki, fast_cloud: Cloud, fast_user: CloudUser, tmp_path: Path
) -> None:
    before = fast_user.usage()["cyclades.disk"]
    disk = tmp_path / "disk"
    disk.write_bytes(secrets.token_bytes(50_000))
    client("container", "create", "volume-images")
    client("file", "upload", disk, "/volume-images/disk")
    client("image", "register", "--name", "for volumes", "--location", "/volume-images/disk")
    image = next(item["id"] for item in client.json("image", "list") if item["name"] == "for volumes")
    flavor = str(fast_user.smallest_flavor("ext_snffile")["id"])
    server = str(
        client.json("server", "create", "--name", "v", "--flavor-id", flavor, "--image-id", image)["id"]
    )
    client("server", "wait", server, "--while", "BUILD", "--timeout", "100")
    # A hypervisor without hotplug lets disks leave only a stopped server.
    client("server", "shutdown", server, "-w")

    client("volume", "create", "--name", "data", "--size", "1")
    volume = next(str(item["id"]) for item in client.json("volume", "list") if item["display_name"] == "data")
    assert client.json("volume", "info", volume)["status"] == "available"
    client("server", "attach", server, "--volume-id", volume)
    client("volume", "wait", volume, "--while", "attaching", "--timeout", "100")
    assert client.json("volume", "info", volume)["status"] == "in_use"
    client("server", "detach", server, "--volume-id", volume)
    client("volume", "wait", volume, "--while", "detaching", "--timeout", "100")
    assert client.json("volume", "info", volume)["status"] == "available"

    client("volume", "delete", volume)

    def gone() -> None:
        assert client.json("volume", "info", volume)["status"] == "deleted"

    eventually(gone)
    client("server", "delete", server, "-w")

    def released() -> None:
        assert fast_user.usage()["cyclades.disk"] == before

    eventually(released)
