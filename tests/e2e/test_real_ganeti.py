"""A server's whole life over PostgreSQL, RabbitMQ, memcached, a real Ganeti and a real guest."""

from __future__ import annotations

import json
import sys

import pytest

from tests.e2e.cloud_user import COMPUTE, CloudUser, eventually
from tests.e2e.guest import BOOT_SECONDS, KEY, NOTE, Guest, address_of
from tests.lab.cloud import Cloud
from tests.lab.ganeti import GanetiCluster
from tests.lab.instance import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

_RESOURCES = ("cyclades.vm", "cyclades.cpu", "cyclades.ram", "cyclades.disk")


def test_a_guest_is_built_and_charged(guest: Guest) -> None:
    assert guest.ordered["status"] == "BUILD"
    flavor = guest.flavor
    cost = {
        "cyclades.vm": 1,
        "cyclades.cpu": flavor["vcpus"],
        "cyclades.ram": flavor["ram"] << 20,
        "cyclades.disk": flavor["disk"] << 30,
    }
    assert {name: guest.usage[name] - guest.usage_before[name] for name in _RESOURCES} == cost
    assert guest.progress == sorted(guest.progress)
    assert len(guest.progress) > 1, "no progress was seen"
    assert guest.shell("hostname") == f"snf-{guest.id}\n"
    size = int(guest.shell("df -k / | tail -1 | awk '{print $2}'"))
    assert size > flavor["disk"] * 900_000, "the root file system was not grown"


def test_injected_files_and_keys_are_inside_the_guest(guest: Guest) -> None:
    listing = guest.shell("cat /root/note; stat -c %a /root/note; cat /root/.ssh/authorized_keys")
    assert listing == f"{NOTE}600\n{KEY}"


def test_the_firewall_follows_the_tags(guest: Guest) -> None:
    assert_the_firewall_follows_the_tags(guest.cloud.cluster, guest.instance, guest.address)
    assert guest.shell("echo in") == "in\n"


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


def test_a_running_guest_gets_and_loses_a_disk(guest: Guest) -> None:
    user, root = guest.user, "/cyclades/volume/v2.0/volumes"
    kind = user.call("GET", f"{root}/{guest.volume}")["volume"]["volume_type"]
    body = {"volume": {"size": 1, "display_name": "more", "volume_type": kind, "server_id": str(guest.id)}}
    volume = user.call("POST", root, expect=202, json=body)["volume"]["id"]

    def status_is(wanted: str) -> None:
        assert user.call("GET", f"{root}/{volume}")["volume"]["status"] == wanted

    eventually(lambda: status_is("in_use"), timeout=120)
    # In sectors of 512 bytes.
    assert guest.shell("cat /sys/block/vdb/size") == f"{1 << 21}\n"
    user.call("DELETE", f"{root}/{volume}", expect=202)
    eventually(lambda: status_is("deleted"), timeout=120)
    assert guest.shell("ls /sys/block | grep -c ^vd") == "1\n"
    told = user.call("GET", f"{COMPUTE}/servers/{guest.id}/diagnostics")
    assert "hotplug" not in {item["source"] for item in told}


def test_a_server_boots_from_a_snapshot_of_a_running_one(guest: Guest) -> None:
    cloud, user = guest.cloud, guest.user
    cloud.start_process("snapshots")
    guest.shell("echo kept > /root/marker; sync")
    body = {"snapshot": {"volume_id": guest.volume, "display_name": "of a running server"}}
    root = "/cyclades/volume/v2.0/snapshots"
    snapshot = user.call("POST", root, expect=202, json=body)["snapshot"]
    assert snapshot["status"] == "CREATING"

    def available() -> None:
        shown = user.call("GET", f"{root}/{snapshot['id']}")["snapshot"]
        assert shown["status"] == "AVAILABLE", cloud.log_tail("snapshots.log")

    eventually(available, timeout=180)
    copied = user.create_server("copy", snapshot["id"], guest.flavor["id"])
    copy = user.wait_server(copied["id"], "ACTIVE", timeout=180)

    def kept() -> None:
        assert guest.shell("cat /root/marker", of=address_of(copy)) == "kept\n"

    eventually(kept, timeout=BOOT_SECONDS)
    user.delete_server(copy["id"])
    user.call("DELETE", f"{root}/{snapshot['id']}", expect=202)
    eventually(lambda: _is_deleted(user, copy["id"]))


def test_a_guest_is_restarted_stopped_started_and_removed(guest: Guest) -> None:
    cluster, user = guest.cloud.cluster, guest.user
    guest.shell("touch /run/before-reboot")
    user.action(guest.id, reboot={"type": "HARD"})
    user.wait_server(guest.id, "ACTIVE")

    def rebooted() -> None:
        assert guest.shell("ls /run/before-reboot 2>/dev/null; echo up") == "up\n"

    eventually(rebooted, timeout=BOOT_SECONDS)

    user.action(guest.id, shutdown={})
    user.wait_server(guest.id, "STOPPED")
    assert cluster.rapi("GET", f"/2/instances/{guest.instance}")["oper_state"] is False
    before, stopped = guest.usage_before, user.usage()
    assert stopped["cyclades.vm"] - before["cyclades.vm"] == 1
    assert stopped["cyclades.ram"] == before["cyclades.ram"]
    assert stopped["cyclades.cpu"] == before["cyclades.cpu"]
    assert "STOPPED" in guest.ask(expect=400, console={"type": "vnc"})["badRequest"]["message"]

    # As in every cloud but this one: by the boot loader that the provider left on the disk.
    cluster.boot_from_disk(guest.instance)
    user.action(guest.id, start={})
    user.wait_server(guest.id, "ACTIVE")
    assert user.usage() == guest.usage
    wait_until(
        lambda: cluster.guest_answers(guest.address), timeout=BOOT_SECONDS, what="ping after the start"
    )

    user.delete_server(guest.id)

    def gone() -> None:
        assert user.usage() == before
        assert user.server(guest.id)["status"] == "DELETED"

    eventually(gone, timeout=60)
    assert not [i for i in cluster.rapi("GET", "/2/instances") if i["id"] == guest.instance]
    assert user.pending() == {}
    assert guest.address not in cluster.run(["nft", "list", "ruleset"]).stdout
    assert cluster.run(["ls", "/run/snf-network/nics", "/run/snf-network/bindings"]).stdout.count("tap") == 0


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
