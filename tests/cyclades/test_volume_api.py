"""Volumes of the v2 dialect: lists, creation, changes, deletion, metadata, types, permissions."""

from __future__ import annotations

import pytest

from cyclades.models import JobIntent, Server, ServerState, Task, Volume, VolumeMetadata, VolumeStatus
from tests.cyclades.compute_fixtures import GIB, IMAGE_ID
from tests.cyclades.volume_fixtures import VolumeApi

pytestmark = [pytest.mark.db, pytest.mark.django_db, pytest.mark.usefixtures("submitted")]

DISK = "cyclades.disk"


def fault(response) -> tuple[int, str]:
    name, body = next(iter(response.json().items()))
    assert body["code"] == response.status_code
    return response.status_code, name


def test_a_volume_on_no_server_is_available_and_charged_at_once(volume_api, detachable_type, person):
    answer = volume_api.create(
        volume_type=detachable_type.pk, metadata={"role": "db"}, display_description="d"
    )
    assert answer.status_code == 202
    brief = answer.json()["volume"]
    assert set(brief) == {"id", "display_name", "links"}
    shown = volume_api.get(f"volumes/{brief['id']}").json()["volume"]
    assert shown["status"] == "available"
    assert shown["attachments"] == []
    assert shown["metadata"] == {"role": "db"}
    assert (shown["size"], shown["volume_type"], shown["tenant_id"]) == (5, detachable_type.pk, person.uuid)
    assert person.usage(DISK) == (5 * GIB, 0)


def test_a_volume_on_a_server_waits_for_the_job_and_reserves_quota(volume_api, host, person, submitted):
    answer = volume_api.create(server_id=str(host.pk))
    assert answer.status_code == 202
    volume = Volume.objects.get(pk=answer.json()["volume"]["id"])
    assert (volume.status, volume.machine_id, volume.index) == (VolumeStatus.CREATING, host.pk, 1)
    assert person.usage(DISK) == (5 * GIB, 5 * GIB)
    intent = JobIntent.objects.get(server=host)
    action, where, disk = intent.payload["body"]["disks"][0]
    assert (action, where, disk["name"], disk["reuse_data"]) == ("add", "-1", f"snf-vol-{volume.pk}", "False")
    host.refresh_from_db()
    assert host.task == Task.ATTACH_VOLUME


REFUSED = [
    {"display_name": None},
    {"display_name": 5},
    {"display_name": "n" * 256},
    {"display_description": "d" * 256},
    {"size": 0},
    {"size": "x"},
    {"size": True},
    {"size": 201},
    {"size": -1},
    {"volume_type": 9999},
    {"volume_type": "x"},
    {"server_id": "x"},
    {"server_id": 9999},
    {"snapshot_id": IMAGE_ID, "imageRef": IMAGE_ID},
    {"imageRef": IMAGE_ID},
    {"source_volid": "1"},
    {"metadata": {"k": 1}},
    {"metadata": {"k" * 65: "v"}},
    {"metadata": {"k": "v" * 256}},
    {"metadata": {str(i): "v" for i in range(11)}},
    {"metadata": []},
    {"project": "not-mine"},
    {"shared_to_project": "yes"},
]


def test_creations_that_are_refused(volume_api, detachable_type):
    kind = {"volume_type": detachable_type.pk}
    answers = [(fields, volume_api.create(**(kind | fields)).status_code) for fields in REFUSED]
    assert [fields for fields, status in answers if status != 400] == []
    assert not Volume.objects.exists()


def test_a_volume_needs_a_detachable_type_or_a_server(volume_api, volume_type):
    assert fault(volume_api.create()) == (400, "badRequest")
    assert fault(volume_api.create(volume_type=volume_type.pk)) == (400, "badRequest")


def test_the_type_must_fit_the_server(volume_api, host, volume_type):
    assert fault(volume_api.create(server_id=host.pk, volume_type=volume_type.pk)) == (400, "badRequest")


