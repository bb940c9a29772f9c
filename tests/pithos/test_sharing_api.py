"""Grants, groups, public links (object-storage contract 12)."""

from __future__ import annotations

import json

import pytest

from tests.pithos.conftest import body_of

pytestmark = pytest.mark.db


def share(person, path: str, value: str):
    response = person.post(path, type="", query="update", x_object_sharing=value)
    assert response.status_code == 202, response.content
    return response


def test_a_reader_reads_and_does_not_write(maria, nikos):
    maria.put("docs/x", b"x", x_object_sharing=f"read={nikos.uuid}")
    assert nikos.read("docs/x", account=maria.uuid) == b"x"
    head = nikos.head("docs/x", account=maria.uuid)
    assert head["X-Object-Allowed-To"] == "read"
    assert head["X-Object-Sharing"] == f"read={nikos.uuid}"
    assert nikos.put("docs/x", b"y", account=maria.uuid).status_code == 403
    assert nikos.post("docs/x", type="", account=maria.uuid, x_object_meta_a="1").status_code == 403
    assert nikos.delete("docs/x", account=maria.uuid).status_code == 403


def test_a_writer_writes_on_the_owners_account(maria, nikos):
    maria.put("docs/x", b"x", x_object_sharing=f"write={nikos.uuid}")
    assert nikos.put("docs/x", b"longer", account=maria.uuid).status_code == 201
    assert maria.head("docs/x")["X-Object-Modified-By"] == nikos.uuid
    assert (maria.usage(), nikos.usage()) == (6, 0)
    assert nikos.put("docs/x", b"", account=maria.uuid, x_object_sharing="read=*").status_code == 403
    assert nikos.call("MOVE", "docs/x", account=maria.uuid, type="", destination="/own/x").status_code == 403


def test_the_header_is_normalised(maria):
    maria.put("docs/x", b"", x_object_sharing="read=U1,u2,accX:groupA; write=u2,u3")
    assert maria.head("docs/x")["X-Object-Sharing"] == "read=accx:groupa,u1; write=u2,u3"
    share(maria, "docs/x", "")
    assert "X-Object-Sharing" not in maria.head("docs/x")


@pytest.mark.parametrize("value", ["read=", "nobody", "read=a;own=b", "read=" + "x" * 257, ";"])
def test_wrong_sharing_is_a_bad_request(maria, value):
    assert maria.put("docs/x", b"", x_object_sharing=value).status_code == 400


def test_a_group_member_reads_while_he_is_a_member(maria, nikos):
    maria.post(type="", query="update", x_account_group_friends=nikos.uuid)
    maria.put("docs/x", b"x", x_object_sharing=f"read={maria.uuid}:friends")
    assert nikos.get("docs/x", account=maria.uuid).status_code == 200
    maria.post(type="", query="update", x_account_group_friends="~")
    assert nikos.get("docs/x", account=maria.uuid).status_code == 403


def test_a_directory_shares_what_is_below_and_the_closest_decides(maria, nikos):
    maria.put("docs/dir", b"", type="application/directory", x_object_sharing="write=*")
    maria.put("docs/dir/sub", b"", type="application/directory", x_object_sharing="read=*")
    maria.put("docs/dir/x", b"x")
    maria.put("docs/dir/sub/y", b"y")
    maria.put("docs/dirx", b"z")
    assert nikos.put("docs/dir/new", b"n", account=maria.uuid).status_code == 201
    assert nikos.put("docs/dir/sub/new", b"n", account=maria.uuid).status_code == 403
    assert nikos.read("docs/dir/sub/y", account=maria.uuid) == b"y"
    assert nikos.get("docs/dirx", account=maria.uuid).status_code == 403
    head = nikos.head("docs/dir/x", account=maria.uuid)
    assert head["X-Object-Shared-By"] == f"{maria.uuid}/docs/dir"
    assert nikos.names("docs", account=maria.uuid) == ["dir", "dir/new", "dir/sub", "dir/sub/y", "dir/x"]
    assert maria.names("docs", "shared") == ["dir", "dir/new", "dir/sub", "dir/sub/y", "dir/x"]


def test_a_plain_object_shares_nothing_below(maria, nikos):
    maria.put("docs/a", b"", x_object_sharing="read=*")
    maria.put("docs/a/b", b"")
    assert nikos.get("docs/a/b", account=maria.uuid).status_code == 403
    assert nikos.names("docs", account=maria.uuid) == ["a"]


