"""One cluster that hangs: jobs, placements and repairs of the others do not wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import connections

from cyclades.ganeti import allocator, clients, jobs, repair, requests, submission_threads, waiting
from cyclades.logic import volume_deletion
from cyclades.models import Backend, Flavor, IntentState, JobIntent, Server, Task, Volume, VolumeType
from synnefo import clock
from synnefo.db.locks import atomic
from tests.cyclades.ganeti_fixtures import FakeCluster, make_intent
from tests.markers import needs_postgres

pytestmark = [pytest.mark.fault, needs_postgres, pytest.mark.django_db(transaction=True)]

#: Longer than anything here may take: whoever waits for the hanging cluster runs into it.
PATIENCE = 60.0


@pytest.fixture
def hanging(backend: Backend, threads: list[threading.Thread], monkeypatch, settings) -> Iterator[Backend]:
    """A second backend, whose cluster answers nothing until the test is over."""
    settings.GANETI_SUBMIT_IN_BACKGROUND = True
    released = threading.Event()
    dead, alive = FakeCluster(), FakeCluster()

    def hang(_method: str) -> None:
        released.wait(4 * PATIENCE)
        raise clients.RapiUnavailable("no answer")

    dead.before_call = hang
    clients.forget_all()
    monkeypatch.setattr(
        clients, "new_client", lambda *, clustername, **_: dead if clustername == "dead.example" else alive
    )
    yield Backend.objects.create(
        clustername="dead.example",
        index=1,
        disk_templates=["plain", "drbd"],
        updated=clock.now(),
        mfree=1 << 21,
        mtotal=1 << 21,
        dfree=1 << 25,
        dtotal=1 << 25,
    )
    released.set()
    for thread in threads:
        thread.join(4 * PATIENCE)
    while submission_threads._executors:
        submission_threads._executors.popitem()[1].shutdown()
    clients.forget_all()


@pytest.fixture
def threads() -> list[threading.Thread]:
    """What runs into the hanging cluster; all end before the database is emptied."""
    return []


def begin(threads: list[threading.Thread], work: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    threads.append(thread)
    thread.start()
    return thread


def stop(server: Server) -> JobIntent:
    with atomic():
        return jobs.intend(server=server, operation=Task.STOP, payload=requests.shutdown_payload())


def test_jobs_for_others_are_submitted(hanging: Backend, make_server: Callable[..., Server]) -> None:
    for _ in range(20):
        stop(make_server(backend=hanging))
    assert waiting.wait_for_submission(stop(make_server()), timeout=PATIENCE)


def test_servers_are_placed_elsewhere(
    hanging: Backend, backend: Backend, flavor: Flavor, threads: list[threading.Thread]
) -> None:
    Backend.objects.filter(pk=hanging.pk).update(updated=clock.now() - timedelta(hours=1))
    placed: list[str] = []

    def place() -> None:
        placed.append(allocator.allocate(user_id="u", project="p", flavor=flavor).clustername)

    begin(threads, place).join(PATIENCE)
    assert placed == [backend.clustername]


def test_what_waits_for_others_is_repaired(
    hanging: Backend, make_server: Callable[..., Server], threads: list[threading.Thread]
) -> None:
    for number in range(3):
        make_intent(
            make_server(backend=hanging), Task.STOP, "shutdown", request_id=f"dead-{number}", attempts=1
        )
    waits = make_intent(make_server(), Task.STOP, "shutdown", request_id="alive")
    JobIntent.objects.update(created=clock.now() - timedelta(hours=1))
    thread = begin(threads, lambda: repair.run_once(limit=1))
    assert waiting.wait_for_submission(waits, timeout=PATIENCE)
    waits.refresh_from_db()
    assert waits.state == IntentState.SUBMITTED
    assert thread.is_alive()


def test_volumes_on_others_are_deleted(
    hanging: Backend, backend: Backend, threads: list[threading.Thread]
) -> None:
    kind = VolumeType.objects.create(name="shared", disk_template="ext_shared")
    Backend.objects.update(disk_templates=["ext"])
    for place in (hanging, backend):
        Volume.objects.create(
            userid="u",
            project="p",
            size=1,
            volume_type=kind,
            backend=place,
            status="DELETING",
            backendjobid=1,
        )
    Volume.objects.update(updated=clock.now() - timedelta(hours=1))
    thread = begin(threads, volume_deletion.run_queue)
    deadline = time.monotonic() + PATIENCE
    while not Volume.objects.filter(backend=backend).exclude(backendjobid=1).exists():
        assert time.monotonic() < deadline, "the hanging cluster's volume was waited for"
        time.sleep(0.05)
    assert thread.is_alive()
