"""Writers at the same time, with real threads on PostgreSQL (object-storage contract 17.4)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest
from django.db import connection, connections
from django.test import Client

from pithos.logic.nodes import lock_container, lock_containers
from pithos.models import ContainerPolicy, Statistics, Version
from synnefo.db.locks import atomic
from tests.lab.instance import wait_until
from tests.markers import needs_postgres
from tests.pithos.conftest import Person

pytestmark = [pytest.mark.db, needs_postgres, pytest.mark.django_db(transaction=True)]


def at_once(*tasks: Callable[[], int]) -> list[int]:
    """Run all tasks at the same moment and return their results."""
    barrier = threading.Barrier(len(tasks))
    results: list[int] = [0] * len(tasks)

    def run(index: int) -> None:
        barrier.wait()
        try:
            results[index] = tasks[index]()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def own_client(person: Person) -> Person:
    return Person(person.uuid, person.token, Client())


def test_parallel_appends_all_arrive(maria, small_blocks):
    maria.put("docs/log", b"")
    pieces = [bytes([65 + i]) * 5 for i in range(8)]
    results = at_once(
        *(
            lambda piece=piece: (
                own_client(maria).post("docs/log", piece, content_range="bytes */*").status_code
            )
            for piece in pieces
        )
    )
    assert results == [204] * 8
    data = maria.read("docs/log")
    assert sorted(data[i : i + 5] for i in range(0, len(data), 5)) == pieces
    assert maria.usage() == 40


def test_parallel_overwrites_leave_one_object_and_exact_sums(maria):
    results = at_once(
        *(lambda size=size: own_client(maria).put("docs/x", b"x" * size).status_code for size in range(1, 9))
    )
    assert results == [201] * 8
    size = int(maria.head("docs/x")["Content-Length"])
    assert maria.usage() == size
    statistics = Statistics.objects.get(node__name="docs")
    assert (statistics.current_count, statistics.current_bytes) == (1, size)
    assert (statistics.history_count, statistics.history_bytes) == (7, 36 - size)
    assert Version.objects.filter(node__name="x").count() == 8


def test_only_one_of_many_creates_the_object(maria):
    results = at_once(
        *(lambda: own_client(maria).put("docs/x", b"x", if_none_match="*").status_code for _ in range(6))
    )
    assert sorted(results) == [201] + [412] * 5


def test_only_one_of_many_creates_the_container(maria):
    results = at_once(*(lambda: own_client(maria).put("new").status_code for _ in range(6)))
    assert sorted(results) == [201] + [202] * 5


def test_moves_across_two_containers_in_both_directions_do_not_deadlock(maria):
    maria.put("other")
    for number in range(4):
        maria.put(f"docs/{number}", b"abc")
        maria.put(f"other/{number}x", b"abc")

    def move(path: str, target: str) -> int:
        return own_client(maria).call("MOVE", path, type="", destination=target).status_code

    results = at_once(
        *(lambda n=n: move(f"docs/{n}", f"/other/{n}") for n in range(4)),
        *(lambda n=n: move(f"other/{n}x", f"/docs/{n}x") for n in range(4)),
    )
    assert results == [201] * 8
    assert maria.usage() == 24


def test_uploads_never_pass_the_quota(registered, make_user):
    from astakos.models import Resource

    Resource.objects.filter(name="pithos.diskspace").update(uplimit=30)
    poor = make_user("poor")
    poor.put("c")
    results = at_once(*(lambda n=n: own_client(poor).put(f"c/{n}", b"x" * 10).status_code for n in range(8)))
    assert sorted(results) == [201] * 3 + [413] * 5
    assert poor.usage() == 30
    assert len(json.loads(poor.get("c", query="format=json").content)) == 3


def test_a_container_is_not_deleted_under_an_upload(maria):
    results = at_once(
        lambda: own_client(maria).put("docs/x", b"x").status_code,
        lambda: own_client(maria).delete("docs").status_code,
    )
    assert results in ([201, 409], [404, 204])
    assert maria.usage() == (1 if results[0] == 201 else 0)


@pytest.mark.parametrize(
    "lock", [lock_container, lambda *place: lock_containers(place)[place]], ids=["one", "several"]
)
def test_who_waited_for_a_container_sees_the_policy_of_who_held_it(maria, lock):
    found: list[int] = []

    def wait() -> None:
        try:
            with atomic():
                found.append(lock(maria.uuid, "docs").policy.quota)
        finally:
            connections.close_all()

    thread = threading.Thread(target=wait)
    with atomic():
        container = lock_container(maria.uuid, "docs")
        thread.start()
        _until_somebody_waits()
        ContainerPolicy.objects.filter(node=container).update(quota=77)
    thread.join()
    assert found == [77]


def _until_somebody_waits() -> None:
    def waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
            )
            return bool(cursor.fetchone()[0])

    wait_until(waits, timeout=60, what="waiting for the lock", interval=0.01)
