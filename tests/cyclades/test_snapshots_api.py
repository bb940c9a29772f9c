"""Snapshots of volumes: API, images, quota, and what nodes say of them (volume contract 9)."""

# ruff: noqa: F811
from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.http import HttpResponse

from cyclades.dispatcher import handlers
from cyclades.ganeti import snapshot_jobs
from cyclades.models import Backend, Server, ServerMetadata, SnapshotJob, Volume
from gtools.osprovider import node_config
from gtools.snapshots.agent import Agent, AgentOptions
from gtools.snapshots.sources import Places
from gtools.snapshots.storing import open_store
from pithos.blocks.opened import block_store
from synnefo import amqp, clock, messages
from synnefo.credentials import Credentials
from synnefo.errors import ServiceUnavailable
from synnefo.models import Notification
from tests.cyclades.image_fixtures import STORE, ImageUser
from tests.cyclades.snapshot_fixtures import event, make_volume, volume  # noqa: F401
from tests.cyclades.test_network_api import fault

pytestmark = [pytest.mark.db, pytest.mark.django_db]

GIB = 1 << 30
KEYS = {
    "id", "display_name", "display_description", "status", "size", "volume_id", "user_id", "tenant_id",
    "os-extended-snapshot-attribute:progress", "created_at", "metadata", "links",
}  # fmt: skip


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent but by the tests themselves."""
    monkeypatch.setattr(snapshot_jobs, "_send_after_commit", lambda *arguments: None)


@pytest.fixture(autouse=True)
def room(owner: ImageUser) -> None:
    from astakos.models import Holding

    Holding.objects.filter(resource="pithos.diskspace").update(limit=10 * GIB)


def call(user: ImageUser, method: str, path: str, data: object = b"", version: str = "v2.0") -> HttpResponse:
    return user.call(method, f"/cyclades/volume/{version}/{path}", data)


def create(user: ImageUser, volume: Volume, **fields: object) -> dict[str, Any]:
    answer = call(user, "POST", "snapshots", {"snapshot": {"volume_id": volume.pk, **fields}})
    assert answer.status_code == 202, answer.content
    return answer.json()["snapshot"]


def empty_map() -> str:
    """Return the map of a disk of 1 GiB that has nothing but zeros."""
    store = block_store()
    name = store.put_map([store.empty] * (GIB // store.block_size))
    assert name
    return name


def tell(snapshot: dict[str, Any], status: str, mapfile: str | None = None, progress: object = 0) -> None:
    job = SnapshotJob.objects.get(snapshot_id=snapshot["id"])
    told = event(job.pk, snapshot["id"], status, mapfile)
    told.job_fields["disks"][0][1]["progress"] = progress
    handlers.prepare(told)


def status_of(user: ImageUser, snapshot: dict[str, Any]) -> str:
    return call(user, "GET", f"snapshots/{snapshot['id']}").json()["snapshot"]["status"]


def objects(user: ImageUser) -> dict[str, Any]:
    listed = user.call("GET", f"{STORE}/{user.uuid}/snapshots?format=json").json()
    return {entry["name"]: entry for entry in listed}


def test_metadata_leave_room_for_what_the_job_adds(owner: ImageUser, volume: Volume) -> None:
    metadata = {f"k{number}": "v" for number in range(26)}
    body = {"snapshot": {"volume_id": volume.pk, "metadata": metadata}}
    assert call(owner, "POST", "snapshots", body).status_code == 400
    del metadata["k0"]
    snapshot = create(owner, volume, metadata=metadata)
    changed = {"snapshot": {"display_name": "renamed"}}
    assert call(owner, "PUT", f"snapshots/{snapshot['id']}", changed).status_code == 200


def test_a_snapshot_is_an_object_and_an_image_from_the_beginning(owner: ImageUser, volume: Volume) -> None:
    ServerMetadata.objects.create(server=volume.machine, meta_key="OS", meta_value="debian")
    snapshot = create(owner, volume, display_name="nightly", display_description="d", metadata={"a": "b"})
    assert set(snapshot) == KEYS
    assert snapshot | {
        "display_name": "nightly", "status": "CREATING", "size": 1, "volume_id": str(volume.pk),
        "tenant_id": owner.uuid, "os-extended-snapshot-attribute:progress": 0,
        "metadata": {"a": "b", "OS": "debian", "description": "d", "exclude_all_tasks": "yes"},
    } == snapshot  # fmt: skip
    assert objects(owner)["nightly"]["x_object_uuid"] == snapshot["id"]
    [image] = owner.api("GET", "images/detail").json()
    assert (image["id"], image["is_snapshot"], image["status"], image["size"]) == (
        snapshot["id"], True, "UNAVAILABLE", GIB,
    )  # fmt: skip
    assert image["checksum"] == f"snf-snap-{volume.pk}-1"
    assert call(owner, "GET", "snapshots").json() == call(owner, "GET", "snapshots/detail").json()
    assert owner.call("GET", f"/cyclades/image/v2/images/{snapshot['id']}").json()["status"] == "saving"


def test_the_node_s_word_makes_it_available_once(owner: ImageUser, volume: Volume) -> None:
    snapshot = create(owner, volume)
    assert snapshot["display_name"] == f"Snapshot of volume '{volume.pk}'"
    for said, shown in ((0, 0), (42, "42%"), ("x", 0), (300, "99%")):
        tell(snapshot, "running", progress=said)
        listed = call(owner, "GET", "snapshots").json()["snapshots"][0]
        assert listed["os-extended-snapshot-attribute:progress"] == shown
    assert status_of(owner, snapshot) == "CREATING"
    tell(snapshot, "success", empty_map())
    assert status_of(owner, snapshot) == "AVAILABLE"
    tell(snapshot, "error")
    assert status_of(owner, snapshot) == "AVAILABLE"
    assert SnapshotJob.objects.get().state == "DONE"
    from cyclades.logic import images

    image = images.find_image(None, snapshot["id"])
    assert image.mapfile == empty_map()


@pytest.mark.parametrize(
    ("status", "mapfile"),
    [("error", None), ("canceled", None), ("success", None), ("success", "0" * 64 + "_256")],
)
def test_a_failure_or_a_map_that_is_not_stored_is_an_error(
    owner: ImageUser, volume: Volume, status: str, mapfile: str | None
) -> None:
    snapshot = create(owner, volume)
    tell(snapshot, status, mapfile)
    assert (status_of(owner, snapshot), SnapshotJob.objects.get().state) == ("ERROR", "FAILED")


def test_events_about_nothing_known_are_ignored(owner: ImageUser, volume: Volume) -> None:
    snapshot = create(owner, volume)
    job = SnapshotJob.objects.get()
    handlers.prepare(event(job.pk + 1, snapshot["id"], "error"))
    handlers.prepare(event(job.pk, "none", "error"))
    assert status_of(owner, snapshot) == "CREATING"
    assert call(owner, "DELETE", f"snapshots/{snapshot['id']}").status_code == 202
    handlers.prepare(event(job.pk, snapshot["id"], "success", empty_map()))


def test_same_names_make_two_objects_and_slashes_no_folders(owner: ImageUser, volume: Volume) -> None:
    first, second = (create(owner, volume, display_name="a/b") for _ in range(2))
    assert set(objects(owner)) == {"a%2Fb", f"a%2Fb (snf-snap-{volume.pk}-2)"}
    assert first["display_name"] == second["display_name"] == "a/b"
    assert first["id"] != second["id"]


def test_quota_of_the_store_is_charged_and_freed(owner: ImageUser, volume: Volume) -> None:
    from astakos.models import Holding

    def usage() -> int:
        return (
            Holding.objects.filter(resource="pithos.diskspace", holder=f"user:{owner.uuid}").get().usage_max
        )

    before = usage()
    snapshot = create(owner, volume)
    assert usage() == before + GIB
    call(owner, "DELETE", f"snapshots/{snapshot['id']}")
    assert usage() == before
    Holding.objects.filter(resource="pithos.diskspace").update(limit=GIB - 1)
    answer = call(owner, "POST", "snapshots", {"snapshot": {"volume_id": volume.pk}})
    assert fault(answer) == (413, "overLimit")
    assert Volume.objects.get().snapshot_counter == 2
    assert objects(owner) == {}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"deleted": True}, 400),
        ({"machine": None}, 400),
        ({"status": "CREATING"}, 400),
        ({"userid": "somebody"}, 400),
        ({}, 202),
    ],
)
def test_which_volumes_can_be_copied(
    owner: ImageUser, volume: Volume, change: dict[str, object], code: int
) -> None:
    Volume.objects.update(**change)
    answer = call(owner, "POST", "snapshots", {"snapshot": {"volume_id": str(volume.pk)}})
    assert answer.status_code == code


@pytest.mark.parametrize(
    "body",
    [
        {}, {"snapshot": []}, {"snapshot": {}}, {"snapshot": {"volume_id": "x"}},
        {"snapshot": {"volume_id": 999}},
        {"snapshot": {"volume_id": 1, "display_name": "n" * 256}},
        {"snapshot": {"volume_id": 1, "metadata": []}},
        {"snapshot": {"volume_id": 1, "metadata": {"a": 1}}},
        {"snapshot": {"volume_id": 1, "metadata": {"k" * 112: "v"}}},
    ],
)  # fmt: skip
def test_malformed_bodies_are_400(owner: ImageUser, volume: Volume, body: dict[str, Any]) -> None:
    if isinstance(body.get("snapshot"), dict) and body["snapshot"].get("volume_id") == 1:
        body = {"snapshot": {**body["snapshot"], "volume_id": volume.pk}}
    assert fault(call(owner, "POST", "snapshots", body)) == (400, "badRequest")
    assert not SnapshotJob.objects.exists()


def test_renaming_and_metadata_keep_the_image(owner: ImageUser, volume: Volume) -> None:
    snapshot = create(owner, volume, display_name="a", metadata={"x": "y"})
    path = f"snapshots/{snapshot['id']}"
    assert fault(call(owner, "PUT", path, {"snapshot": {}})) == (400, "badRequest")
    changed = call(owner, "PUT", path, {"snapshot": {"display_name": "b", "display_description": "new"}})
    assert changed.json()["snapshot"]["display_name"] == "b"
    assert changed.json()["snapshot"]["display_description"] == "new"
    assert set(objects(owner)) == {"a"}
    merged = call(owner, "POST", f"{path}/metadata", {"metadata": {"k": "v"}}).json()["metadata"]
    assert merged | {"k": "v", "x": "y"} == merged
    assert call(owner, "PUT", f"{path}/metadata", {"metadata": {"k": "w"}}).json() == {"metadata": {"k": "w"}}
    for _ in range(2):
        assert call(owner, "DELETE", f"{path}/metadata/k").status_code == 200
    assert call(owner, "GET", f"{path}/metadata").json() == {"metadata": {}}
    assert status_of(owner, snapshot) == "CREATING"


def test_readers_see_a_snapshot_and_cannot_change_it(
    owner: ImageUser, reader: ImageUser, volume: Volume
) -> None:
    snapshot = create(owner, volume)
    path = f"snapshots/{snapshot['id']}"
    assert fault(call(reader, "GET", path)) == (403, "forbidden")
    owner.api("PUT", f"images/{snapshot['id']}/members/{reader.uuid}")
    assert call(reader, "GET", path).status_code == 200
    assert [s["id"] for s in call(reader, "GET", "snapshots").json()["snapshots"]] == [snapshot["id"]]
    for method, target, body in (
        ("PUT", path, {"snapshot": {"display_name": "x"}}), ("DELETE", path, b""),
        ("POST", f"{path}/metadata", {"metadata": {}}), ("PUT", f"{path}/metadata", {"metadata": {"a": "b"}}),
    ):  # fmt: skip
        answer = call(reader, method, target, body)
        assert answer.status_code == (200 if body == {"metadata": {}} else 403), (method, target)
    assert status_of(owner, snapshot) == "CREATING"


def test_what_is_no_snapshot_is_404(owner: ImageUser, registered_image: str) -> None:
    assert fault(call(owner, "GET", f"snapshots/{registered_image}")) == (404, "itemNotFound")
    assert fault(call(owner, "GET", "snapshots/no-uuid")) == (400, "badRequest")
    assert fault(call(owner, "DELETE", f"snapshots/{registered_image}")) == (404, "itemNotFound")


def test_deleting_removes_the_object_unless_it_is_protected(owner: ImageUser, volume: Volume) -> None:
    snapshot = create(owner, volume)
    path = f"snapshots/{snapshot['id']}"
    patch = [{"op": "replace", "path": "/protected", "value": True}]
    kind = "application/openstack-images-v2.1-json-patch"
    url = f"/cyclades/image/v2/images/{snapshot['id']}"
    assert owner.call("PATCH", url, json.dumps(patch), content_type=kind).status_code == 200
    assert fault(call(owner, "DELETE", path)) == (403, "forbidden")
    patch[0]["value"] = False
    owner.call("PATCH", url, json.dumps(patch), content_type=kind)
    assert call(owner, "DELETE", path).status_code == 202
    assert fault(call(owner, "GET", path)) == (404, "itemNotFound")
    assert objects(owner) == {}


def test_the_switch(owner: ImageUser, volume: Volume, settings) -> None:
    settings.CYCLADES_SNAPSHOTS_ENABLED = False
    assert call(owner, "GET", "snapshots").status_code == 400
    settings.CYCLADES_SNAPSHOTS_ENABLED = ["testers"]
    assert call(owner, "GET", "snapshots").status_code == 501


def test_cinder_s_shape(owner: ImageUser, volume: Volume) -> None:
    body = {"snapshot": {"volume_id": str(volume.pk), "name": "n", "description": "d", "force": True}}
    made = call(owner, "POST", "snapshots", body, "v3").json()["snapshot"]
    assert made | {"name": "n", "description": "d", "status": "creating", "volume_id": str(volume.pk)} == made
    assert made["os-extended-snapshot-attributes:progress"] == "0%"
    create(owner, volume, display_name="other")
    assert len(call(owner, "GET", "snapshots?limit=1", version="v3").json()["snapshots"]) == 1
    [found] = call(owner, "GET", "snapshots/detail?name=n", version="v3").json()["snapshots"]
    assert found["id"] == made["id"]
    rest = call(owner, "GET", f"snapshots?marker={made['id']}", version="v3").json()["snapshots"]
    assert len(rest) + len(call(owner, "GET", "snapshots?limit=1", version="v3").json()["snapshots"]) <= 2


def test_limits_count_the_users_own(owner: ImageUser, reader: ImageUser, volume: Volume) -> None:
    create(owner, volume)
    from cyclades.logic.snapshots import count_own

    for user, used in ((owner, 1), (reader, 0)):
        credentials = Credentials(
            user_id=user.uuid, projects=frozenset({user.uuid}), default_project=user.uuid
        )
        assert count_own(credentials) == used


def test_changes_since(owner: ImageUser, volume: Volume) -> None:
    create(owner, volume)
    from urllib.parse import quote

    moment = quote(clock.isoformat(clock.now()))
    assert call(owner, "GET", f"snapshots?changes-since={moment}").status_code == 304
    early = quote(clock.isoformat(clock.now() - timedelta(minutes=5)))
    assert len(call(owner, "GET", f"snapshots?changes-since={early}").json()["snapshots"]) == 1


def test_requests_wait_while_a_cluster_or_broker_is_away_and_are_given_up_in_the_end(
    owner: ImageUser, volume: Volume, monkeypatch: pytest.MonkeyPatch, settings
) -> None:
    snapshot = create(owner, volume)

    def away(job: SnapshotJob) -> None:
        raise ServiceUnavailable("away")

    monkeypatch.setattr(snapshot_jobs, "_locate", away)
    assert snapshot_jobs.send(SnapshotJob.objects.get().pk) is False
    job = SnapshotJob.objects.get()
    assert (job.state, job.last_error, job.not_before is not None) == ("PENDING", "away", True)
    assert snapshot_jobs.run_due() == 0
    SnapshotJob.objects.update(not_before=clock.now() - timedelta(seconds=1))
    snapshot_jobs.run_due()
    assert SnapshotJob.objects.get().attempts == 2
    SnapshotJob.objects.update(created=clock.now() - timedelta(days=2))
    assert snapshot_jobs.run_due() == 1
    assert status_of(owner, snapshot) == "ERROR"


def test_a_volume_of_a_shared_server_can_be_copied_by_its_project(
    owner: ImageUser, reader: ImageUser, volume: Volume
) -> None:
    make_volume(owner, volume.machine, index=1)
    Volume.objects.update(shared_to_project=True, project=reader.uuid)
    from astakos.models import Holding

    Holding.objects.filter(resource="pithos.diskspace").update(limit=10 * GIB)
    snapshot = create(reader, volume)
    assert snapshot["user_id"] == reader.uuid
    assert set(objects(reader)) == {snapshot["display_name"]}
    tell(snapshot, "success", empty_map())
    told = Notification.objects.values_list("user", "kind")
    assert list(told) == [(reader.uuid, "snapshot.done")]


def test_an_image_of_a_server_is_a_snapshot_of_its_system_disk(
    owner: ImageUser, volume: Volume, settings
) -> None:
    url = f"servers/{volume.machine.pk}/action"
    answer = owner.compute("POST", url, {"createImage": {"name": "golden", "metadata": {"k": "v"}}})
    assert (answer.status_code, answer.content) == (202, b"")
    [snapshot] = call(owner, "GET", "snapshots").json()["snapshots"]
    assert answer["Location"].endswith(f"/images/{snapshot['id']}")
    assert (snapshot["display_name"], snapshot["metadata"]["k"]) == ("golden", "v")
    assert owner.compute("POST", url, {"createImage": {}}).status_code == 400
    settings.CYCLADES_SNAPSHOTS_ENABLED = False
    assert owner.compute("POST", url, {"createImage": {"name": "x"}}).status_code == 501
    settings.CYCLADES_SNAPSHOTS_ENABLED = True
    Server.objects.update(suspended=True)
    assert owner.compute("POST", url, {"createImage": {"name": "x"}}).status_code == 403
    Server.objects.update(suspended=False)
    volume.delete()
    assert owner.compute("POST", url, {"createImage": {"name": "x"}}).status_code == 400


def command(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    call_command(*words, output_format="json") if words[0] != "snapshot-remove" else call_command(*words)
    text = capsys.readouterr().out
    return json.loads(text) if text.strip() else None


def test_commands(owner: ImageUser, volume: Volume, capsys: pytest.CaptureFixture[str]) -> None:
    made = command(capsys, "snapshot-create", str(volume.pk), "--name", "by hand")
    assert set(objects(owner)) == {"by hand"}
    [listed] = command(capsys, "snapshot-list", "--user", owner.uuid)
    assert (listed["id"], listed["size"], listed["status"]) == (made["id"], 1, "UNAVAILABLE")
    assert command(capsys, "snapshot-list", "--public") == []
    assert command(capsys, "snapshot-show", made["id"])["request"] == "PENDING"
    changed = command(capsys, "snapshot-modify", made["id"], "--name", "renamed")
    assert changed["name"] == "renamed"
    command(capsys, "snapshot-remove", "-f", made["id"])
    assert objects(owner) == {}


def test_what_waits_in_vain_is_reconciled(owner: ImageUser, volume: Volume) -> None:
    snapshot = create(owner, volume)
    backend = volume.machine.backend
    assert snapshot_jobs.unsettled(backend) == []
    volume.machine.deleted = True
    volume.machine.save()
    [job] = snapshot_jobs.unsettled(backend)
    assert snapshot_jobs.finish(job, succeeded=False, error="gone")
    assert status_of(owner, snapshot) == "ERROR"
    assert snapshot_jobs.unsettled(backend) == []


class OneInstance:
    """A cluster that knows one instance with one disk."""

    def __init__(self, server_id: int, disk: str, path: Path, *, runs: bool = False) -> None:
        self.name, self.disk, self.path, self.runs = f"snf-{server_id}", disk, path, runs

    def GetInstance(self, name: str) -> dict[str, Any]:
        assert name == self.name
        return {"disk.names": ["other", self.disk], "oper_state": self.runs}

    def ActivateInstanceDisks(self, name: str, *, reason: str) -> int:
        return 5

    def WaitForJobCompletion(self, job_id: int, *, timeout: float) -> dict[str, Any]:
        rows = [["node1", "disk/0", "/nowhere"], ["node1", "disk/1", str(self.path)]]
        return {"status": "success", "opresult": [rows]}


@pytest.mark.parametrize(
    ("hypervisor", "runs", "is_asked"),
    [("xen-pvm", True, False), ("xen-hvm", True, False), ("xen-pvm", False, True), ("kvm", True, True)],
)
def test_a_running_disk_waits_where_its_copy_would_be_torn(
    owner: ImageUser,
    volume: Volume,
    monkeypatch: pytest.MonkeyPatch,
    hypervisor: str,
    runs: bool,
    is_asked: bool,
) -> None:
    create(owner, volume)
    Backend.objects.update(hypervisor=hypervisor)
    cluster = OneInstance(volume.machine_id, f"snf-vol-{volume.pk}", Path("/nowhere"), runs=runs)
    monkeypatch.setattr(snapshot_jobs.clients, "rapi_for", lambda backend: nullcontext(cluster))
    published: list[object] = []
    monkeypatch.setattr(snapshot_jobs, "_publish", published.append)
    assert snapshot_jobs.send(SnapshotJob.objects.get().pk) is is_asked
    assert bool(published) is is_asked
    assert ("runs" in SnapshotJob.objects.get().last_error) is not is_asked


def test_from_the_request_to_the_bytes_through_node_and_dispatcher(
    owner: ImageUser, volume: Volume, monkeypatch: pytest.MonkeyPatch, settings, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(GIB)
        file.seek(12345678)
        file.write(b"a word on the disk")
    settings.AMQP_HOSTS = [f"embedded://{tmp_path}/queue.sqlite3"]
    cluster = OneInstance(volume.machine_id, f"snf-vol-{volume.pk}", disk)
    monkeypatch.setattr(snapshot_jobs.clients, "rapi_for", lambda backend: nullcontext(cluster))
    (tmp_path / "image").write_text(f"PITHOS_BLOCK_PATH={settings.PITHOS_BACKEND_BLOCK_PATH}\n")
    agent = Agent(
        AgentOptions(
            nodes=("node1",), exchange="ganeti", places=Places(str(tmp_path), str(tmp_path / "scratch"))
        ),
        connect=lambda: amqp.connect(settings.AMQP_HOSTS),
        store=open_store(node_config.load(str(tmp_path / "image"))),
    )
    listener = amqp.connect(settings.AMQP_HOSTS)
    listener.exchange_declare("ganeti")
    listener.queue_declare("heard")
    listener.queue_bind("heard", "ganeti", "#")

    snapshot = create(owner, volume, display_name="loop")
    assert snapshot_jobs.send(SnapshotJob.objects.get().pk)
    assert snapshot_jobs.send(SnapshotJob.objects.get().pk) is False
    assert agent.run_once(10.0)
    while (delivery := listener.get("heard")) is not None:
        handlers.prepare(messages.decode(delivery.body))
        listener.ack(delivery)
    agent.close()
    listener.close()

    assert status_of(owner, snapshot) == "AVAILABLE"
    url = f"/cyclades/image/v2/images/{snapshot['id']}/file"
    part = owner.call("GET", url, headers={"Range": "bytes=12345670-12345699"})
    assert b"".join(part.streaming_content) == b"\0" * 8 + b"a word on the disk" + b"\0" * 4
    again = owner.call(
        "GET", f"{STORE}/{owner.uuid}/snapshots/loop", headers={"Range": "bytes=12345678-12345683"}
    )
    assert b"".join(again.streaming_content) == b"a word"
