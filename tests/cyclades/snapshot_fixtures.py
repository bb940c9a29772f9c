"""A volume on a server, and what its snapshots are asked and told through."""

from __future__ import annotations

import pytest

from cyclades.models import Server, Volume, VolumeType
from synnefo.messages import OpStatus, event_time_now
from tests.cyclades.image_fixtures import ImageUser


def make_volume(owner: ImageUser, server: Server, **fields: object) -> Volume:
    """Store the system disk of a server."""
    values = {"size": 1, "status": "IN_USE", "index": 0, "volume_type": VolumeType.objects.get(name="drbd")}
    return Volume.objects.create(
        userid=owner.uuid, project=owner.uuid, machine=server, **{**values, **fields}
    )


@pytest.fixture
def volume(owner: ImageUser) -> Volume:
    """The system disk, of 1 GiB, of a running server."""
    from tests.security.roles_world import _server

    return make_volume(owner, _server(owner))


def event(job_id: int, snapshot_id: str, status: str, mapfile: str | None = None) -> OpStatus:
    """Return what a node says of a snapshot."""
    info = {"snapshot_info": f'{{"snapshot_id": "{snapshot_id}"}}'} | (
        {"mapfile": mapfile} if mapfile else {}
    )
    return OpStatus(
        operation="OP_INSTANCE_SNAPSHOT", status=status, job_id=job_id, event_time=event_time_now(),
        cluster="cluster.example", instance="snf-1", job_fields={"disks": [["snf-vol-1", info]]},
    )  # fmt: skip
