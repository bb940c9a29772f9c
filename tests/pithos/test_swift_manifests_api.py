"""Static manifests in static manifests (object-storage contract 22.2)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from pithos.api.swift import writes
from pithos.logic import static_manifests
from tests.pithos.conftest import Person, body_of
from tests.pithos.test_swift_api import Swift, manifest, md5

pytestmark = [pytest.mark.db, pytest.mark.django_db]
PUT = "multipart-manifest=put"


@pytest.fixture(autouse=True)
def blocks(kept_blocks: Path) -> Path:
    return kept_blocks


@pytest.fixture(scope="module")
def swift(kept_people: list[Person], kept_blocks: Path) -> Swift:
    """An account with a container that has three segments and two manifests, one of which lists the other."""
    found = Swift(kept_people[0])
    found.put("c")
    for name, data in (("s1", b"aaaa"), ("s2", b"bbbb"), ("s3", b"cccc")):
        found.put(f"c/{name}", data)
    inner = [{"path": "/c/s1"}, {"path": "/c/s2", "range": "1-2"}]
    found.put("c/inner", manifest(*inner), query=PUT)
    outer = [{"path": "/c/s3"}, {"path": "/c/inner"}, {"path": "/c/inner", "range": "3-4"}]
    found.put("c/outer", manifest(*outer), query=PUT)
    return found


def etag_of_inner() -> str:
    return md5(f"{md5(b'aaaa')}{md5(b'bbbb')}:1-2;".encode())


def test_what_manifests_in_a_manifest_list_is_sent(swift: Swift) -> None:
    get = swift("GET", "c/outer")
    assert body_of(get) == b"cccc" + b"aaaabb" + b"ab"
    etag = md5(f"{md5(b'cccc')}{etag_of_inner()}{etag_of_inner()}:3-4;".encode())
    assert get["ETag"] == f'"{etag}"' and get["Content-Length"] == "12"


@pytest.mark.parametrize(("span", "data"), [("2-5", b"ccaa"), ("9-10", b"ba"), ("-1", b"b")])
def test_ranges_go_through_them(swift: Swift, span: str, data: bytes) -> None:
    assert body_of(swift("GET", "c/outer", range=f"bytes={span}")) == data


def test_what_is_copied_of_a_manifest_has_a_limit(swift: Swift, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writes, "MAX_BODY", 5)
    assert swift("COPY", "c/inner", destination="c/flat").status_code == 413
    assert swift("COPY", "c/inner", destination="c/flat", range="bytes=1-5").status_code == 201


def test_a_manifest_among_segments_is_held_to_what_it_sends(swift: Swift) -> None:
    good = {"path": "/c/inner", "etag": etag_of_inner(), "size_bytes": 6}
    swift.put("c/o", manifest(good), query=PUT)
    for wrong in ({"size_bytes": 5}, {"etag": md5(b"x")}):
        assert swift("PUT", "c/o", manifest(good | wrong), query=PUT).status_code == 400
    raw = swift("GET", "c/o", query="multipart-manifest=get&format=raw").json()
    assert raw == [good | {"sub_slo": True}]


def inline(data: bytes) -> dict[str, str]:
    return {"data": base64.b64encode(data).decode()}


def test_a_manifest_may_have_data_of_its_own(swift: Swift) -> None:
    lines = [inline(b"<<"), {"path": "/c/s1", "etag": md5(b"aaaa"), "size_bytes": 4}, inline(b">>\0")]
    put = swift.put("c/o", manifest(*lines), query=PUT)
    assert put["ETag"] == f'"{md5((md5(b"<<") + md5(b"aaaa") + md5(bytes([62, 62, 0]))).encode())}"'
    assert body_of(swift("GET", "c/o")) == b"<<aaaa>>\0"
    assert body_of(swift("GET", "c/o", range="bytes=1-6")) == b"<aaaa>"
    assert swift("GET", "c/o", query="multipart-manifest=get&format=raw").json() == lines
    assert swift("GET", "c/o", query="multipart-manifest=get").json()[::2] == lines[::2]
    swift.put("c/above", manifest({"path": "/c/o", "range": "1-2"}, inline(b"!")), query=PUT)
    assert body_of(swift("GET", "c/above")) == b"<a!"
    assert swift("COPY", "c/above", destination="c/flat").status_code == 201
    assert body_of(swift("GET", "c/flat")) == b"<a!"
    answer = swift("DELETE", "c/above", query="multipart-manifest=delete", accept="application/json")
    assert answer.json()["Number Deleted"] == 3


@pytest.mark.parametrize(
    "lines",
    [
        [{"data": ""}, {"path": "/c/s1"}],
        [{"data": "????"}, {"path": "/c/s1"}],
        [{"data": 5}, {"path": "/c/s1"}],
        [{"data": "YQ==", "path": "/c/s1"}, {"path": "/c/s1"}],
        [{"data": "YQ=="}],
    ],
)
def test_data_in_a_manifest_has_a_form(swift: Swift, lines: list[dict[str, Any]]) -> None:
    assert swift("PUT", "c/o", manifest(*lines), query=PUT).status_code == 400


def test_data_in_manifests_has_a_limit(swift: Swift, monkeypatch: Any) -> None:
    monkeypatch.setattr(static_manifests, "MAX_INLINE", 5)
    swift.put("c/o", manifest(inline(b"123"), {"path": "/c/s1"}), query=PUT)
    answer = swift("PUT", "c/above", manifest(inline(b"123"), {"path": "/c/o"}), query=PUT)
    assert answer.status_code == 409


def test_a_changed_segment_breaks_all_manifests_above_it(swift: Swift) -> None:
    swift.put("c/s2", b"new!")
    assert swift("GET", "c/outer").status_code == 409
    answer = swift("PUT", "c/again", manifest({"path": "/c/outer"}), query=PUT)
    assert answer.status_code == 400 and b"/c/outer: 409 Conflict" in answer.content


@pytest.mark.parametrize("name", ["outer", "inner"])
def test_no_manifest_contains_itself(swift: Swift, name: str) -> None:
    answer = swift("PUT", f"c/{name}", manifest({"path": "/c/outer"}), query=PUT)
    assert answer.status_code == 409
    assert len(body_of(swift("GET", "c/outer"))) == 12


def test_nesting_and_its_width_have_limits(swift: Swift, monkeypatch: Any) -> None:
    monkeypatch.setattr(static_manifests, "MAX_DEPTH", 2)
    swift.put("c/third", manifest({"path": "/c/outer"}), query=PUT)
    assert swift("PUT", "c/fourth", manifest({"path": "/c/third"}), query=PUT).status_code == 409
    monkeypatch.setattr(static_manifests, "MAX_NESTED", 4)
    assert swift("GET", "c/outer").status_code == 409


def test_doubling_manifests_send_no_endless_object(swift: Swift, monkeypatch: Any) -> None:
    monkeypatch.setattr(static_manifests, "MAX_NESTED", 40)
    before, statuses = "s1", []
    for step in range(6):
        body = manifest({"path": f"/c/{before}"}, {"path": f"/c/{before}"})
        statuses.append(swift("PUT", f"c/m{step}", body, query=PUT).status_code)
        before = f"m{step}"
    assert statuses == [201] * 5 + [409]


def test_a_broken_manifest_is_looked_into_once(swift: Swift) -> None:
    """Ten lists of a hundred would otherwise be looked into a hundred to the tenth times."""
    before = "s1"
    for step in range(4):
        swift.put(f"c/m{step}", manifest(*[{"path": f"/c/{before}", "range": "0-0"}] * 8), query=PUT)
        before = f"m{step}"
    swift("DELETE", "c/s1")
    entered: list[int] = []
    inside = static_manifests._Resolution.all_of

    def counted(self: Any, segments: Any, *, depth: int) -> Any:
        entered.append(depth)
        return inside(self, segments, depth=depth)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(static_manifests._Resolution, "all_of", counted)
        assert swift("GET", "c/m3").status_code == 409
    assert entered == [0, 1, 2, 3]


def test_who_reads_a_manifest_needs_rights_on_all_segments(swift: Swift, kept_people: list[Person]) -> None:
    swift("POST", "c", x_container_read=kept_people[1].uuid)
    swift.put("private")
    swift.put("private/s", b"secret")
    swift.put("c/hidden", manifest({"path": "/private/s"}), query=PUT)
    swift.put("c/open", manifest({"path": "/c/hidden"}), query=PUT)
    bob = Swift(kept_people[1], swift.account)
    assert body_of(bob("GET", "c/inner")) == b"aaaabb"
    assert bob("GET", "c/open").status_code == 403


def test_queries_grow_with_depth_not_width(swift: Swift, django_assert_max_num_queries: Any) -> None:
    lines = [{"path": "/c/inner"}] * 50
    swift.put("c/wide", manifest(*lines), query=PUT)
    with django_assert_max_num_queries(9):
        assert len(body_of(swift("GET", "c/wide"))) == 300


def test_deleting_with_segments_takes_those_of_manifests_too(swift: Swift) -> None:
    deleted = swift("DELETE", "c/outer", query="multipart-manifest=delete", accept="application/json")
    assert json.loads(deleted.content)["Number Deleted"] == 5 and swift.names("c") == []