def test_snapshots_as_a_source_can_be_switched_off(volume_api, detachable_type, settings):
    settings.CYCLADES_SNAPSHOTS_ENABLED = False
    answer = volume_api.create(volume_type=detachable_type.pk, snapshot_id=IMAGE_ID)
    assert fault(answer) == (501, "notImplemented")


def test_sharing_can_be_switched_off(volume_api, detachable_type):
    answer = volume_api.create(volume_type=detachable_type.pk, shared_to_project=True)
    assert fault(answer) == (403, "forbidden")


def test_quota_is_a_limit(volume_api, detachable_type, settings, person):
    from astakos.models import Resource  # noqa: F401  (quota comes from the fixture: 10000 GiB)

    settings.CYCLADES_VOLUME_MAX_SIZE = 20000
    answer = volume_api.create(volume_type=detachable_type.pk, size=10001)
    assert fault(answer) == (413, "overLimit")
    assert not Volume.objects.exists()


def test_a_full_server_takes_no_more(volume_api, host, settings):
    settings.GANETI_MAX_DISKS_PER_INSTANCE = 1
    assert fault(volume_api.create(server_id=host.pk)) == (400, "badRequest")


def test_lists_show_own_volumes_that_live(volume_api, make_volume, stranger):
    mine, gone = make_volume(), make_volume(charged=False, deleted=True, status=VolumeStatus.DELETED)
    make_volume(charged=False, userid=stranger.uuid, project=stranger.uuid)
    assert [v["id"] for v in volume_api.get("volumes").json()["volumes"]] == [str(mine.pk)]
    detail = volume_api.get("volumes/detail").json()["volumes"]
    assert [v["display_name"] for v in detail] == ["data"]
    since = volume_api.get("volumes?changes-since=" + gone.updated.isoformat().replace("+", "%2B"))
    assert str(gone.pk) in [v["id"] for v in since.json()["volumes"]]


def test_a_list_takes_a_fixed_number_of_queries(volume_api, make_volume, django_assert_max_num_queries):
    for _ in range(5):
        volume = make_volume(charged=False)
        VolumeMetadata.objects.create(volume=volume, key="k", value="v")
    with django_assert_max_num_queries(4):
        assert len(volume_api.get("volumes/detail").json()["volumes"]) == 5


def test_a_deleted_volume_can_still_be_read(volume_api, make_volume):
    volume = make_volume(charged=False, deleted=True, status=VolumeStatus.DELETED)
    shown = volume_api.get(f"volumes/{volume.pk}").json()["volume"]
    assert (shown["status"], shown["deleted"]) == ("deleted", True)
    assert fault(volume_api.put(f"volumes/{volume.pk}", {"volume": {"display_name": "n"}}))[0] == 400
    assert fault(volume_api.delete(f"volumes/{volume.pk}"))[0] == 400


def test_what_does_not_exist_is_not_found(volume_api):
    for path in ("volumes/99999", "types/99999"):
        assert fault(volume_api.get(path)) == (404, "itemNotFound")


def test_what_is_no_id_is_a_bad_request(volume_api):
    for path in ("volumes/x", "types/x", "volumes/99999999999999999999", "nothing"):
        assert fault(volume_api.get(path)) == (400, "badRequest")


def test_update_changes_name_and_description(volume_api, make_volume):
    volume = make_volume()
    body = {"volume": {"display_name": "new", "display_description": "text", "metadata": {"ignored": "1"}}}
    shown = volume_api.put(f"volumes/{volume.pk}", body).json()["volume"]
    assert (shown["display_name"], shown["display_description"], shown["metadata"]) == ("new", "text", {})


def test_updates_that_are_refused(volume_api, make_volume):
    for body in [{}, {"display_name": "n" * 256}, {"display_name": 1}, {"delete_on_termination": "no"}]:
        assert fault(volume_api.put(f"volumes/{make_volume().pk}", {"volume": body}))[0] == 400


def test_no_volume_outlives_its_server(volume_api, make_volume, volume_type):
    body = {"volume": {"delete_on_termination": False}}
    assert fault(volume_api.put(f"volumes/{make_volume().pk}", body))[0] == 501
    plain = make_volume(volume_type=volume_type)
    assert fault(volume_api.put(f"volumes/{plain.pk}", body))[0] == 400


