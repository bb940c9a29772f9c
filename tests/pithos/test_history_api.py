"""Versions over an object's whole life, and what history costs (object-storage contract 7.4, 16, 17)."""

from __future__ import annotations

import json

import pytest

from pithos.models import Version

pytestmark = pytest.mark.db


def versions_of(person, path: str) -> list[tuple[int, str]]:
    reply = person.get(path, query="version=list")
    assert reply.status_code == 200
    return [(serial, moment) for serial, moment in json.loads(reply.content)["versions"]]


def copy(person, path: str, target: str, **headers: str):
    return person.call("COPY", path, type="", destination=target, **headers)


@pytest.fixture
def reborn(maria):
    """An object that was written, deleted and written again."""
    maria.put("docs/x", b"first")
    maria.delete("docs/x")
    maria.put("docs/x", b"second!", x_object_meta_color="red")
    return maria


def test_deletion_marks_are_no_versions(reborn):
    found = versions_of(reborn, "docs/x")
    assert len(found) == 2
    marks = Version.objects.filter(node__name="x", hash=None).values_list("pk", flat=True)
    assert len(marks) == 1
    assert reborn.get("docs/x", query=f"version={marks[0]}").status_code == 404
    assert reborn.read("docs/x", query=f"version={found[0][0]}") == b"first"


def test_the_past_shows_what_was_there_and_nothing_while_it_was_deleted(reborn):
    first, mark, second = (row.mtime.timestamp() for row in Version.objects.filter(node__name="x"))

    def at(moment: float, query: str = "") -> list[str]:
        return reborn.names("docs", f"until={moment + 0.000001:.6f}&{query}")

    assert at(first - 0.00001) == []
    assert at(first) == ["x"]
    assert at(mark) == []
    assert at(second, "meta=color") == ["x"]
    head = reborn.head("docs", query=f"until={mark + 0.000001:.6f}")
    assert (head["X-Container-Object-Count"], head["X-Container-Bytes-Used"]) == ("0", "0")
    (entry,) = json.loads(reborn.get(query=f"format=json&until={first + 0.000001:.6f}").content)
    assert (entry["count"], entry["bytes"]) == (1, 5)
    assert "x_container_until_timestamp" in entry


def test_the_past_can_be_narrowed_to_what_is_shared_now(reborn):
    reborn.put("docs/y", b"y")
    reborn.post("docs/y", query="update", type="", x_object_sharing="read=*")
    assert reborn.names("docs", "until=9999999999&shared") == ["y"]


def test_the_past_is_the_owners(reborn, nikos):
    reborn.post("docs/x", query="update", type="", x_object_sharing="read=*")
    for path in ("", "docs"):
        for method in ("HEAD", "GET"):
            reply = nikos.call(method, path, account=reborn.uuid, query="until=9999999999")
            assert reply.status_code == 403


def test_account_listings_of_the_past_cost_the_same_for_any_number(reborn, django_assert_max_num_queries):
    for number in range(8):
        reborn.put(f"c{number}")
    with django_assert_max_num_queries(22):
        assert len(json.loads(reborn.get(query="format=json&until=9999999999").content)) == 9


def test_without_versioning_nothing_stays(maria):
    maria.post("docs", query="update", type="", x_container_policy_versioning="none")
    maria.put("docs/x", b"1")
    maria.put("docs/x", b"22", x_object_meta_color="red")
    assert len(versions_of(maria, "docs/x")) == 1
    maria.call("MOVE", "docs/x", type="", destination="/docs/y")
    assert maria.head("docs/y")["X-Object-Meta-Color"] == "red"
    assert maria.get("docs/x", query="version=list").status_code == 404
    maria.delete("docs/y")
    assert maria.get("docs/y", query="version=list").status_code == 404
    assert maria.usage() == 0


def test_charged_history_is_freed_to_the_byte(maria, settings):
    settings.PITHOS_BACKEND_FREE_VERSIONING = False
    maria.put("docs/x", b"12345")
    maria.post("docs/x", query="update", type="", x_object_meta_color="red")
    assert maria.usage() == 5  # metadata costs nothing
    maria.put("docs/x", b"123")
    assert maria.usage() == 8
    maria.put("docs/x", b"123", x_object_meta_color="blue")
    assert maria.usage() == 8
    copy(maria, "docs/x", "/docs/y")
    assert maria.usage() == 11
    maria.call("MOVE", "docs/y", type="", destination="/docs/z")
    assert maria.usage() == 14  # the old place's history stays
    maria.delete("docs", query="delimiter=/")
    assert maria.usage() == 14
    maria.delete("docs/x", query="until=9999999999")
    assert maria.usage() == 6
    maria.delete("docs", query="until=9999999999")
    assert maria.usage() == 0
    maria.put("docs/x", b"123")
    maria.delete("docs/x")
    assert maria.delete("docs").status_code == 204
    assert maria.usage() == 0


def test_switching_the_policy_keeps_charged_history_exact(maria, settings):
    settings.PITHOS_BACKEND_FREE_VERSIONING = False
    maria.put("docs/x", b"12345")
    maria.post("docs/x", query="update", type="", x_object_meta_color="red")
    maria.post("docs", query="update", type="", x_container_policy_versioning="none")
    maria.put("docs/x", b"123")
    assert maria.usage() == 8  # the first version's data is no longer the next one's
    maria.delete("docs/x")
    assert maria.usage() == 5
    maria.delete("docs/x", query="until=9999999999")
    assert maria.usage() == 0


def test_a_version_is_restored_as_browsers_do_it(maria, small_blocks):
    maria.put("docs/x", b"0123456789")
    old = maria.head("docs/x")["X-Object-Version"]
    maria.put("docs/x", b"abc")
    source = {"x_source_object": "/docs/x", "x_source_version": old}
    assert maria.post("docs/x", content_range="bytes 0-/*", query="update", **source).status_code == 204
    assert maria.read("docs/x") == b"0123456789"
    copy(maria, "docs/x", "/docs/x", x_source_version=old, x_object_meta_color="red")
    assert maria.head("docs/x")["X-Object-Meta-Color"] == "red"
    assert copy(maria, "docs/x", "/docs/y", x_source_version="0").status_code == 404
    assert copy(maria, "docs/x", "/docs/y", x_source_version="abc").status_code == 404
