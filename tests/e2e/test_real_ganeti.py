"""A server's whole life over PostgreSQL, RabbitMQ, memcached, a real Ganeti and a real guest."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.e2e.cloud_user import COMPUTE, CloudUser, eventually
from tests.lab.cloud import Cloud
from tests.lab.ganeti import GanetiCluster
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

    assert_the_firewall_follows_the_tags(cluster, f"snf-{server_id}", address)
    assert shell("echo in") == "in"

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
    assert address not in cluster.run(["nft", "list", "ruleset"]).stdout
    assert cluster.run(["ls", "/run/snf-network/nics", "/run/snf-network/bindings"]).stdout.count("tap") == 0


def assert_the_firewall_follows_the_tags(cluster: GanetiCluster, instance: str, address: str) -> None:
    """First nothing may come in but answers and ping, then SSH, which stays so over restarts."""
    [nic] = cluster.rapi("GET", f"/2/instances/{instance}")["nic.names"]
    tag = f"synnefo:network:{nic}"
    call = f"/2/instances/{instance}/tags?tag={tag}"
    unchanged = ("PUT", f"/2/instances/{instance}/modify", {"os_name": "snf-image+default"})

    def run(*calls: tuple[str, str, object]) -> None:
        for verb, path, body in calls:
            job = cluster.wait_job(cluster.rapi(verb, path, body))
            assert job["status"] == "success", job

    run(("PUT", f"{call}:protected", None), unchanged)
    probe = f"import socket; socket.create_connection(('{address}', 22), 2)"
    assert cluster.run([sys.executable, "-I", "-S", "-c", probe], check=False).returncode != 0
    assert cluster.guest_answers(address)
    run(("DELETE", f"{call}:protected", None), ("PUT", f"{call}:limited", None), unchanged)


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


def test_a_server_boots_from_a_snapshot_of_a_running_one(
    real_cloud: Cloud, user: CloudUser, image: str
) -> None:
    cluster, flavor = real_cloud.cluster, user.smallest_flavor()
    ordered = user.create_server("original", image, flavor["id"])
    first = user.wait_server(ordered["id"], "ACTIVE", timeout=180)
    real_cloud.start_process("snapshots")

    def write() -> None:
        cluster.guest_shell(
            address_of(first), "echo kept > /root/marker; sync", password=ordered["adminPass"]
        )

    wait_until(lambda: cluster.guest_answers(address_of(first)), timeout=BOOT_SECONDS, what="ping")
    eventually(write, timeout=60)
    body = {"snapshot": {"volume_id": first["volumes"][0], "display_name": "of a running server"}}
    root = "/cyclades/volume/v2.0/snapshots"
    snapshot = user.call("POST", root, expect=202, json=body)["snapshot"]
    assert snapshot["status"] == "CREATING"

    def available() -> None:
        shown = user.call("GET", f"{root}/{snapshot['id']}")["snapshot"]
        assert shown["status"] == "AVAILABLE", real_cloud.log_tail("snapshots.log")

    eventually(available, timeout=180)
    copied = user.create_server("copy", snapshot["id"], flavor["id"])
    second = user.wait_server(copied["id"], "ACTIVE", timeout=180)
    user.delete_server(first["id"])

    def kept() -> None:
        said = cluster.guest_shell(address_of(second), "cat /root/marker", password=ordered["adminPass"])
        assert said == "kept\n"

    eventually(kept, timeout=BOOT_SECONDS)
    user.delete_server(second["id"])
    user.call("DELETE", f"{root}/{snapshot['id']}", expect=202)
    for server in (first, second):
        eventually(lambda server=server: _is_deleted(user, server["id"]))  # type: ignore[misc]


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