def test_a_volume_without_data_is_deleted_at_once(volume_api, make_volume, person):
    volume = make_volume()
    assert person.usage(DISK) == (5 * GIB, 0)
    answer = volume_api.delete(f"volumes/{volume.pk}")
    assert (answer.status_code, answer.content) == (202, b"")
    volume.refresh_from_db()
    assert (volume.status, volume.deleted) == (VolumeStatus.DELETED, True)
    assert person.usage(DISK) == (0, 0)


def test_a_volume_on_a_server_is_deleted_by_its_job(volume_api, make_volume, host, person):
    volume = make_volume(machine=host, index=1, status=VolumeStatus.IN_USE, backendjobid=5)
    assert volume_api.delete(f"volumes/{volume.pk}").status_code == 202
    volume.refresh_from_db()
    assert volume.status == VolumeStatus.DELETING
    assert person.usage(DISK)[0] == 5 * GIB
    name = f"snf-vol-{volume.pk}"
    assert JobIntent.objects.get().payload["body"]["disks"] == [
        ["modify", name, {"name": name, "keep_data": "default"}],
        ["remove", name, {}],
    ]


def test_a_system_disk_goes_only_with_its_server(volume_api, host):
    root = host.volumes.get()
    assert fault(volume_api.delete(f"volumes/{root.pk}"))[0] == 400
    assert fault(volume_api.post(f"volumes/{root.pk}/action", {"reassign": {"project": "p"}}))[0] == 409


def test_a_volume_on_a_server_is_deleted_only_when_settled(volume_api, make_volume, host):
    for status in VolumeStatus:
        volume = make_volume(machine=host, index=1, status=status, backendjobid=5)
        Server.objects.filter(pk=host.pk).update(task="")
        expected = 202 if status in ("IN_USE", "ERROR") else 400
        assert (status, volume_api.delete(f"volumes/{volume.pk}").status_code) == (status, expected)


@pytest.mark.parametrize("blank", [True, False])
def test_a_volume_on_no_server_is_deleted_only_when_available(volume_api, make_volume, blank):
    for status in VolumeStatus:
        volume = make_volume(status=status, backendjobid=None if blank else 7)
        allowed = status == "AVAILABLE" or (blank and status == "ERROR")
        expected = 202 if allowed else 400
        assert (status, volume_api.delete(f"volumes/{volume.pk}").status_code) == (status, expected)


def test_reassign_moves_the_quota_and_needs_the_owner(volume_api, make_volume, stranger, person, settings):
    volume = make_volume()
    answer = volume_api.post(f"volumes/{volume.pk}/action", {"reassign": {"project": person.uuid}})
    assert (answer.status_code, answer.content) == (200, b"")
    settings.CYCLADES_SHARED_RESOURCES_ENABLED = True
    shared = {"reassign": {"project": person.uuid, "shared_to_project": True}}
    assert volume_api.post(f"volumes/{volume.pk}/action", shared).status_code == 200
    volume.refresh_from_db()
    assert volume.shared_to_project
    # kamaki never says so, and unshares.
    volume_api.post(f"volumes/{volume.pk}/action", {"reassign": {"project": person.uuid}})
    volume.refresh_from_db()
    assert not volume.shared_to_project
    foreign = {"reassign": {"project": stranger.uuid}}
    assert fault(volume_api.post(f"volumes/{volume.pk}/action", foreign)) == (400, "badRequest")


def test_actions_that_are_refused(volume_api, make_volume):
    for body in [{}, [], {"explode": {}}, {"reassign": {}}, {"reassign": []}, {"reassign": {}, "other": {}}]:
        assert fault(volume_api.post(f"volumes/{make_volume().pk}/action", body))[0] == 400


def test_sharing_by_reassign_can_be_switched_off(volume_api, make_volume, person):
    body = {"reassign": {"project": person.uuid, "shared_to_project": True}}
    assert fault(volume_api.post(f"volumes/{make_volume().pk}/action", body))[0] == 403