def test_an_own_grant_overrides_the_directorys(maria, nikos):
    maria.put("docs/d", b"", type="application/directory", x_object_sharing="read=*")
    maria.put("docs/d/private", b"", x_object_sharing="read=somebody")
    assert nikos.get("docs/d/private", account=maria.uuid).status_code == 403
    assert nikos.names("docs", account=maria.uuid) == ["d"]


def test_others_see_accounts_and_containers_with_something_for_them(maria, nikos):
    url = "/pithos/object-store/v1"
    maria.put("hidden")
    maria.put("docs/x", b"", x_object_sharing=f"read={nikos.uuid}", x_object_meta_seen="1")
    maria.put("docs/y", b"", x_object_meta_unseen="1")
    top = nikos.client.get(url, {"format": "json"}, HTTP_X_AUTH_TOKEN=nikos.token)
    assert [item["name"] for item in json.loads(top.content)] == [maria.uuid]
    assert nikos.names("", account=maria.uuid) == ["docs"]
    head = nikos.head("docs", account=maria.uuid)
    assert head["X-Container-Object-Meta"] == "Seen"
    assert "X-Container-Bytes-Used" not in head
    assert nikos.head("hidden", account=maria.uuid).status_code == 403
    assert nikos.get("docs", account=maria.uuid, query="until=4000000000").status_code == 403
    assert nikos.get("docs", account=maria.uuid, query="public").status_code == 403
    assert maria.client.get(url, HTTP_X_AUTH_TOKEN=maria.token).status_code == 204


def test_existence_cannot_be_probed(maria, nikos):
    maria.put("docs/x", b"")
    for path in ("docs/x", "docs/y", "nowhere/z"):
        assert nikos.head(path, account=maria.uuid).status_code == 403


def test_grants_and_links_go_with_a_delete(maria, nikos):
    maria.put("docs/x", b"", x_object_sharing="read=*", x_object_public="true")
    maria.delete("docs/x")
    maria.put("docs/x", b"")
    head = maria.head("docs/x")
    assert "X-Object-Sharing" not in head
    assert "X-Object-Public" not in head


def test_publishing(maria, client):
    maria.put("docs/x", b"public text", type="text/plain", x_object_public="True", x_object_meta_secret="s")
    url = maria.head("docs/x")["X-Object-Public"]
    path = url.removeprefix("http://testserver")
    response = client.get(path)
    assert body_of(response) == b"public text"
    assert not [name for name in response.headers if name.startswith("X-Object-")]
    assert client.get(path, HTTP_RANGE="bytes=0-5").status_code == 206
    assert client.head(path)["Content-Length"] == "11"
    put = client.put(path)
    assert (put.status_code, put["Allow"]) == (405, "HEAD,GET")
    maria.put("docs/x", b"new", x_object_public="true")
    assert maria.head("docs/x")["X-Object-Public"] == url
    maria.post("docs/x", type="", query="update", x_object_public="false")
    assert client.get(path).status_code == 404
    maria.post("docs/x", type="", query="update", x_object_public="true")
    assert maria.head("docs/x")["X-Object-Public"] != url
    assert maria.post("docs/x", type="", query="update", x_object_public="maybe").status_code == 400
    assert client.get("/pithos/public/nothing").status_code == 404


def test_a_published_object_is_not_readable_through_the_account(maria, nikos):
    maria.put("docs/x", b"x", x_object_public="true")
    version = maria.head("docs/x")["X-Object-Version"]
    assert nikos.get("docs/x", account=maria.uuid).status_code == 403
    assert nikos.get("docs/x", account=maria.uuid, query=f"version={version}").status_code == 403
    assert nikos.put("own/x", b"", x_copy_from="/docs/x", x_source_account=maria.uuid).status_code == 403
    assert maria.names("docs", "public") == ["x"]


def test_sharing_alone_makes_no_version(maria):
    maria.put("docs/x", b"")
    before = maria.head("docs/x")["X-Object-Version"]
    assert "X-Object-Version" not in share(maria, "docs/x", "read=*")
    assert maria.head("docs/x")["X-Object-Version"] == before


def test_a_manifest_gives_no_access_to_segments(maria, nikos):
    maria.put("docs/part1", b"secret")
    maria.put(
        "docs/all", b"", x_object_manifest="docs/part", x_object_sharing="write=*", x_object_public="true"
    )
    assert nikos.get("docs/all", account=maria.uuid).status_code == 403
    path = maria.head("docs/all")["X-Object-Public"].removeprefix("http://testserver")
    assert nikos.client.get(path).status_code == 404
