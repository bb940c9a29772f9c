"""A server's whole life over PostgreSQL, RabbitMQ, memcached, a real Ganeti and a real guest."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.e2e.cloud_user import COMPUTE, CloudUser, eventually
from tests.lab.cloud import Cloud
from tests.lab.guest import guest_image
from tests.lab.instance import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

PROPERTIES = {"OS": "lab", "OSFAMILY": "linux", "ROOT_PARTITION": "1", "USERS": "root"}
#: A guest in software emulation needs 5 s on an idle machine, far more on a busy one.
BOOT_SECONDS = 240
_RESOURCES = ("cyclades.vm", "cyclades.cpu", "cyclades.ram", "cyclades.disk")


@pytest.fixture(scope="module")
def image(real_cloud: Cloud) -> Iterator[str]:
    """The lab's guest image, uploaded to Pithos and registered by the demo user."""
    with real_cloud.client() as client:
        owner = CloudUser(client, real_cloud.credentials["user_uuid"])
        owner.upload("images", "lab-guest.diskdump", guest_image())
        yield owner.register_image(
            "lab guest",
            "images",
            "lab-guest.diskdump",
            OS="lab",
            OSFAMILY="linux",
            ROOT_PARTITION="1",
            USERS="root",
        )


def address_of(server: Mapping[str, Any]) -> str:
    """The first IPv4 address of a server."""
    for addresses in server["addresses"].values():
        for entry in addresses:
            if entry["version"] == 4:
                return str(entry["addr"])
    raise AssertionError(f"no address: {server}")


def test_a_guest_is_built_used_and_removed(real_cloud: Cloud, user: CloudUser, image: str) -> None:
    cluster = real_cloud.cluster
    flavor = user.smallest_flavor()
    before = user.usage()

    ordered = user.create_server("guest", image, flavor["id"])
    server_id, password = ordered["id"], ordered["adminPass"]
    assert ordered["status"] == "BUILD"
    cost = {
        "cyclades.vm": 1,
        "cyclades.cpu": flavor["vcpus"],
        "cyclades.ram": flavor["ram"] << 20,
        "cyclades.disk": flavor["disk"] << 30,
    }
    built = user.usage()
    assert {name: built[name] - before[name] for name in _RESOURCES} == cost

    progress = user.watch_build(server_id)
    assert progress == sorted(progress)
    assert len(progress) > 1, "no progress was seen"
    server = user.wait_server(server_id, "ACTIVE")
    address = address_of(server)

    wait_until(lambda: cluster.guest_answers(address), timeout=BOOT_SECONDS, what="ping of the guest")

    def shell(command: str) -> str:
        return cluster.guest_shell(address, command, password=password).strip()

    def answers() -> None:
        shell("touch /run/before-reboot")

    eventually(answers, timeout=60)
    assert shell("hostname") == f"snf-{server_id}"
    size = int(shell("df -k / | tail -1 | awk '{print $2}'"))
    assert size > flavor["disk"] * 900_000, "the root file system was not grown"

    user.action(server_id, shutdown={})
    user.wait_server(server_id, "STOPPED")
    assert cluster.rapi("GET", f"/2/instances/snf-{server_id}")["oper_state"] is False
    stopped = user.usage()
    assert stopped["cyclades.vm"] - before["cyclades.vm"] == 1
    assert stopped["cyclades.ram"] == before["cyclades.ram"]
    assert stopped["cyclades.cpu"] == before["cyclades.cpu"]

    user.action(server_id, start={})
    user.wait_server(server_id, "ACTIVE")
    assert user.usage() == built
    wait_until(lambda: cluster.guest_answers(address), timeout=BOOT_SECONDS, what="ping after the start")

    eventually(answers, timeout=60)
    user.action(server_id, reboot={"type": "HARD"})
    user.wait_server(server_id, "ACTIVE")

    def rebooted() -> None:
        assert shell("ls /run/before-reboot 2>/dev/null; echo up") == "up"

    eventually(rebooted, timeout=BOOT_SECONDS)

    user.delete_server(server_id)

    def gone() -> None:
        assert user.usage() == before
        assert user.server(server_id)["status"] == "DELETED"

    eventually(gone, timeout=60)
    assert not [i for i in cluster.rapi("GET", "/2/instances") if i["id"] == f"snf-{server_id}"]
    assert user.pending() == {}


def test_injected_files_and_keys_are_inside_the_guest(real_cloud: Cloud, user: CloudUser, image: str) -> None:
    note = {"path": "/root/note", "contents": "aGVsbG8K", "owner": "root", "group": "root", "mode": 0o600}
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH2FVbmf0l2q5aXoYoKfJ0nXbqN9pUq1c7QyR0cF5t9d lab"
    personality = [note, {"path": "/root/.ssh/authorized_keys", "contents": _base64(key + "\n")}]
    flavor = user.smallest_flavor()
    ordered = user.create_server("files", image, flavor["id"], personality=personality)
    server = user.wait_server(ordered["id"], "ACTIVE", timeout=180)
    address = address_of(server)
    cluster, password = real_cloud.cluster, ordered["adminPass"]
    wait_until(lambda: cluster.guest_answers(address), timeout=BOOT_SECONDS, what="ping of the guest")

    def injected() -> None:
        listing = cluster.guest_shell(
            address,
            "cat /root/note; stat -c %a /root/note; cat /root/.ssh/authorized_keys",
            password=password,
        )
        assert listing == f"hello\n600\n{key}\n"

    eventually(injected, timeout=60)
    user.delete_server(ordered["id"])
    eventually(lambda: _is_deleted(user, ordered["id"]))


def test_an_exhausted_quota_answers_413(real_cloud: Cloud, user: CloudUser, image: str) -> None:
    flavor = user.smallest_flavor()
    before = user.usage()
    body = {"server": {"name": "one too many", "imageRef": image, "flavorRef": flavor["id"]}}
    real_cloud.limit_servers(before["cyclades.vm"])
    try:
        answer = user.client.post(f"{COMPUTE}/servers", json=body)
    finally:
        real_cloud.limit_servers(None)
    assert answer.status_code == 413
    assert "overLimit" in answer.json()
    assert user.usage() == before


def test_a_failed_deployment_is_an_error_with_its_reason(real_cloud: Cloud, user: CloudUser) -> None:
    before = user.usage()
    broken = real_cloud.directory / "broken.diskdump"
    broken.write_bytes(b"no image at all" * 1000)
    user.upload("images", "broken.diskdump", broken)
    image = user.register_image(
        "broken", "images", "broken.diskdump", OS="lab", OSFAMILY="linux", ROOT_PARTITION="1"
    )
    ordered = user.create_server("broken", image, user.smallest_flavor()["id"])

    def failed() -> None:
        server = user.call("GET", f"{COMPUTE}/servers/{ordered['id']}")["server"]
        assert server["status"] == "ERROR"
        assert json.dumps(server["diagnostics"]) != "[]"

    eventually(failed, timeout=180)
    user.delete_server(ordered["id"])
    eventually(lambda: _is_deleted(user, ordered["id"]))
    assert user.usage() == before


def _is_deleted(user: CloudUser, server_id: int) -> None:
    assert user.server(server_id)["status"] == "DELETED"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