def test_metadata_is_merged_replaced_and_deleted(volume_api, make_volume):
    path = f"volumes/{make_volume().pk}/metadata"
    assert volume_api.post(path, {"metadata": {"a": "1", "b": "2"}}).json() == {
        "metadata": {"a": "1", "b": "2"}
    }
    assert volume_api.post(path, {"metadata": {"b": "3"}}).json() == {"metadata": {"a": "1", "b": "3"}}
    assert volume_api.put(path, {"metadata": {"c": "4"}}).json() == {"metadata": {"c": "4"}}
    assert volume_api.get(f"{path}/c").json() == {"meta": {"c": "4"}}
    assert volume_api.put(f"{path}/d", {"meta": {"d": "5"}}).status_code == 200
    gone = volume_api.delete(f"{path}/c")
    assert (gone.status_code, gone.content) == (200, b"")
    assert volume_api.get(path).json() == {"metadata": {"d": "5"}}
    assert fault(volume_api.delete(f"{path}/c"))[0] == 400


def test_metadata_is_limited_as_a_whole(volume_api, make_volume):
    volume = make_volume()
    path = f"volumes/{volume.pk}/metadata"
    volume_api.post(path, {"metadata": {str(i): "v" for i in range(10)}})
    assert fault(volume_api.post(path, {"metadata": {"more": "v"}}))[0] == 400
    assert volume.metadata.count() == 10


def test_types_are_shown_with_what_they_offer(volume_api, detachable_type, volume_type):
    kinds = {kind["name"]: kind for kind in volume_api.get("types").json()["volume_types"]}
    assert kinds["shared"]["SNF:detachable"] is True
    assert kinds["drbd"]["SNF:detachable"] is False
    assert kinds["drbd"]["SNF:disk_template"] == "drbd"
    assert volume_api.get(f"types/{volume_type.pk}").json()["volume_type"]["id"] == volume_type.pk
    volume_type.deleted = True
    volume_type.save()
    assert "drbd" not in {kind["name"] for kind in volume_api.get("types").json()["volume_types"]}
    assert volume_api.get(f"types/{volume_type.pk}").json()["volume_type"]["deleted"] is True


# -- permissions (volume contract 12) ---------------------------------------------------------------------

CALLS = {
    "show": ("GET", "volumes/{}", None, 200),
    "rename": ("PUT", "volumes/{}", {"volume": {"display_name": "n"}}, 200),
    "metadata": ("GET", "volumes/{}/metadata", None, 200),
    "set metadata": ("POST", "volumes/{}/metadata", {"metadata": {"a": "b"}}, 200),
    "delete": ("DELETE", "volumes/{}", None, 202),
}


def test_strangers_see_nothing_and_members_do_everything(volume_api, make_volume, stranger, person):
    private = make_volume(charged=False, userid=stranger.uuid, project=stranger.uuid)
    shared = make_volume(userid=stranger.uuid, project=person.uuid, shared_to_project=True, charged=False)
    for call, (method, path, body, status) in CALLS.items():
        assert (call, volume_api.call(method, path.format(private.pk), body).status_code) == (call, 404)
        # The owner's holding in the shared project is not what this is about.
        if call != "delete":
            assert (call, volume_api.call(method, path.format(shared.pk), body).status_code) == (call, status)


def test_members_may_not_reassign(volume_api, make_volume, stranger, person):
    shared = make_volume(userid=stranger.uuid, project=person.uuid, shared_to_project=True, charged=False)
    body = {"reassign": {"project": person.uuid}}
    assert fault(volume_api.post(f"volumes/{shared.pk}/action", body)) == (403, "forbidden")


# -- volumes of servers (compute contract 9.3) ------------------------------------------------------------


def attach(person, server: Server, volume: Volume | int):
    number = volume.pk if isinstance(volume, Volume) else volume
    return person.api.post(
        f"servers/{server.pk}/os-volume_attachments", {"volumeAttachment": {"volumeId": number}}
    )


