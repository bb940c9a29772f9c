"""Volumes with today's OpenStack clients: the command line and openstacksdk."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.cache import cache
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from astakos import public as astakos
from astakos.models import Resource
from cyclades.ganeti import jobs
from cyclades.logic.registration import service_definitions
from cyclades.models import Backend, Flavor, Server, Volume, VolumeStatus, VolumeType
from synnefo import clock
from tests.cyclades.compute_fixtures import QUOTA
from tests.lab.programs import command_lines

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def login(live_server: LiveServer, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """How a user of a served cloud signs in."""
    cache.clear()
    monkeypatch.setattr(jobs, "_submit_after_commit", lambda *_: None)
    settings.ALLOWED_HOSTS = ["*"]
    settings.ASTAKOS_BASE_URL = f"{live_server.url}/astakos"
    settings.CYCLADES_BASE_URL = f"{live_server.url}/cyclades"
    for name, services in (("astakos", astakos.service_definitions()), ("cyclades", service_definitions())):
        url = f"{live_server.url}/{name}"
        astakos.register_component(name=name, base_url=url, ui_url=f"{url}/ui", services=services)
    for name, limit in QUOTA.items():
        Resource.objects.filter(name=name).update(uplimit=limit)
    VolumeType.objects.create(name="shared", disk_template="ext_snffile")
    user = astakos.create_user(email="v@lab.example", password="a-password", first_name="V", last_name="O")
    return {
        "auth_url": f"{live_server.url}/astakos/identity/v3",
        "username": user.uuid,
        "password": user.token,
        "project_id": user.uuid,
        "user_domain_id": "default",
    }


def openstack(login: dict[str, str], *lines: list[str]) -> list[Any]:
    """Run command lines of the client and return the JSON that each prints."""
    return [json.loads(text) if text.strip() else None for text in command_lines(*lines, **login)]


def test_the_command_line_keeps_volumes(login: dict[str, str]) -> None:
    as_json = ["-f", "json"]
    made, listed, changed, shown, kinds, gone, left = openstack(
        login,
        ["volume", "create", "--size", "3", "--type", "shared", "--property", "a=b", "data", *as_json],
        ["volume", "list", "--long", *as_json],
        ["volume", "set", "--name", "more", "--description", "d", "--property", "c=d", "data"],
        ["volume", "show", "more", *as_json],
        ["volume", "type", "list", "--long", *as_json],
        ["volume", "delete", "more"],
        ["volume", "list", *as_json],
    )
    assert (made["name"], made["size"], made["type"]) == ("data", 3, "shared")
    assert (listed[0]["Name"], listed[0]["Status"], listed[0]["Size"]) == ("data", "available", 3)
    assert changed is None
    assert (shown["description"], shown["properties"]) == ("d", {"a": "b", "c": "d"})
    assert kinds[0]["Properties"]["SNF:detachable"] == "true"
    assert gone is None
    assert left == []
    assert Volume.objects.get().deleted


@pytest.fixture
def host(login: dict[str, str]) -> Server:
    """A running server with a disk of the volumes' kind."""
    kind = VolumeType.objects.get()
    return Server.objects.create(
        name="web", userid=login["username"], project=login["project_id"], imageid="i",
        operstate="STARTED", flavor=Flavor.objects.create(cpu=1, ram=512, disk=1, volume_type=kind),
        backend=Backend.objects.create(clustername="c", updated=clock.now(), disk_templates=["ext"]),
    )  # fmt: skip


def test_the_command_line_gives_volumes_to_servers(login: dict[str, str], host: Server) -> None:
    kind = VolumeType.objects.get()
    mine = {"userid": host.userid, "project": host.project, "size": 1, "volume_type": kind}
    free = Volume.objects.create(name="free", status=VolumeStatus.AVAILABLE, **mine)
    used = Volume.objects.create(
        name="used", status=VolumeStatus.IN_USE, machine=host, index=1, backendjobid=1, **mine
    )
    listed, _ = openstack(
        login,
        ["server", "volume", "list", "web", "-f", "json"],
        ["server", "remove", "volume", "web", "used"],
    )
    assert [item["Volume ID"] for item in listed] == [str(used.pk)]
    used.refresh_from_db()
    assert used.status == VolumeStatus.DETACHING
    Server.objects.update(task="")
    (added,) = openstack(login, ["server", "add", "volume", "web", "free", "-f", "json"])
    assert added["Volume ID"] == str(free.pk)
    free.refresh_from_db()
    assert (free.status, free.machine_id) == (VolumeStatus.ATTACHING, host.pk)


def test_the_sdk_keeps_volumes(login: dict[str, str]) -> None:
    sdk = pytest.importorskip("openstack")
    with sdk.connect(**login) as cloud:
        storage = cloud.block_storage
        volume = storage.create_volume(name="data", size=2, metadata={"a": "b"})
        assert storage.wait_for_status(volume, "available").volume_type == "shared"
        others = [storage.create_volume(name=f"v{i}", size=1) for i in range(3)]
        pages = list(storage.volumes(limit=2))
        assert {item.id for item in pages} == {volume.id, *(other.id for other in others)}
        assert [item.id for item in storage.volumes(name="data")] == [volume.id]
        storage.extend_volume(volume, 4)
        assert storage.get_volume(volume).size == 4
        storage.update_volume(volume, name="new")
        assert storage.find_volume("new").id == volume.id
        assert [kind.name for kind in storage.types()] == ["shared"]
        limits = storage.get_limits().absolute
        assert limits.total_gigabytes_used == 7
        quota = storage.get_quota_set(login["project_id"], usage=True)
        assert quota.usage["gigabytes"] == 7
        for item in pages:
            storage.delete_volume(item)
            storage.wait_for_delete(item)
        assert list(storage.volumes()) == []
