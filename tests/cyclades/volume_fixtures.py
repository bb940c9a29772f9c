"""Detachable volumes, servers for them, and the client of the volume dialects."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from cyclades.models import Flavor, Server, Volume, VolumeStatus, VolumeType
from tests.cyclades.compute_fixtures import Person


@dataclass(frozen=True)
class VolumeApi:
    """Calls of one person below the volume root."""

    person: Person
    version: str = "v2.0"

    def call(self, method: str, path: str, body: object = None):
        extra: dict[str, Any] = {}
        if body is not None:
            extra = {"content_type": "application/json", "data": json.dumps(body)}
        return self.person.api.client.generic(
            method,
            f"/cyclades/volume/{self.version}/{path}",
            headers={"X-Auth-Token": self.person.api.token or ""},
            **extra,
        )

    def get(self, path: str):
        return self.call("GET", path)

    def post(self, path: str, body: object = None):
        return self.call("POST", path, body)

    def put(self, path: str, body: object = None):
        return self.call("PUT", path, body)

    def delete(self, path: str):
        return self.call("DELETE", path)

    def create(self, **fields: object):
        return self.post("volumes", {"volume": {"display_name": "data", "size": 5, **fields}})


@pytest.fixture
def volume_api(person: Person) -> VolumeApi:
    return VolumeApi(person)


@pytest.fixture
def cinder(person: Person) -> VolumeApi:
    return VolumeApi(person, "v3")


@pytest.fixture
def detachable_type(db) -> VolumeType:
    return VolumeType.objects.create(name="shared", disk_template="ext_snffile")


@pytest.fixture
def detachable_flavor(detachable_type: VolumeType) -> Flavor:
    return Flavor.objects.create(cpu=1, ram=1024, disk=10, volume_type=detachable_type)


@pytest.fixture
def host(make_server: Callable[..., Server], detachable_flavor: Flavor) -> Server:
    """A running server with detachable disks and its system disk."""
    server = make_server(flavor=detachable_flavor)
    Volume.objects.create(
        userid=server.userid,
        project=server.project,
        size=10,
        volume_type=detachable_flavor.volume_type,
        machine=server,
        index=0,
        status=VolumeStatus.IN_USE,
        backendjobid=1,
        source="image:8f0b7f2e-3b1d-4b5f-9c9e-0d6f6f1f2a11",
    )
    return server


@pytest.fixture
def make_volume(person: Person, detachable_type: VolumeType) -> Callable[..., Volume]:
    """Volumes as rows only: available, of *person*, never attached, charged, unless told otherwise."""
    from cyclades.logic import quota

    def make(*, charged: bool = True, **values: object) -> Volume:
        row: dict[str, Any] = {
            "name": "data",
            "description": "",
            "userid": person.uuid,
            "project": person.uuid,
            "size": 5,
            "volume_type": detachable_type,
            "status": VolumeStatus.AVAILABLE,
            **values,
        }
        volume = Volume.objects.create(**row)
        if charged:
            deltas = {volume.project: {quota.DISK: quota.disk_bytes(volume)}}
            quota.charge_now(volume.userid, deltas, name="test")
        return volume

    return make