def test_lists_have_pages_where_they_are_asked_for(volume_api, make_volume):
    expected, found, path = [str(make_volume().pk) for _ in range(3)], [], "volumes?limit=2"
    while path:
        document = volume_api.get(path).json()
        found += [volume["id"] for volume in document["volumes"]]
        links = document.get("volumes_links")
        path = links[0]["href"].partition("/volume/v2.0/")[2] if links else ""
    assert found == expected
    assert len(volume_api.get("volumes/detail").json()["volumes"]) == 3
    assert volume_api.get("volumes?limit=x").status_code == 400


def test_attach_answers_with_the_attachment_and_marks_the_volume(person, host, make_volume, volume_api):
    volume = make_volume(backendjobid=9)
    answer = attach(person, host, volume)
    assert answer.status_code == 202
    expected = {"id": volume.pk, "volumeId": volume.pk, "serverId": host.pk, "device": ""}
    assert answer.json() == {"volumeAttachment": expected}
    assert volume_api.get(f"volumes/{volume.pk}").json()["volume"]["status"] == "attaching"
    disk = JobIntent.objects.get().payload["body"]["disks"][0][2]
    assert (disk["reuse_data"], disk["keep_data"]) == ("True", "True")
    listed = person.api.get(f"servers/{host.pk}/os-volume_attachments").json()["volumeAttachments"]
    assert expected in listed
    assert [item["id"] for item in listed] == sorted(item["id"] for item in listed)
    one = person.api.get(f"servers/{host.pk}/os-volume_attachments/{volume.pk}").json()
    assert one == {"volumeAttachment": expected}


def test_only_available_volumes_are_attached(person, host, make_volume):
    for status in VolumeStatus:
        if status != "AVAILABLE":
            assert fault(attach(person, host, make_volume(status=status)))[0] == 400


def test_attach_refuses_what_does_not_fit(person, host, make_volume, make_server, volume_type, settings):
    assert fault(attach(person, host, 99999))[0] == 400
    assert fault(attach(person, host, make_volume(volume_type=volume_type)))[0] == 400
    assert fault(attach(person, make_server(), make_volume()))[0] == 400
    settings.GANETI_MAX_DISKS_PER_INSTANCE = 1
    assert fault(attach(person, host, make_volume()))[0] == 400
    assert person.api.post("servers/99999/os-volume_attachments", {"volumeAttachment": {}}).status_code == 400
    assert (
        person.api.post(
            "servers/99999/os-volume_attachments", {"volumeAttachment": {"volumeId": 1}}
        ).status_code
        == 404
    )


def test_shared_things_join_only_within_their_project(person, host, make_volume, stranger, volume_api):
    volume = make_volume(userid=stranger.uuid, project=person.uuid, shared_to_project=True, charged=False)
    Server.objects.filter(pk=host.pk).update(project="another")
    assert fault(attach(person, host, volume))[0] == 400
    Server.objects.filter(pk=host.pk).update(shared_to_project=True)
    assert volume_api.create(server_id=host.pk).status_code == 400
    Server.objects.filter(pk=host.pk).update(project=person.uuid)
    assert attach(person, host, volume).status_code == 202


#: State of the server: status of attach, detach, delete and create on it (compute contract 14.4).
SITUATIONS = {
    "running": ({}, 202),
    "stopped": ({"operstate": ServerState.STOPPED}, 202),
    "building": ({"operstate": ServerState.BUILD, "task": Task.BUILD}, 409),
    "failed": ({"operstate": ServerState.ERROR}, 400),
    "busy": ({"task": Task.REBOOT}, 400),
    "suspended": ({"suspended": True}, 403),
    "deleted": ({"deleted": True}, 400),
}


@pytest.mark.parametrize("situation", list(SITUATIONS))
def test_what_the_state_of_the_server_allows(person, host, make_volume, volume_api, situation):
    values, expected = SITUATIONS[situation]
    on_it = [make_volume(machine=host, index=i, status=VolumeStatus.IN_USE, backendjobid=5) for i in (1, 2)]
    free = make_volume()
    calls = [
        lambda: attach(person, host, free),
        lambda: person.api.delete(f"servers/{host.pk}/os-volume_attachments/{on_it[0].pk}"),
        lambda: volume_api.delete(f"volumes/{on_it[1].pk}"),
        lambda: volume_api.create(server_id=host.pk),
    ]
    for call in calls:
        Server.objects.filter(pk=host.pk).update(**{"task": "", **values})
        assert call().status_code == expected


