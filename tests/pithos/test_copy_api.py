"""Copy, move, partial updates, deletes and what they charge (object-storage contract 8-10, 17)."""

from __future__ import annotations

import json

import pytest

from astakos.models import Resource

pytestmark = pytest.mark.db


@pytest.fixture
def tree(maria, small_blocks):
    maria.put("other")
    for name in ("d", "d/1", "d/2/3", "dx"):
        maria.put(f"docs/{name}", name.encode() * 5, x_object_meta_name=name)
    return maria


def copy(person, path: str, target: str, **options):
    return person.call("COPY", path, type=options.pop("type", ""), destination=target, **options)


def move(person, path: str, target: str, **options):
    return person.call("MOVE", path, type=options.pop("type", ""), destination=target, **options)


def test_a_copy_is_a_new_object_with_the_same_data(tree):
    source = tree.head("docs/d")
    response = copy(tree, "docs/d", "/other/c", x_object_meta_more="1")
    assert response.status_code == 201
    assert response["Content-Type"] == "application/json; charset=UTF-8"
    target = tree.head("other/c")
    assert target["X-Object-Hash"] == source["X-Object-Hash"]
    assert target["X-Object-UUID"] != source["X-Object-UUID"]
    assert (target["X-Object-Meta-Name"], target["X-Object-Meta-More"]) == ("d", "1")
    assert response["X-Object-Version"] == target["X-Object-Version"]
    assert (
        copy(tree, "docs/d", "/other/c", query="format=xml")["Content-Type"]
        == "application/xml; charset=UTF-8"
    )


def test_a_move_keeps_the_id_and_charges_nothing(tree):
    used, uuid = tree.usage(), tree.head("docs/d")["X-Object-UUID"]
    assert move(tree, "docs/d", "/other/m").status_code == 201
    assert tree.head("other/m")["X-Object-UUID"] == uuid
    assert tree.head("docs/d").status_code == 404
    assert tree.usage() == used


def test_moving_onto_an_object_frees_what_it_replaces(tree):
    tree.put("other/old", b"x" * 100)
    used = tree.usage()
    move(tree, "docs/d", "/other/old")
    assert tree.usage() == used - 100


def test_a_delimiter_takes_everything_below_along(tree):
    assert copy(tree, "docs/d", "/other/e", query="delimiter=/", x_object_meta_main="1").status_code == 201
    assert tree.names("other") == ["e", "e/1", "e/2/3"]
    assert "X-Object-Meta-Main" not in tree.head("other/e/1")
    assert move(tree, "docs/d", "/docs/f", query="delimiter=/").status_code == 201
    assert tree.names("docs") == ["dx", "f", "f/1", "f/2/3"]


def test_put_with_copy_and_move_headers(tree):
    assert tree.put("other/a", x_copy_from="/docs/d", type="text/html").status_code == 201
    assert tree.head("other/a")["Content-Type"] == "text/html"
    assert tree.put("other/b", x_move_from="/docs/dx", query="ignore_content_type").status_code == 201
    assert tree.head("docs/dx").status_code == 404
    assert tree.put("other/b", x_copy_from="nonsense").status_code == 400


def test_a_deleted_object_is_restored_from_its_version(tree):
    version = tree.head("docs/d")["X-Object-Version"]
    tree.delete("docs/d")
    assert copy(tree, "docs/d", "/docs/d", x_source_version=version).status_code == 201
    assert tree.read("docs/d") == b"ddddd"


def test_copying_onto_itself_changes_the_type_and_keeps_the_id(tree):
    uuid = tree.head("docs/d")["X-Object-UUID"]
    copy(tree, "docs/d", "/docs/d", type="text/x-new")
    head = tree.head("docs/d")
    assert (head["Content-Type"], head["X-Object-UUID"]) == ("text/x-new", uuid)
    assert move(tree, "docs/d", "/docs/d").status_code == 201
    assert tree.read("docs/d") == b"ddddd"


def test_targets_that_cannot_be(tree, nikos):
    assert copy(tree, "docs/d", "/nowhere/x").status_code == 404
    assert copy(tree, "docs/d", "/docs/x", destination_account="nobody").status_code == 404
    assert copy(tree, "docs/d", "/own/x", destination_account=nikos.uuid).status_code == 403
    assert copy(tree, "docs/none", "/docs/x").status_code == 404
    assert copy(tree, "docs/d", "").status_code == 400
    assert move(nikos, "docs/d", "/own/x", account=tree.uuid).status_code == 403


def test_a_copy_from_another_account_is_charged_and_owned(tree, nikos):
    tree.post("docs/d/2/3", type="", query="update", x_object_sharing="read=*")
    assert copy(nikos, "docs/d/2/3", "/own/mine", account=tree.uuid).status_code == 201
    assert nikos.usage() == 25
    assert nikos.put_hashmap("own/again", b"d/2/3" * 5, 8).status_code == 201


def test_conditions_of_a_copy_are_those_of_the_source(tree):
    tag = tree.head("docs/d")["ETag"]
    assert copy(tree, "docs/d", "/docs/x", if_match=tag).status_code == 201
    assert copy(tree, "docs/d", "/docs/x", if_none_match=tag).status_code == 412
    assert copy(tree, "docs/d", "/docs/x", if_match="other").status_code == 412


