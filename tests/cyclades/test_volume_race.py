"""Simultaneous requests about one volume: exactly one wins (volume contract 1)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections

from cyclades.logic import volume_attachments, volume_deletion
from cyclades.models import JobIntent, Server, Volume, VolumeStatus
from synnefo.errors import BadRequest, Conflict
from tests.cyclades.compute_fixtures import Person
from tests.markers import needs_postgres

pytestmark = [
    pytest.mark.db,
    pytest.mark.django_db(transaction=True),
    needs_postgres,
    pytest.mark.usefixtures("submitted"),
]


def together(*calls: Callable[[], Any]) -> list[str]:
    """Make all calls at once, each in a thread, and return how each ended."""
    barrier, ends = threading.Barrier(len(calls)), [""] * len(calls)

    def run(index: int, call: Callable[[], Any]) -> None:
        try:
            barrier.wait(60)
            call()
            ends[index] = "done"
        except (BadRequest, Conflict):
            ends[index] = "refused"
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(180)
    return ends


def test_one_volume_joins_one_server_or_goes(
    person: Person, host: Server, make_server: Any, make_volume: Any, detachable_flavor: Any
) -> None:
    other = make_server(flavor=detachable_flavor)
    volume = make_volume()
    acting = person.credentials
    ends = together(
        lambda: volume_attachments.attach(acting, server_id=host.pk, volume_id=volume.pk),
        lambda: volume_attachments.attach(acting, server_id=other.pk, volume_id=volume.pk),
        lambda: volume_deletion.delete(acting, volume_id=volume.pk),
    )
    assert ends.count("done") == 1, ends
    volume.refresh_from_db()
    assert (volume.status == VolumeStatus.DELETED) is (ends[2] == "done")
    assert JobIntent.objects.count() == (0 if ends[2] == "done" else 1)


def test_two_volumes_join_one_server_one_after_the_other(
    person: Person, host: Server, make_volume: Any
) -> None:
    volumes = [make_volume(), make_volume()]
    acting = person.credentials
    ends = together(
        *(
            lambda pk=volume.pk: volume_attachments.attach(acting, server_id=host.pk, volume_id=pk)
            for volume in volumes
        )
    )
    assert sorted(ends) == ["done", "refused"]
    assert Volume.objects.filter(status=VolumeStatus.ATTACHING).count() == 1