@pytest.mark.parametrize("hotplug", [True, False])
def test_running_servers_change_only_with_hotplug(person, host, make_volume, settings, hotplug):
    settings.GANETI_USE_HOTPLUG = hotplug
    assert attach(person, host, make_volume()).status_code == (202 if hotplug else 400)


def test_detach_keeps_the_data(person, host, make_volume, volume_api):
    volume = make_volume(machine=host, index=1, status=VolumeStatus.IN_USE, backendjobid=5)
    answer = person.api.delete(f"servers/{host.pk}/os-volume_attachments/{volume.pk}")
    assert (answer.status_code, answer.content) == (202, b"")
    assert volume_api.get(f"volumes/{volume.pk}").json()["volume"]["status"] == "detaching"
    name = f"snf-vol-{volume.pk}"
    assert JobIntent.objects.get().payload["body"] == {
        "disks": [["modify", name, {"name": name, "keep_data": "True"}], ["remove", name, {}]]
    }


def test_detach_as_the_storage_can(person, host, make_volume, settings):
    volume = make_volume(machine=host, index=1, status=VolumeStatus.IN_USE, backendjobid=5)
    path = f"servers/{host.pk}/os-volume_attachments/{volume.pk}"
    settings.GANETI_DETACH_METHODS = {}
    assert fault(person.api.delete(path)) == (501, "notImplemented")
    settings.GANETI_DETACH_METHODS = {"snffile": "keep_disks"}
    assert person.api.delete(path).status_code == 202
    assert JobIntent.objects.get().payload["body"]["keep_disks"] is True


def test_an_own_volume_comes_back_from_a_server_that_is_shared_no_more(person, host, make_volume):
    Server.objects.update(userid="a-friend", project="common")
    mine = make_volume(machine=host, index=1, status=VolumeStatus.IN_USE, backendjobid=5)
    other = make_volume(machine=host, index=2, status=VolumeStatus.IN_USE, backendjobid=5, charged=False)
    Volume.objects.filter(pk=other.pk).update(userid="a-friend", project="common")
    path = f"servers/{host.pk}/os-volume_attachments"
    assert fault(person.api.delete(f"{path}/{other.pk}"))[0] == 404
    assert person.api.delete(f"{path}/{mine.pk}").status_code == 202


def test_detach_refuses_what_is_not_there(person, host, make_volume, make_server, volume_type):
    def detach(volume: Volume):
        return person.api.delete(f"servers/{host.pk}/os-volume_attachments/{volume.pk}")

    assert fault(detach(host.volumes.get()))[0] == 400
    assert fault(detach(make_volume()))[0] == 400
    assert fault(detach(make_volume(machine=make_server(), index=1, status="IN_USE")))[0] == 400
    assert fault(detach(make_volume(machine=host, index=1, status="ATTACHING")))[0] == 400
    assert (
        fault(detach(make_volume(machine=host, index=2, status="IN_USE", volume_type=volume_type)))[0] == 400
    )


def test_versions_need_no_token(client):
    versions = client.get("/cyclades/volume/").json()["versions"]
    assert {"v2.0", "v2", "v3.0"} == {version["id"] for version in versions}


def test_v2_is_the_same_as_v2_0_with_or_without_a_project(person, make_volume):
    volume = make_volume()
    for version in ("v2", f"v2/{person.uuid}", f"v2.0/{person.uuid.replace('-', '')}"):
        answer = VolumeApi(person, version).get(f"volumes/{volume.pk}")
        assert answer.json()["volume"]["id"] == str(volume.pk)


def test_a_wrong_verb_tells_the_right_ones(volume_api):
    answer = volume_api.delete("volumes")
    assert (answer.status_code, answer["Allow"]) == (405, "GET,POST")
