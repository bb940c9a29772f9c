"""Versions of objects under the names of Swift's object versioning (object-storage contract 16, 22.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pithos.models import Grant, Node, Statistics
from tests.pithos.conftest import Person, body_of
from tests.pithos.test_swift_api import Swift, md5

pytestmark = [pytest.mark.db, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def blocks(kept_blocks: Path) -> Path:
    return kept_blocks


@pytest.fixture(scope="module")
def swift(kept_people: list[Person], kept_blocks: Path) -> Swift:
    """An account with a container that keeps versions: three of ``o``, and ``d/x`` that was deleted."""
    found = Swift(kept_people[0])
    found.put("c", x_versions_enabled="true")
    for number in range(3):
        found.put("c/o", b"v" * (number + 1), x_object_meta_number=str(number))
    found.put("c/d/x", b"gone")
    assert found("DELETE", "c/d/x").status_code == 204
    return found


def versions(swift: Swift, query: str = "") -> list[dict[str, Any]]:
    answer = swift("GET", "c", query=f"versions&format=json&{query}")
    assert answer.status_code == 200, answer.content
    return list(answer.json())


def ids(swift: Swift, name: str = "o") -> list[str]:
    return [item["version_id"] for item in versions(swift) if item.get("name") == name]


def test_all_versions_are_listed_newest_first(swift: Swift) -> None:
    found = versions(swift)
    assert [(item["name"], item["bytes"], item["is_latest"]) for item in found] == [
        ("d/x", 0, True), ("d/x", 4, False), ("o", 3, True), ("o", 2, False), ("o", 1, False),
    ]  # fmt: skip
    assert found[0]["content_type"] == "application/x-deleted;swift_versions_deleted=1"
    assert found[0]["hash"] == md5(b"") and found[3]["hash"] == md5(b"vv")
    assert swift("HEAD", "c/o")["X-Object-Version-Id"] == found[2]["version_id"]


@pytest.mark.parametrize("reverse", [False, True])
def test_pages_of_versions_make_up_the_whole(swift: Swift, reverse: bool) -> None:
    whole, pages, place = versions(swift, f"reverse={reverse}"), [], ""
    while page := versions(swift, f"limit=2&reverse={reverse}&{place}"):
        pages += page
        place = f"marker={page[-1]['name']}&version_marker={page[-1]['version_id']}"
    assert pages == whole and len(whole) == 5
    assert whole == (versions(swift)[::-1] if reverse else whole)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("delimiter=/", ["d/", "o", "o", "o"]), ("delimiter=/&reverse=true", ["o", "o", "o", "d/"]),
        ("prefix=d/", ["d/x", "d/x"]), ("end_marker=o", ["d/x", "d/x"]), ("marker=d/x", ["o", "o", "o"]),
        ("delimiter=/&limit=1&marker=d/", ["o"]), ("prefix=d/&reverse=1&end_marker=d", ["d/x", "d/x"]),
    ],
)  # fmt: skip
def test_versions_are_listed_with_swifts_parameters(swift: Swift, query: str, names: list[str]) -> None:
    assert [item.get("name") or item["subdir"] for item in versions(swift, query)] == names


@pytest.mark.parametrize("query", ["version_marker=3", "version_marker=x&marker=o"])
def test_a_version_marker_is_a_version_of_the_marker(swift: Swift, query: str) -> None:
    assert swift("GET", "c", query=f"versions&{query}").status_code == 400


def test_a_version_is_read_as_it_was(swift: Swift) -> None:
    _, second, _ = ids(swift)
    get = swift("GET", "c/o", query=f"version-id={second}")
    assert body_of(get) == b"vv" and get["X-Object-Meta-Number"] == "1"
    assert get["ETag"] == md5(b"vv") and get["X-Object-Version-Id"] == second
    mark = ids(swift, "d/x")[0]
    for name, version in (("o", "null"), ("o", "999999"), ("d/x", mark), ("d/x", second)):
        assert swift("GET", f"c/{name}", query=f"version-id={version}").status_code == 404


def test_a_version_is_brought_back_by_copying(swift: Swift) -> None:
    version = ids(swift, "d/x")[1]
    put = swift("COPY", "c/d/x", query=f"version-id={version}", destination="c/d/x")
    assert put.status_code == 201 and int(put["X-Object-Version-Id"]) > int(version)
    assert body_of(swift("GET", "c/d/x")) == b"gone"


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_version_is_never_changed(swift: Swift, method: str) -> None:
    assert swift(method, "c/o", b"x", query=f"version-id={ids(swift)[1]}").status_code == 400


def test_removing_an_old_version_leaves_the_others(swift: Swift) -> None:
    newest, second, oldest = ids(swift)
    assert swift("DELETE", "c/o", query=f"version-id={second}")["X-Object-Version-Id"] == second
    assert ids(swift) == [newest, oldest] and body_of(swift("GET", "c/o")) == b"vvv"
    assert swift("DELETE", "c/o", query=f"version-id={second}").status_code == 404


def test_removing_the_current_version_removes_the_object(swift: Swift) -> None:
    newest, second, oldest = ids(swift)
    before = swift.person.usage()
    assert swift("DELETE", "c/o", query=f"version-id={newest}").status_code == 204
    assert swift("GET", "c/o").status_code == 404 and swift.person.usage() == before - 3
    assert ids(swift)[1:] == [second, oldest]
    swift.put("c/o", b"new")
    assert body_of(swift("GET", "c/o")) == b"new"


def test_nothing_is_left_when_all_versions_are_removed(swift: Swift) -> None:
    swift.person.call("POST", "c/o", query="update", type="x/y", x_object_sharing="read=somebody")
    for item in versions(swift):
        gone = swift("DELETE", f"c/{item['name']}", query=f"version-id={item['version_id']}")
        assert gone.status_code == 204
    # Who removes several at once may come too late for the mark.
    assert swift("DELETE", "c/o", query=f"version-id={item['version_id']}").status_code == 204
    assert versions(swift) == [] and not Grant.objects.exists()
    container = Node.objects.get(name="c", parent__name=swift.account)
    sums = Statistics.objects.filter(node=container).values_list(
        "current_count", "current_bytes", "history_count", "history_bytes", "deleted_count"
    )
    assert sums[0] == (0, 0, 0, 0, 0) and swift.person.usage() == 0
    assert not Node.objects.filter(parent=container).exists()


def test_only_the_owner_sees_and_removes_history(swift: Swift, kept_people: list[Person]) -> None:
    bob = Swift(kept_people[1], swift.account)
    swift("POST", "c", x_container_read=bob.person.uuid, x_container_write=bob.person.uuid)
    version = ids(swift)[1]
    assert body_of(bob("GET", "c/o")) == b"vvv"
    assert bob("GET", "c", query="versions").status_code == 403
    assert bob("DELETE", "c/o", query=f"version-id={version}").status_code == 403


def test_a_page_of_versions_takes_as_many_queries_as_one(
    swift: Swift, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(6):
        assert len(versions(swift)) == 5
