"""Folders and parts of objects changed by several clients at once, with real threads on PostgreSQL."""

from __future__ import annotations

import pytest

from pithos.models import Statistics
from tests.markers import needs_postgres
from tests.pithos.conftest import Person
from tests.pithos.test_object_races import at_once, own_client

pytestmark = [pytest.mark.db, needs_postgres, pytest.mark.django_db(transaction=True)]


def move(person: Person, path: str, target: str) -> int:
    return own_client(person).call("MOVE", path, type="", destination=target, query="delimiter=/").status_code


@pytest.fixture
def folder(maria):
    maria.put("docs/f", type="application/directory")
    for number in range(20):
        maria.put(f"docs/f/{number}", b"x")
    return maria


def sums_are_exact(person: Person) -> None:
    for container in person.names(""):
        row = Statistics.objects.get(node__name=container, node__parent__name=person.uuid)
        names = person.names(container)
        assert (row.current_count, row.current_bytes) == (
            len(names),
            sum(int(person.head(f"{container}/{name}")["Content-Length"]) for name in names),
        )


def test_writes_to_different_parts_of_an_object_all_arrive(maria, small_blocks):
    maria.put("docs/x", b"." * 40)

    def write(number: int) -> int:
        first = number * 5
        reply = own_client(maria).post(
            "docs/x", bytes([65 + number]) * 5, content_range=f"bytes {first}-{first + 4}/*"
        )
        return reply.status_code

    assert at_once(*(lambda n=n: write(n) for n in range(8))) == [204] * 8
    assert maria.read("docs/x") == b"".join(bytes([65 + n]) * 5 for n in range(8))
    assert maria.usage() == 40


def test_a_truncation_does_not_bring_back_what_was_overwritten(maria, small_blocks):
    maria.put("docs/x", b"." * 40)

    def cut() -> int:
        reply = own_client(maria).post(
            "docs/x", type="text/plain", query="update", content_range="bytes 0-30/*", x_object_bytes="30",
            x_source_object="/docs/x",
        )  # fmt: skip
        return reply.status_code

    def write(number: int) -> int:
        reply = own_client(maria).post("docs/x", b"A", content_range=f"bytes {number}-{number}/*")
        return reply.status_code

    results = at_once(cut, *(lambda n=n: write(n) for n in range(6)))
    assert results == [204] * 7
    assert maria.read("docs/x") == b"A" * 6 + b"." * 24


def test_a_folder_is_moved_while_it_is_listed_and_filled(folder):
    seen: list[list[str]] = []

    def list_it() -> int:
        for _ in range(5):
            seen.append([n for n in own_client(folder).names("docs") if n[1:2] == "/" and n[2:].isdigit()])
        return 200

    def fill(number: int) -> int:
        return own_client(folder).put(f"docs/f/new{number}", b"x").status_code

    results = at_once(
        lambda: move(folder, "docs/f", "/docs/g"), list_it, *(lambda n=n: fill(n) for n in range(4))
    )
    assert results == [201, 200, 201, 201, 201, 201]
    assert all(len(names) == 20 and len({name[0] for name in names}) == 1 for names in seen)
    names = folder.names("docs")
    assert sorted(name[2:] for name in names if "/" in name) == sorted(
        [str(n) for n in range(20)] + [f"new{n}" for n in range(4)]
    )
    assert folder.usage() == 24
    sums_are_exact(folder)


def test_opposite_moves_of_folders_end(folder):
    folder.put("other")
    folder.put("other/g", b"")
    for number in range(20):
        folder.put(f"other/g/{number}", b"xy")
    results = at_once(
        lambda: move(folder, "docs/f", "/other/f"),
        lambda: move(folder, "other/g", "/docs/g"),
        lambda: own_client(folder).delete("docs", query="delimiter=/").status_code,
    )
    assert (results[1], results[2]) == (201, 204)
    assert results[0] in (201, 404)  # the folder may have been deleted before
    sums_are_exact(folder)
    assert folder.usage() == sum(
        int(folder.head(f"{container}/{name}")["Content-Length"])
        for container in ("docs", "other")
        for name in folder.names(container)
    )


def test_copies_never_pass_the_quota(registered, make_user):
    from astakos.models import Resource

    Resource.objects.filter(name="pithos.diskspace").update(uplimit=50)
    poor = make_user("poor")
    poor.put("c")
    for name in ("f", "f/1"):
        poor.put(f"c/{name}", b"x" * 5)

    def copy(number: int) -> int:
        client = own_client(poor)
        return client.call(
            "COPY", "c/f", type="", destination=f"/c/{number}", query="delimiter=/"
        ).status_code

    assert sorted(at_once(*(lambda n=n: copy(n) for n in range(6)))) == [201] * 4 + [413] * 2
    assert poor.usage() == 50
    sums_are_exact(poor)
