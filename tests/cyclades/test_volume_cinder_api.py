"""Volumes in Cinder's dialect (volume contract 15)."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from cyclades.ganeti.opcodes import Opcode
from cyclades.logic import server_events
from cyclades.models import JobIntent, Server, Volume, VolumeMetadata, VolumeStatus, VolumeTypeSpec
from tests.cyclades.compute_fixtures import GIB
from tests.cyclades.ganeti_fixtures import disk_of, op_event

pytestmark = [pytest.mark.db, pytest.mark.django_db, pytest.mark.usefixtures("submitted")]


def ids(answer) -> list[int]:
    return [int(volume["id"]) for volume in answer.json()["volumes"]]


def test_a_volume_needs_no_more_than_a_size(cinder, detachable_type):
    nulls = dict.fromkeys(("snapshot_id", "backup_id", "consistencygroup_id", "source_volid", "imageRef"))
    body = {"volume": {"size": 3, **nulls}, "OS-SCH-HNT:scheduler_hints": {}}
    answer = cinder.post("volumes", body)
    assert answer.status_code == 202
    volume = answer.json()["volume"]
    assert (volume["name"], volume["status"], volume["volume_type"]) == ("", "available", "shared")
    assert (volume["bootable"], volume["encrypted"], volume["multiattach"]) == ("false", False, False)
    assert isinstance(volume["id"], str)


@pytest.mark.parametrize("by", ["name", "id"])
def test_a_type_is_named_or_numbered(cinder, detachable_type, by):
    kind = detachable_type.name if by == "name" else str(detachable_type.pk)
    volume = cinder.post("volumes", {"volume": {"size": 1, "name": "n", "volume_type": kind}}).json()[
        "volume"
    ]
    assert volume["volume_type"] == "shared"
    assert cinder.post("volumes", {"volume": {"size": 1, "volume_type": "none"}}).status_code == 400


def test_the_default_type_is_a_setting(cinder, detachable_type, settings):
    settings.DEFAULT_VOLUME_TYPE = "elsewhere"
    assert cinder.post("volumes", {"volume": {"size": 1}}).status_code == 400
    assert cinder.get("types/default").status_code == 404
    settings.DEFAULT_VOLUME_TYPE = "shared"
    assert cinder.get("types/default").json()["volume_type"]["name"] == "shared"


def test_states_have_hyphens_and_ids_are_text(cinder, host, make_volume):
    volume = make_volume(machine=host, index=1, status=VolumeStatus.IN_USE)
    shown = cinder.get(f"volumes/{volume.pk}").json()["volume"]
    assert shown["status"] == "in-use"
    (attachment,) = shown["attachments"]
    assert attachment["server_id"] == str(host.pk)
    assert attachment["device"] == "/dev/vdb"
    root = cinder.get(f"volumes/{host.volumes.get(index=0).pk}").json()["volume"]
    assert root["bootable"] == "true"
    assert root["volume_image_metadata"]["image_id"]


def test_deleted_volumes_are_gone(cinder, make_volume):
    volume = make_volume(deleted=True, status=VolumeStatus.DELETED)
    assert cinder.get(f"volumes/{volume.pk}").status_code == 404
    assert cinder.delete(f"volumes/{volume.pk}").status_code == 404


def test_lists_are_filtered(cinder, make_volume, person):
    one, two = make_volume(name="one"), make_volume(name="two", status=VolumeStatus.ERROR)
    VolumeMetadata.objects.create(volume=one, key="k", value="v")
    assert ids(cinder.get("volumes?name=one")) == [one.pk]
    assert ids(cinder.get("volumes?status=error")) == [two.pk]
    assert ids(cinder.get("volumes?metadata={'k':'v'}")) == [one.pk]
    assert len(ids(cinder.get(f"volumes/detail?project_id={person.uuid}"))) == 2
    assert ids(cinder.get("volumes?user_id=nobody")) == []


def test_lists_have_pages_that_link_to_the_next(cinder, make_volume, client, person):
    expected = sorted((make_volume().pk for _ in range(5)), reverse=True)
    found, path = [], "volumes/detail?limit=2&with_count=true"
    while path:
        document = cinder.get(path).json()
        assert document["count"] == 5
        found += [int(volume["id"]) for volume in document["volumes"]]
        links = document.get("volumes_links")
        path = links[0]["href"].partition("/volume/v3/")[2] if links else ""
    assert found == expected
    assert ids(cinder.get("volumes?sort=id:asc&offset=3")) == sorted(expected)[3:]
    last = cinder.get(f"volumes?sort_key=id&sort_dir=asc&with_count=true&marker={sorted(expected)[2]}")
    assert (ids(last), last.json()["count"]) == (sorted(expected)[3:], 5)


def test_queries_that_make_no_sense(cinder):
    queries = ["sort=colour", "sort_key=id&sort_dir=up", "limit=x", "marker=x", "metadata=x", "offset=-1"]
    for items in ('{"a\\u0000": "b"}', '{"a": "\\ud800"}', "[" * 3000, '{"a": 1}'):
        queries.append(f"metadata={quote(items)}")
    for query in queries:
        assert cinder.get(f"volumes?{query}").status_code == 400


def test_update_takes_both_dialects_words(cinder, make_volume):
    volume = make_volume()
    shown = cinder.put(f"volumes/{volume.pk}", {"volume": {"name": "n", "description": "d"}}).json()["volume"]
    assert (shown["name"], shown["description"]) == ("n", "d")
    shown = cinder.put(f"volumes/{volume.pk}", {"volume": {"display_name": "m"}}).json()["volume"]
    assert shown["name"] == "m"
    assert cinder.put(f"volumes/{volume.pk}", {"volume": {}}).status_code == 200


def test_types_have_their_parameters(cinder, detachable_type):
    VolumeTypeSpec.objects.create(volume_type=detachable_type, key="GNT-EXTP:pool", value="fast")
    (kind,) = cinder.get("types").json()["volume_types"]
    assert kind["id"] == str(detachable_type.pk)
    assert kind["extra_specs"] == {
        "GNT-EXTP:pool": "fast", "SNF:disk_template": "ext_snffile", "SNF:detachable": "true",
    }  # fmt: skip
    assert cinder.get("types/shared").json()["volume_type"] == kind
    assert cinder.get("types/none").status_code == 404


ACTIONS = {
    "os-set_bootable": ({"bootable": True}, 200),
    "os-update_readonly_flag": ({"readonly": True}, 200),
    "os-reset_status": ({"status": "error"}, 403),
    "os-attach": ({}, 403),
    "os-detach": ({}, 403),
    "os-begin_detaching": ({}, 403),
    "os-force_delete": ({}, 403),
    "os-retype": ({"new_type": "x"}, 501),
    "os-migrate_volume": ({}, 501),
    "os-volume_upload_image": ({"image_name": "x"}, 501),
    "revert": ({}, 501),
    "os-unknown": ({}, 400),
}


def test_actions(cinder, make_volume):
    path = f"volumes/{make_volume().pk}/action"
    answers = {
        action: (arguments, cinder.post(path, {action: arguments}).status_code)
        for action, (arguments, _) in ACTIONS.items()
    }
    assert answers == ACTIONS


def test_a_volume_without_data_grows_and_is_charged(cinder, make_volume, person, settings):
    def extend(volume: Volume, size: object):
        return cinder.post(f"volumes/{volume.pk}/action", {"os-extend": {"new_size": size}}).status_code

    volume = make_volume()
    assert extend(volume, 7) == 202
    assert person.usage("cyclades.disk") == (7 * GIB, 0)
    assert [extend(volume, size) for size in (7, 3, 0, "9", 201, None)] == [400] * 6
    settings.GANETI_DETACH_METHODS = {}
    assert extend(make_volume(backendjobid=9), 9) == 501
    settings.CYCLADES_VOLUME_MAX_SIZE = 20000
    assert extend(volume, 10001) == 413


def test_a_volume_with_data_grows_by_a_job_or_with_its_next_attachment(
    cinder, make_volume, make_server, person, settings
):
    def extend(volume: Volume):
        return cinder.post(f"volumes/{volume.pk}/action", {"os-extend": {"new_size": 7}}).status_code

    apart = make_volume(backendjobid=9)
    settings.GANETI_DETACH_METHODS = {apart.volume_type.provider: "keep_data"}
    assert extend(apart) == 202
    apart.refresh_from_db()
    assert apart.size == 7
    server = make_server()
    volume = make_volume(machine=server, index=1, status=VolumeStatus.IN_USE, backendjobid=9)
    root = make_volume(machine=server, index=0, status=VolumeStatus.IN_USE, backendjobid=9)
    assert extend(root) == 400
    assert extend(volume) == 202
    assert JobIntent.objects.get(server=server).payload == {
        "action": "grow-disk",
        "body": {"disk": 1, "amount": 7168, "absolute": True},
    }
    assert extend(volume) == 400
    Server.objects.update(task_job_id=100)
    server = Server.objects.select_related("flavor", "backend").get()
    disks = (disk_of(root), disk_of(volume, 7))
    event = op_event(server, Opcode.INSTANCE_GROW_DISK, instance_disks=disks)
    used, reserved = person.usage("cyclades.disk")
    server_events.apply(server, event)
    volume.refresh_from_db()
    assert (volume.size, volume.status) == (7, VolumeStatus.IN_USE)
    assert reserved == 2 * GIB
    assert person.usage("cyclades.disk") == (used, 0)


def test_limits_and_quota_come_from_the_books(cinder, make_volume, person):
    make_volume()
    absolute = cinder.get("limits").json()["limits"]["absolute"]
    assert (absolute["maxTotalVolumeGigabytes"], absolute["totalGigabytesUsed"]) == (10000, 5)
    quota = cinder.get(f"os-quota-sets/{person.uuid}?usage=True").json()["quota_set"]
    assert quota["gigabytes"] == {"limit": 10000, "in_use": 5, "reserved": 0}
    assert cinder.get(f"os-quota-sets/{person.uuid}").json()["quota_set"]["gigabytes"] == 10000
    assert cinder.get("os-quota-sets/8f0b7f2e-3b1d-4b5f-9c9e-0d6f6f1f2a11").status_code == 404


def test_what_there_is_none_of_is_not_found(cinder):
    for path in ["backups/detail", "groups", "qos-specs", "os-volume-transfer/detail"]:
        assert cinder.get(path).status_code == 404


def test_what_clients_ask_first_is_answered(cinder):
    for path in ["extensions", "os-availability-zone", "snapshots", "types"]:
        assert cinder.get(path).status_code == 200
