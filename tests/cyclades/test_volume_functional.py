"""A volume's whole life through API, simulated Ganeti, event daemon and dispatcher."""

# ruff: noqa: F811
from __future__ import annotations

from typing import Any

import pytest

from cyclades.ganeti import clients
from cyclades.logic import volume_deletion
from cyclades.models import JobIntent, Server, Volume
from tests.cyclades.compute_fixtures import GIB, IMAGE_ID, Person
from tests.cyclades.test_dispatcher_e2e import Cloud, cloud, fresh  # noqa: F401  (a fixture)
from tests.cyclades.volume_fixtures import VolumeApi

pytestmark = [pytest.mark.functional, pytest.mark.django_db(transaction=True)]


class Life:
    """One user's calls, each waited for."""

    def __init__(self, cloud: Cloud, person: Person) -> None:
        self.cloud, self.person, self.api = cloud, person, VolumeApi(person)

    def server(self, flavor: int, *devices: dict[str, Any]) -> Server:
        body = {"name": "web", "imageRef": IMAGE_ID, "flavorRef": flavor, "networks": []}
        answer = self.person.api.post("servers", {"server": {**body, "block_device_mapping_v2": devices}})
        assert answer.status_code == 202, answer.content
        server = Server.objects.get(pk=answer.json()["server"]["id"])
        self.cloud.until(lambda: not fresh(server).task)
        return fresh(server)

    def status(self, volume: str) -> str:
        return self.api.get(f"volumes/{volume}").json()["volume"]["status"]

    def follow(self, volume: str, end: str) -> list[str]:
        """Return the statuses that a user sees until *end*."""
        seen = [self.status(volume)]

        def ended() -> bool:
            now = self.status(volume)
            if now != seen[-1]:
                seen.append(now)
            return now == end

        self.cloud.until(ended)
        return seen

    def disks(self, server: Server) -> list[str]:
        with clients.rapi_for(self.cloud.backend) as rapi:
            return list(rapi.GetInstance(f"snf-{server.pk}")["disk.names"])

    def ask_attach(self, server: Server, volume: str) -> None:
        body = {"volumeAttachment": {"volumeId": volume}}
        assert self.person.api.post(f"servers/{server.pk}/os-volume_attachments", body).status_code == 202

    def attach(self, server: Server, volume: str) -> list[str]:
        self.ask_attach(server, volume)
        return self.follow(volume, "in_use")

    def detach(self, server: Server, volume: str) -> list[str]:
        path = f"servers/{server.pk}/os-volume_attachments/{volume}"
        assert self.person.api.delete(path).status_code == 202
        return self.follow(volume, "available")


@pytest.fixture
def life(cloud: Cloud, person: Person, image: Any) -> Life:
    cloud.backend.disk_templates = ["plain", "ext"]
    cloud.backend.save()
    return Life(cloud, person)


def test_a_volume_moves_between_servers_and_goes(
    life: Life, cloud: Cloud, person: Person, detachable_type: Any, detachable_flavor: Any
) -> None:
    one, two = life.server(detachable_flavor.pk), life.server(detachable_flavor.pk)
    volume = life.api.create(volume_type=detachable_type.pk).json()["volume"]["id"]
    assert person.usage("cyclades.disk") == (25 * GIB, 0)
    assert life.attach(one, volume) == ["attaching", "in_use"]
    assert life.disks(one)[1:] == [f"snf-vol-{volume}"]
    assert life.detach(one, volume) == ["detaching", "available"]
    assert f"snf-vol-{volume}" in cloud.simulator.cluster.volumes
    assert life.attach(two, volume) == ["attaching", "in_use"]
    assert life.detach(two, volume) == ["detaching", "available"]
    assert life.api.delete(f"volumes/{volume}").status_code == 202
    volume_deletion.advance(int(volume))
    assert life.follow(volume, "deleted")[-1] == "deleted"
    assert f"snf-vol-{volume}" not in cloud.simulator.cluster.volumes
    assert sorted(cloud.instances()) == sorted([f"snf-{one.pk}", f"snf-{two.pk}"])
    assert person.usage("cyclades.disk") == (20 * GIB, 0)


def test_volumes_of_a_server_come_and_go_with_it(
    life: Life, cloud: Cloud, person: Person, make_volume: Any, detachable_flavor: Any
) -> None:
    old = make_volume()
    server = life.server(
        detachable_flavor.pk,
        {"source_type": "image", "uuid": IMAGE_ID, "volume_size": 10},
        {"source_type": "blank", "volume_size": 1},
        {"source_type": "volume", "uuid": str(old.pk)},
    )
    assert life.status(str(old.pk)) == "in_use"
    made = life.api.create(server_id=server.pk, size=2).json()["volume"]["id"]
    assert life.follow(made, "in_use") == ["creating", "in_use"]
    assert person.usage("cyclades.disk") == (18 * GIB, 0)
    assert life.api.delete(f"volumes/{made}").status_code == 202
    assert life.follow(made, "deleted") == ["deleting", "deleted"]
    assert person.usage("cyclades.disk") == (16 * GIB, 0)
    assert person.api.delete(f"servers/{server.pk}").status_code == 204
    cloud.until(lambda: fresh(server).deleted)
    assert not Volume.objects.filter(deleted=False).exists()
    assert cloud.simulator.cluster.volumes == set()
    assert person.usage("cyclades.disk") == (0, 0)
    assert set(JobIntent.objects.values_list("state", flat=True)) == {"DONE"}


def test_a_job_that_ganeti_fails_leaves_the_volume_where_it_was(
    life: Life, cloud: Cloud, detachable_type: Any, detachable_flavor: Any
) -> None:
    server = life.server(detachable_flavor.pk)
    volume = life.api.create(volume_type=detachable_type.pk).json()["volume"]["id"]
    cloud.simulator.fail(kind="job", opcode="OP_INSTANCE_SET_PARAMS")
    life.ask_attach(server, volume)
    assert life.follow(volume, "available") == ["attaching", "available"]
    life.attach(server, volume)
    cloud.simulator.fail(kind="job", opcode="OP_INSTANCE_SET_PARAMS")
    path = f"servers/{server.pk}/os-volume_attachments/{volume}"
    assert life.person.api.delete(path).status_code == 202
    assert life.follow(volume, "in_use") == ["detaching", "in_use"]
