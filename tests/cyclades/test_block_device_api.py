"""``block_device_mapping_v2`` of a server's creation (compute contract 5.4)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cyclades.logic import images
from cyclades.models import JobIntent, Server, Volume, VolumeStatus
from tests.cyclades.compute_fixtures import GIB, IMAGE_ID, SAMPLE_IMAGE

pytestmark = [pytest.mark.db, pytest.mark.django_db, pytest.mark.usefixtures("submitted", "backend")]

IMAGE = {"source_type": "image", "uuid": IMAGE_ID, "volume_size": 10}
BLANK = {"source_type": "blank", "volume_size": 4}


@pytest.fixture
def create(person, create_body, detachable_flavor):
    def call(*devices: object, **fields: object):
        server = {**create_body, "flavorRef": detachable_flavor.pk, "block_device_mapping_v2": list(devices)}
        return person.api.post("servers", {"server": server | fields})

    return call


@pytest.fixture
def needing(monkeypatch):
    def need(**values: str) -> None:
        stored = {f"{images.PREFIX}{name}": value for name, value in values.items()}
        monkeypatch.setattr(images, "get_image", lambda *_: replace(SAMPLE_IMAGE, stored=stored))

    return need


def volumes_of(answer) -> list[Volume]:
    assert answer.status_code == 202, answer.content
    return list(Volume.objects.filter(machine=answer.json()["server"]["id"]).order_by("index"))


def test_without_devices_there_is_one_disk_of_the_flavors_size(create):
    (root,) = volumes_of(create())
    assert (root.index, root.size, root.source) == (0, 10, f"image:{IMAGE_ID}")
    assert root.delete_on_termination


def test_new_disks_are_charged_at_once(create, person):
    root, data = volumes_of(create(IMAGE, BLANK))
    assert (root.source, data.source) == (f"image:{IMAGE_ID}", None)
    assert (data.size, data.status, data.index) == (4, VolumeStatus.CREATING, 1)
    assert person.usage("cyclades.disk") == (14 * GIB, 0)
    names = [disk["name"] for disk in JobIntent.objects.get().payload["body"]["disks"]]
    assert names == [f"snf-vol-{root.pk}", f"snf-vol-{data.pk}"]


def test_a_volume_that_exists_joins_with_its_data(create, make_volume, person):
    volume = make_volume(backendjobid=9)
    volumes_of(create(IMAGE, {"source_type": "volume", "uuid": str(volume.pk)}))
    volume.refresh_from_db()
    assert (volume.status, volume.index, volume.delete_on_termination) == (VolumeStatus.ATTACHING, 1, False)
    assert person.usage("cyclades.disk") == (15 * GIB, 0)
    disk = JobIntent.objects.get().payload["body"]["disks"][1]
    assert (disk["reuse_data"], disk["keep_data"]) == ("True", "True")


def test_a_server_may_boot_from_a_volume(create, make_volume):
    volume = make_volume(size=10, backendjobid=9, source=f"image:{IMAGE_ID}")
    (root,) = volumes_of(create({"source_type": "volume", "uuid": volume.pk}))
    assert root.pk == volume.pk
    assert JobIntent.objects.get().payload["body"]["osparams"]["img_id"] == "null"


def test_boot_indexes_give_the_order_where_each_device_has_one(create):
    root, data = volumes_of(create({**BLANK, "boot_index": -1}, {**IMAGE, "boot_index": 0}))
    assert (root.size, data.size) == (10, 4)


def test_the_image_may_be_named_by_the_first_device_only(create):
    (root,) = volumes_of(create(IMAGE, imageRef=""))
    assert root.source == f"image:{IMAGE_ID}"


REFUSED = [
    (["x"], 400),
    ([{}], 400),
    ([{"source_type": "tape", "uuid": "1"}], 400),
    ([{"source_type": "image", "volume_size": 10}], 400),
    ([{"source_type": "image", "uuid": IMAGE_ID}], 400),
    ([{**IMAGE, "volume_size": 1}], 400),
    ([{**IMAGE, "volume_size": 0}], 400),
    ([{**IMAGE, "volume_size": 201}], 400),
    ([{**IMAGE, "volume_size": "x"}], 400),
    ([{**IMAGE, "destination_type": "moon"}], 400),
    ([{**IMAGE, "delete_on_termination": "yes"}], 400),
    ([{**IMAGE, "delete_on_termination": False}], 501),
    ([{**IMAGE, "uuid": "8f0b7f2e-3b1d-4b5f-9c9e-0d6f6f1f2a12"}], 400),
    ([BLANK, IMAGE], 400),
    ([IMAGE, IMAGE], 400),
    ([IMAGE, {"source_type": "volume", "uuid": "9999"}], 400),
    ([IMAGE, {"source_type": "volume", "uuid": "x"}], 400),
    ([IMAGE, {"source_type": "blank"}], 400),
    ([IMAGE] + [BLANK] * 8, 400),
]


def test_devices_that_are_refused(create):
    answers = [(devices, create(*devices).status_code) for devices, _ in REFUSED]
    assert answers == REFUSED
    assert not Server.objects.exists()


def test_volumes_that_cant_join_are_refused(create, make_volume, volume_type, stranger):
    wrong = [
        make_volume(status=VolumeStatus.IN_USE),
        make_volume(volume_type=volume_type),
        make_volume(userid=stranger.uuid, project=stranger.uuid, charged=False),
    ]
    for volume in wrong:
        assert create(IMAGE, {"source_type": "volume", "uuid": volume.pk}).status_code == 400
    twice = {"source_type": "volume", "uuid": make_volume().pk}
    assert create(IMAGE, twice, twice).status_code == 400


@pytest.mark.parametrize(
    ("needs", "devices", "status"),
    [
        ({"min_disk": "11"}, [], 400),
        ({"min_ram": "1025"}, [], 400),
        ({"min_disk": "11"}, [IMAGE], 400),
        ({"min_disk": "11"}, ["volume"], 400),
        ({"min_ram": "1025"}, [IMAGE], 400),
        ({"min_ram": "1025"}, ["volume"], 400),
        ({"min_disk": "10", "min_ram": "1024"}, [IMAGE, BLANK], 202),
        ({"min_disk": "11"}, [{**IMAGE, "volume_size": 11}], 202),
    ],
)
def test_the_needs_of_the_image_hold_whatever_the_root_is(
    create, make_volume, needing, needs, devices, status
):
    needing(**needs)
    volume = make_volume(size=10, backendjobid=9, source=f"image:{IMAGE_ID}")
    root = {"source_type": "volume", "uuid": volume.pk}
    assert create(*(root if device == "volume" else device for device in devices)).status_code == status


def test_snapshots_can_be_switched_off(create, settings):
    settings.CYCLADES_SNAPSHOTS_ENABLED = False
    assert create({**IMAGE, "source_type": "snapshot"}).status_code == 400


def test_storage_that_clones_fills_further_disks(create, settings):
    settings.GANETI_CLONE_PROVIDERS = ["snffile"]
    _, data = volumes_of(create(IMAGE, {**IMAGE, "volume_size": 4}))
    assert (data.source, data.origin, data.origin_size) == (f"image:{IMAGE_ID}", "a-map", 2 * GIB)
    disk = JobIntent.objects.get().payload["body"]["disks"][1]
    assert (disk["origin"], disk["origin_size"]) == ("a-map", 2 * GIB)