def test_appending_overwriting_and_truncating(maria, small_blocks):
    maria.put("docs/x", b"0123456789", type="text/plain")
    assert maria.post("docs/x", b"abc", content_range="bytes */*").status_code == 204
    assert maria.read("docs/x") == b"0123456789abc"
    assert maria.post("docs/x", b"XY", content_range="bytes 7-8/*", query="update").status_code == 204
    assert maria.read("docs/x") == b"0123456XY9abc"
    assert maria.usage() == 13
    truncate = {"content_range": "bytes 0-4/*", "x_object_bytes": "4", "x_source_object": "/docs/x"}
    assert maria.post("docs/x", type="text/plain", query="update", **truncate).status_code == 204
    assert maria.read("docs/x") == b"0123"
    assert maria.usage() == 4
    maria.put("docs/fresh", b"0123")
    assert maria.head("docs/x")["X-Object-Hash"] == maria.head("docs/fresh")["X-Object-Hash"]
    assert maria.head("docs/x")["Content-Type"] == "text/plain"


@pytest.mark.parametrize(
    ("content_range", "status"),
    [
        (None, 400), ("bytes 11-12/*", 416), ("bytes 4-2/*", 416), ("junk", 416), ("bytes 0-4/*", 400),
        ("bytes 0-1/9", 416), ("bytes 9-10/11", 416), ("bytes 9-/10", 416),
    ],
)  # fmt: skip
def test_wrong_partial_updates(maria, content_range, status):
    maria.put("docs/x", b"0123456789")
    headers = {} if content_range is None else {"content_range": content_range}
    assert maria.post("docs/x", b"ab", **headers).status_code == status
    assert maria.read("docs/x") == b"0123456789"


def test_data_from_another_object(maria, nikos, small_blocks):
    maria.put("docs/x", b"hello")
    maria.put("docs/y", b"1234567890")
    version = maria.head("docs/y")["X-Object-Version"]
    maria.put("docs/y", b"other")
    source = {"x_source_object": "/docs/y", "x_source_version": version}
    assert maria.post("docs/x", type="", content_range="bytes 1-3/*", **source).status_code == 204
    assert maria.read("docs/x") == b"h123o"
    source = {"x_source_object": "/docs/y", "x_source_account": nikos.uuid}
    assert maria.post("docs/x", type="", content_range="bytes 9-/*", **source).status_code == 416
    assert maria.post("docs/x", type="", content_range="bytes 1-/*", **source).status_code == 403
    assert maria.post("docs/none", b"x", content_range="bytes */*").status_code == 404


def test_deleting(tree):
    used = tree.usage()
    assert tree.delete("docs/dx").status_code == 204
    assert tree.usage() == used - 10
    assert tree.delete("docs/dx").status_code == 404
    assert tree.delete("docs/d", query="until=1000000").status_code == 204
    assert tree.delete("docs/d", query="until=17.5&delimiter=/").status_code == 204
    assert tree.names("docs") == []
    assert tree.usage() == 0


def test_purging_an_object(tree):
    assert tree.delete("docs/d", query="until=4000000000").status_code == 204
    assert tree.head("docs/d").status_code == 404
    assert tree.get("docs/d", query="version=list").status_code == 404
    assert tree.head("docs")["X-Container-Object-Count"] == "3"
    tree.put("docs/d", b"new")
    assert tree.read("docs/d") == b"new"


def test_history_is_kept_or_not_by_policy_and_never_charged(maria):
    maria.put("none", x_container_policy_versioning="none")
    for container in ("docs", "none"):
        for size in (5, 7, 3):
            maria.put(f"{container}/x", b"x" * size)
    assert maria.usage() == 6
    assert len(json.loads(maria.get("docs/x", query="version=list").content)["versions"]) == 3
    assert len(json.loads(maria.get("none/x", query="version=list").content)["versions"]) == 1


def test_history_is_charged_where_the_settings_say_so(maria, settings):
    settings.PITHOS_BACKEND_FREE_VERSIONING = False
    for size in (5, 7, 3):
        maria.put("docs/x", b"x" * size)
    assert maria.usage() == 15
    maria.delete("docs/x")
    assert maria.usage() == 15
    maria.delete("docs")
    assert maria.usage() == 0


def test_over_quota_is_413_and_changes_nothing(registered, make_user):
    Resource.objects.filter(name="pithos.diskspace").update(uplimit=10)
    poor = make_user("poor")
    poor.put("c")
    assert poor.put("c/x", b"x" * 8).status_code == 201
    response = poor.put("c/y", b"y" * 3)
    assert response.status_code == 413
    fault = json.loads(response.content)["fault"]
    assert fault["code"] == 413
    assert isinstance(fault["details"], str)
    assert "3" in fault["details"]
    assert poor.head("c/y").status_code == 404
    assert poor.usage() == 8
    assert copy(poor, "c/x", "/c/z").status_code == 413
    assert poor.put("c/x", b"x" * 10).status_code == 201


def test_the_containers_own_quota(maria):
    maria.put("small", x_container_policy_quota="10")
    assert maria.put("small/x", b"x" * 8).status_code == 201
    response = maria.put("small/y", b"y" * 3)
    assert response.status_code == 413
    assert "requestEntityTooLarge" in json.loads(response.content)
    assert maria.usage() == 8
    assert maria.names("small") == ["x"]
