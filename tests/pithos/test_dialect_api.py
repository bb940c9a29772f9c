"""Rules of the dialect that clients lean on, one by one (object-storage contract 2, 6, 7, 9, 12-14)."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from django.test import Client

from tests.pithos.conftest import ROOT, body_of

pytestmark = pytest.mark.db

DAY = "Sun, 09 Sep 2035 01:46:40 GMT"
ASCTIME = "Sun Sep  9 01:46:40 2001"


@pytest.fixture
def tree(maria):
    """A folder, two objects in it, of which one is published and one shared, and one beside it."""
    maria.put("docs/f", type="application/directory", x_object_sharing="read=*")
    maria.put("docs/f/1", b"1", x_object_public="true")
    maria.put("docs/f/2", b"2")
    maria.put("docs/g/3", b"3", x_object_public="true")
    maria.put("docs/h", b"4")
    return maria


def test_published_objects_are_listed_whatever_the_delimiter(tree):
    assert tree.names("docs", "public&delimiter=/") == ["f/1", "g/3"]
    assert tree.names("docs", "shared&delimiter=/") == ["f", "f/"]
    assert tree.names("docs", "shared&public&delimiter=/") == ["f", "f/", "f/1", "g/3"]
    assert tree.names("docs", "shared&public&delimiter=/&limit=1&marker=f/") == ["f/1"]
    assert tree.names("docs", "shared&public&prefix=f") == ["f", "f/1", "f/2"]


def test_only_the_owner_lists_what_is_published(tree, nikos):
    assert nikos.get("docs", account=tree.uuid, query="public").status_code == 403
    assert nikos.get(account=tree.uuid, query="public").status_code == 403
    assert nikos.names("docs", account=tree.uuid) == ["f", "f/1", "f/2"]
    assert nikos.names("docs", "delimiter=/", account=tree.uuid) == ["f", "f/"]
    assert nikos.get("docs", account=tree.uuid, query="prefix=g").status_code == 403


def test_account_listings_are_filtered_and_paged(tree, nikos):
    for name in ("a", "z"):
        tree.put(name)
    assert tree.names("", "shared") == tree.names("", "public") == ["docs"]
    assert tree.names("", "limit=1&marker=a") == ["docs"]
    assert tree.names("", "marker=z") == []
    assert nikos.names("", account=tree.uuid) == ["docs"]
    (entry,) = json.loads(nikos.get(account=tree.uuid, query="format=json").content)
    assert entry.keys() == {"name", "last_modified"}
    xml = tree.get(query="format=xml").content.decode()
    assert f'<account name="{tree.uuid}">' in xml
    assert "<x_container_policy><key>quota</key><value>0</value>" in xml


def test_sharing_accounts_are_paged(tree, nikos, make_user):
    other = make_user("other")
    other.put("c")
    other.put("c/x", b"x", x_object_sharing=f"read={nikos.uuid}")
    first, second = sorted([tree.uuid, other.uuid])

    def top(query: str) -> list[str]:
        reply = nikos.client.get(f"{ROOT}/?format=json&{query}", headers={"X-Auth-Token": nikos.token})
        return [entry["name"] for entry in json.loads(reply.content)]

    assert top("") == [first, second]
    assert top("limit=1") == [first]
    assert top(f"marker={first}") == [second]
    text = nikos.client.get(ROOT, headers={"X-Auth-Token": nikos.token})
    assert text.content.decode() == f"{first}\n{second}\n"
    xml = nikos.client.get(f"{ROOT}?format=xml", headers={"X-Auth-Token": nikos.token})
    assert f"<account>\n<name>{first}</name>" in xml.content.decode()
    assert tree.client.get(ROOT, headers={"X-Auth-Token": tree.token}).status_code == 204


def test_fault_format_is_asked_for_and_not_guessed_from_the_name(maria):
    assert maria.get("docs/none.xml")["Content-Type"] == "application/json; charset=UTF-8"
    reply = maria.get("docs/none", query="format=xml")
    assert reply["Content-Type"] == "application/xml; charset=UTF-8"
    assert b"<itemNotFound" in reply.content
    assert maria.get("docs/none", accept="application/xml")["Content-Type"].startswith("application/xml")
    assert maria.head("docs/none").content == b""
    for reply in (maria.head(), maria.get("docs/none"), maria.put("docs/x", b"")):
        assert {"Expires", "Vary", "Cache-Control"} <= reply.headers.keys()


def test_unsatisfiable_ranges_tell_the_size_and_304_the_time(maria):
    maria.put("docs/x", b"12345")
    reply = maria.get("docs/x", range="bytes=0-5")
    assert (reply.status_code, reply["Content-Range"]) == (416, "bytes */5")
    maria.put("docs/empty", b"")
    assert maria.get("docs/empty", range="bytes=0-0").status_code == 416
    for path in ("", "docs", "docs/x"):
        reply = maria.get(path, if_modified_since=DAY)
        assert (reply.status_code, reply.content) == (304, b"")
        assert reply["Last-Modified"] == maria.head(path)["Last-Modified"]
        assert "Content-Type" not in reply
        assert maria.head(path, if_unmodified_since=ASCTIME).status_code == 412
        assert maria.head(path, if_unmodified_since="1417432542.0").status_code in (200, 204)
    tag = maria.head("docs/x")["ETag"]
    reply = maria.get("docs/x", if_none_match=f'"{tag}"')
    assert (reply.status_code, reply["ETag"]) == (304, tag)


def test_conditions_hold_on_every_verb(maria):
    maria.put("docs/x", b"12345")
    tag = maria.head("docs/x")["ETag"]
    for method, headers in {
        "PUT": {},
        "POST": {"x_object_meta_a": "1"},
        "COPY": {"destination": "/docs/y"},
        "MOVE": {"destination": "/docs/z"},
    }.items():
        for condition in ({"if_match": "other"}, {"if_none_match": tag}, {"if_none_match": "*"}):
            reply = maria.call(method, "docs/x", b"", type="", **headers, **condition)
            assert reply.status_code == 412, (method, condition)
    assert maria.put("docs/new", b"", if_match="*").status_code == 412
    assert maria.put("docs/x", b"n", x_copy_from="/docs/x", if_match=f'"a", "{tag}"').status_code == 201
    append = {"content_range": "bytes */*", "if_match": tag}
    assert maria.post("docs/x", b"6", **append).status_code == 204
    assert maria.post("docs/x", b"7", **append).status_code == 412
    assert maria.head("docs/x", if_match=tag).status_code == 412


def test_a_public_link_gives_the_object_of_now_and_nothing_else(tree, client):
    tree.post("docs/f/1", query="update", type="", content_disposition="attachment")
    old = tree.head("docs/f/1")["X-Object-Version"]
    tree.put("docs/f/1", b"0123456789")
    url = tree.head("docs/f/1")["X-Object-Public"].partition("/pithos/")[2]
    reply = client.get(f"/pithos/{url}/?version={old}&hashmap", headers={"Range": "bytes=2-3"})
    assert (reply.status_code, body_of(reply)) == (206, b"23")
    assert not [name for name in reply.headers if name.lower().startswith("x-object-")]
    head = client.head(f"/pithos/{url}")
    assert (head.status_code, head["Content-Length"]) == (200, "10")
    assert client.get(f"/pithos/{url}", headers={"Range": "bytes=0-10"}).status_code == 416
    several = client.get(f"/pithos/{url}", headers={"Range": "bytes=0-0,-1"})
    assert several["Content-Type"].startswith("multipart/byteranges; boundary=")
    assert client.get(f"/pithos/{url}", headers={"If-None-Match": head["ETag"]}).status_code == 304
    assert client.post(f"/pithos/{url}").status_code == 405
    tree.delete("docs/f/1")
    assert client.get(f"/pithos/{url}").status_code == 404


def test_a_published_manifest_sends_published_segments_only(maria, client: Client):
    maria.put("docs/m", b"", x_object_manifest="docs/m/", x_object_public="true")
    maria.put("docs/m/1", b"a", x_object_public="true")
    maria.put("docs/m/2", b"b", x_object_sharing="read=*")
    url = "/pithos/" + maria.head("docs/m")["X-Object-Public"].partition("/pithos/")[2]
    assert body_of(client.get(url)) == b"ab"
    assert body_of(client.get(url, headers={"Range": "bytes=1-1"})) == b"b"
    maria.put("docs/m/3", b"c")
    assert client.get(url).status_code == 404
    assert maria.read("docs/m") == b"abc"


def test_manifests_that_lead_nowhere(maria):
    maria.put("docs/none", b"", x_object_manifest="docs/nothing")
    assert maria.read("docs/none") == b""
    maria.put("docs/lost", b"", x_object_manifest="nowhere/x")
    assert maria.get("docs/lost").status_code == 404
    maria.put("docs/bad", b"", x_object_manifest="nowhere")
    assert (maria.head("docs/bad").status_code, maria.get("docs/bad").status_code) == (200, 400)


def test_truncating_as_kamaki_does_it(maria, small_blocks):
    maria.put("docs/x", b"0123456789abcdef", type="text/plain", x_object_meta_a="1")
    length = 9

    def truncate(length: int):
        return maria.post(
            "docs/x", type="text/plain", query="update&format=json", content_range=f"bytes 0-{length}/*",
            x_object_bytes=str(length), x_source_object="/docs/x",
        )  # fmt: skip

    assert truncate(length).status_code == 204
    head = maria.head("docs/x")
    assert maria.read("docs/x") == b"012345678"
    assert (head["Content-Type"], head["X-Object-Meta-A"]) == ("text/plain", "1")
    maria.put("docs/fresh", b"012345678")
    assert head["X-Object-Hash"] == maria.head("docs/fresh")["X-Object-Hash"]
    assert truncate(9).status_code == 400
    assert maria.post("docs/x", b"x", content_range="bytes 0-0/*", x_object_bytes="-1").status_code == 400


def test_checks_of_a_data_update_come_in_their_order(maria, nikos):
    maria.put("docs/x", b"12345")
    foreign = {"x_source_object": "/own/y", "x_source_account": nikos.uuid}
    assert maria.post("docs/x", content_range="bytes 6-/*", **foreign).status_code == 416
    assert maria.post("docs/x", content_range="bytes 1-/*", **foreign).status_code == 403
    assert maria.post("docs/x", content_range="bytes 1-/*", x_source_object="own").status_code == 400
    assert maria.post("docs/x", content_range="bytes 1-/*", x_source_object="/docs/n").status_code == 404
    assert maria.post("docs/x", b"12", content_range="bytes 0-2/*").status_code == 400
    assert maria.post("docs/x", b"12").status_code == 400
    assert maria.post("docs/n", b"12", content_range="bytes */*").status_code == 404
    assert maria.post("docs/x", b"12", content_range="bytes 4-5/5").status_code == 416
    assert maria.read("docs/x") == b"12345"


def test_a_lone_tilde_is_an_empty_value_and_encoded_headers_are_decoded(maria, nikos):
    group = quote("φίλοι")
    assert maria.post(query="update", **{f"x_account_group_{group}": nikos.uuid}).status_code == 202
    assert maria.head()[f"X-Account-Group-{quote('Φίλοι')}"] == nikos.uuid
    maria.put("docs/x", b"x", x_object_meta_a="1", x_object_sharing=f"read={maria.uuid}%3A{group.upper()}")
    assert nikos.read("docs/x", account=maria.uuid) == b"x"
    assert maria.post(query="update", **{f"x_account_group_{group}": "~"}).status_code == 202
    assert nikos.get("docs/x", account=maria.uuid).status_code == 403
    assert maria.post("docs/x", query="update", type="", x_object_meta_a="~").status_code == 202
    assert "X-Object-Meta-A" not in maria.head("docs/x")
    assert maria.put("docs/x", b"x", x_object_meta_a="%ff").status_code == 400
    maria.put("docs/x", b"x", x_object_meta_a="a~b%2")
    assert maria.head("docs/x")["X-Object-Meta-A"] == "a~b%252"


def test_limits_of_names_and_values(maria):
    long = "x" * 257
    assert maria.put(long).status_code == 400
    assert maria.put("docs/x", b"", account=long).status_code == 400
    assert maria.put("docs/" + "é" * 1024, b"").status_code == 201
    assert maria.put("docs/" + "x" * 1025, b"").status_code == 400
    for headers in (
        {"x_object_meta_a": long},
        {f"x_object_meta_{'a' * 115}": "1"},
        {"content_disposition": long},
        {"content_encoding": long},
        {"x_object_manifest": "docs/" + "x" * 4096},
        {"x_object_sharing": f"read={long}"},
        {f"x_object_meta_{n}": "1" for n in range(91)},
    ):
        assert maria.put("docs/y", b"", **headers).status_code == 400, next(iter(headers))
    assert maria.put("docs/y", b"", **{f"x_object_meta_{'a' * 114}": "x" * 256}).status_code == 201
    for headers in (
        {f"x_account_group_{'g' * 257}": maria.uuid},
        {"x_account_group_g": long},
        {f"x_account_meta_{n}": "1" for n in range(33)},
    ):
        assert maria.post(query="update", **headers).status_code == 400, next(iter(headers))
    assert "X-Account-Meta-1" not in maria.head()


def test_limits_of_groups_and_pages(maria, settings, client):
    settings.PITHOS_ACC_MAX_GROUPS = 2
    groups = {f"x_account_group_g{n}": maria.uuid for n in range(3)}
    assert maria.post(query="update", **groups).status_code == 400
    assert not [name for name in maria.head().headers if name.startswith("X-Account-Group")]
    settings.PITHOS_ACC_MAX_GROUP_MEMBERS = 1
    assert maria.post(query="update", x_account_group_g=f"{maria.uuid},{maria.uuid}").status_code == 202
    assert maria.post(query="update", x_account_group_g=f"{maria.uuid},other").status_code == 400
    maria.put("docs/a", b""), maria.put("docs/b", b"")
    settings.PITHOS_API_LIST_LIMIT = 1
    for limit in ("2", "0", "-1", "x", ""):
        assert maria.get("docs", query=f"limit={limit}").content == b"a\n", limit
    page = client.get("/pithos/nothing/here")
    assert page.status_code == 404 and page["Content-Type"].startswith("text/html")


def test_a_form_with_the_token_in_its_address(maria, client):
    from django.core.files.uploadedfile import SimpleUploadedFile

    url = f"{ROOT}/{maria.uuid}/docs/form.txt?X-Auth-Token={maria.token}"
    file = SimpleUploadedFile("a.txt", b"from a form", content_type="text/x-form")
    reply = client.post(url, {"X-Object-Data": file})
    assert (reply.status_code, reply.content.decode()) == (201, reply["ETag"])
    assert maria.head("docs/form.txt")["Content-Type"] == "text/x-form"
    assert client.post(url, {"other": "x"}).status_code == 400
    assert client.post(url.partition("?")[0], {"other": "x"}).status_code == 401


def test_deletes_with_anything_but_whole_seconds_are_plain_deletes(maria):
    for until in ("1417432542.0", "docs", "-1", ""):
        maria.put("docs/x", b"x")
        assert maria.delete("docs/x", query=f"until={until}").status_code == 204
        assert maria.head("docs/x").status_code == 404
        assert maria.get("docs/x", query="version=list").status_code == 200
    maria.put("docs/x", b"x")
    assert maria.delete("docs/x", query="until=1000000").status_code == 204
    assert maria.head("docs/x").status_code == 200
    assert maria.delete("docs/never", query="until=1000000").status_code == 404
    assert maria.delete("docs", query="until=docs&delimiter=/").status_code == 204
    assert maria.get("docs", query="format=json").content == b"[]"
    assert maria.delete("docs", query="until=1417432542.5").status_code == 204
    assert maria.head("docs").status_code == 404


def test_writers_below_a_shared_folder_publish_but_do_not_share(maria, nikos):
    maria.put("docs/f", type="application/folder; x=y", x_object_sharing=f"write={nikos.uuid}")
    assert nikos.put("docs/f/new", b"12", account=maria.uuid, x_object_public="True").status_code == 201
    assert "X-Object-Public" in maria.head("docs/f/new")
    head = nikos.head("docs/f/new", account=maria.uuid)
    assert "X-Object-Public" not in head
    assert head["X-Object-Shared-By"] == f"{maria.uuid}/docs/f"
    assert head["X-Object-Allowed-To"] == "write"
    assert (maria.usage(), nikos.usage()) == (2, 0)
    assert nikos.put("docs/f/2", b"", account=maria.uuid, x_object_sharing="read=*").status_code == 403
    assert nikos.delete("docs/f/new", account=maria.uuid).status_code == 403
    assert nikos.put("docs/g", b"", account=maria.uuid).status_code == 403
    assert nikos.post("docs", b"block", account=maria.uuid).status_code == 403
    for method in ("PUT", "POST", "DELETE"):
        assert nikos.call(method, "docs", account=maria.uuid, type="").status_code == 403
    assert nikos.post(account=maria.uuid).status_code == 403
