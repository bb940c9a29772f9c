"""Objects through HTTP: write, read, ranges, conditions, versions (object-storage contract 7, 8)."""

from __future__ import annotations

import hashlib
import json

import pytest

from pithos.hashing import empty_digest
from tests.pithos.conftest import body_of

pytestmark = pytest.mark.db

TEXT = b"hello world, a little longer"


@pytest.fixture
def hello(maria, small_blocks):
    """Maria's object of several blocks."""
    assert maria.put("docs/hello", TEXT, type="text/plain").status_code == 201
    return maria


def test_a_written_object_is_read_back_with_its_type(hello):
    response = hello.get("docs/hello", query="format=json")
    assert response.status_code == 200
    assert body_of(response) == TEXT
    assert response["Content-Type"] == "text/plain"
    assert response["Content-Length"] == str(len(TEXT))
    assert response["Content-Disposition"] == 'inline; filename="hello"'


def test_a_write_answers_with_tag_version_and_json_type(maria):
    response = maria.put("docs/x", b"hello world")
    assert response.status_code == 201
    assert response["ETag"] == hashlib.sha256(b"hello world").hexdigest()
    assert response["X-Object-Version"].isdigit()
    assert response["Content-Type"] == "application/json; charset=UTF-8"
    assert response["Content-Length"] == "0"


def test_head_shows_the_same_headers_and_no_body(hello):
    response = hello.head("docs/hello")
    assert response.status_code == 200
    assert response.content == b""
    assert response["Content-Length"] == str(len(TEXT))
    assert response["X-Object-Modified-By"] == hello.uuid
    assert response["Available"] == "1"


def test_overwriting_keeps_the_id_and_makes_a_version(hello):
    before = hello.head("docs/hello")
    hello.put("docs/hello", b"new", x_object_meta_a="1")
    after = hello.head("docs/hello")
    assert after["X-Object-UUID"] == before["X-Object-UUID"]
    assert hello.read("docs/hello") == b"new"
    assert hello.read("docs/hello", query=f"version={before['X-Object-Version']}") == TEXT
    versions = json.loads(hello.get("docs/hello", query="version=list&format=json").content)["versions"]
    assert [version for version, _ in versions] == [
        int(before["X-Object-Version"]),
        int(after["X-Object-Version"]),
    ]
    assert all(float(moment) for _, moment in versions)


def test_a_new_object_after_a_delete_has_a_new_id(hello):
    before = hello.head("docs/hello")["X-Object-UUID"]
    assert hello.delete("docs/hello").status_code == 204
    assert hello.get("docs/hello").status_code == 404
    hello.put("docs/hello", b"again")
    assert hello.head("docs/hello")["X-Object-UUID"] != before


def test_the_etag_of_a_request_is_the_md5_of_the_data(maria):
    md5 = hashlib.md5(b"data").hexdigest()
    assert maria.put("docs/x", b"data", etag=f'"{md5}"').status_code == 201
    assert maria.put("docs/y", b"datb", etag=md5).status_code == 422
    assert maria.get("docs/y").status_code == 404


def test_an_empty_object_has_one_empty_block(maria):
    maria.put("docs/empty", b"")
    assert maria.read("docs/empty") == b""
    hashmap = json.loads(maria.get("docs/empty", query="hashmap").content)
    assert hashmap["hashes"] == [empty_digest().hex()]
    assert hashmap["bytes"] == 0


@pytest.mark.parametrize("data", [bytes(30), b"a" + bytes(20), bytes(8) + b"x", b"x" + bytes(7)])
def test_nuls_survive(maria, small_blocks, data):
    maria.put("docs/nuls", data)
    assert maria.read("docs/nuls") == data
    assert body_of(maria.get("docs/nuls", range=f"bytes=1-{len(data) - 1}")) == data[1:]


def test_a_single_range(hello):
    response = hello.get("docs/hello", range="bytes=6-18")
    assert response.status_code == 206
    assert body_of(response) == TEXT[6:19]
    assert response["Content-Range"] == f"bytes 6-18/{len(TEXT)}"
    assert response["Content-Length"] == "13"


def test_several_ranges_come_as_parts_with_two_header_lines(hello):
    response = hello.get("docs/hello", range="bytes=0-1,6-7")
    boundary = response["Content-Type"].partition("boundary=")[2]
    assert response.status_code == 206
    assert (
        body_of(response)
        == (
            f"--{boundary}\r\nContent-Range: bytes 0-1/28\r\nContent-Transfer-Encoding: binary\r\n\r\nhe\r\n"
            f"--{boundary}\r\nContent-Range: bytes 6-7/28\r\nContent-Transfer-Encoding: binary\r\n\r\nwo\r\n"
            f"--{boundary}--\r\n"
        ).encode()
    )


def test_a_range_beyond_the_end_is_416_and_a_malformed_one_ignored(hello):
    assert hello.get("docs/hello", range="bytes=0-28").status_code == 416
    assert hello.get("docs/hello", range="bytes=5").status_code == 200


def test_if_range_compares_tag_or_date(hello):
    head = hello.head("docs/hello")
    assert hello.get("docs/hello", range="bytes=0-1", if_range=f'"{head["ETag"]}"').status_code == 206
    assert hello.get("docs/hello", range="bytes=0-1", if_range=head["Last-Modified"]).status_code == 206
    assert hello.get("docs/hello", range="bytes=0-1", if_range="").status_code == 206
    assert hello.get("docs/hello", range="bytes=0-1", if_range="other").status_code == 200


def test_conditional_reads(hello):
    head = hello.head("docs/hello")
    tag, date = head["ETag"], head["Last-Modified"]
    assert hello.get("docs/hello", if_none_match=f'"{tag}"').status_code == 304
    assert hello.get("docs/hello", if_none_match=tag)["ETag"] == tag
    assert hello.get("docs/hello", if_match="other").status_code == 412
    assert hello.get("docs/hello", if_match=tag).status_code == 200
    assert hello.get("docs/hello", if_modified_since=date).status_code == 304
    assert hello.get("docs/hello", if_unmodified_since="Sun Sep  9 01:46:40 2001").status_code == 412
    assert hello.get("docs/hello", if_modified_since="1417432542.0").status_code == 200


def test_conditional_writes(hello):
    tag = hello.head("docs/hello")["ETag"]
    assert hello.put("docs/hello", b"x", if_none_match="*").status_code == 412
    assert hello.put("docs/hello", b"x", if_none_match=tag).status_code == 412
    assert hello.put("docs/other", b"x", if_match="*").status_code == 412
    assert hello.put("docs/other", b"x", if_none_match="*").status_code == 201
    assert hello.put("docs/hello", b"x", if_match=tag).status_code == 201


def test_metadata_is_replaced_by_put_and_merged_by_post_update(maria):
    maria.put("docs/x", b"", x_object_meta_a="1", x_object_meta_b="2", content_encoding="gzip")
    head = maria.head("docs/x")
    assert (head["X-Object-Meta-A"], head["X-Object-Meta-B"], head["Content-Encoding"]) == ("1", "2", "gzip")
    maria.post("docs/x", type="", query="update", **{"x_object_meta_a": "", "x_object_meta_%CE%93": "%CE%B4"})
    head = maria.head("docs/x")
    assert "X-Object-Meta-A" not in head
    assert head["X-Object-Meta-B"] == "2"
    assert head["X-Object-Meta-%CE%93"] == "%CE%B4"
    response = maria.post("docs/x", type="", x_object_meta_c="3")
    assert response.status_code == 202
    assert response["X-Object-Version"] == maria.head("docs/x")["X-Object-Version"]
    assert "X-Object-Meta-B" not in maria.head("docs/x")


def test_the_metadata_limit_counts_what_would_be_stored(maria):
    maria.put("docs/x", b"", **{f"x_object_meta_k{i}": "v" for i in range(32)})
    assert maria.post("docs/x", type="", query="update", x_object_meta_one="more").status_code == 400
    assert maria.put("docs/y", b"", **{f"x_object_meta_k{i}": "v" for i in range(33)}).status_code == 400
    assert maria.get("docs/y").status_code == 404


def test_an_object_in_a_missing_container_is_404(maria):
    assert maria.put("nowhere/x", b"x").status_code == 404


def test_unusual_names_are_kept(maria):
    for name in ("docs/a/", "docs/ x ", "docs/αβ c", "docs/a//b", "docs/x\ny", "docs/100%"):
        assert maria.put(name, name.encode()).status_code == 201, name
        assert maria.read(name) == name.encode()
    assert maria.names("docs") == sorted(
        [n[5:] for n in ("docs/a/", "docs/ x ", "docs/αβ c", "docs/a//b", "docs/x\ny", "docs/100%")],
        key=str.encode,
    )


def test_a_path_that_is_not_utf8_is_a_bad_request(maria):
    url = f"/pithos/object-store/v1/{maria.uuid}/docs/%FF"
    assert maria.client.get(url, HTTP_X_AUTH_TOKEN=maria.token, RAW_URI=url).status_code == 400


def test_a_too_long_name_is_a_bad_request(maria):
    assert maria.put("docs/" + "n" * 1025, b"").status_code == 400


@pytest.mark.parametrize(
    ("version", "status"), [("abc", 404), ("-10", 404), ("999999", 404), ("9" * 30, 404)]
)
def test_an_unknown_version_is_404(hello, version, status):
    assert hello.head("docs/hello", query=f"version={version}").status_code == status


def test_a_form_upload(maria):
    boundary = "xyz"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="X-Object-Data"; filename="f"\r\n'
        f"Content-Type: text/plain\r\n\r\nform data\r\n--{boundary}--\r\n"
    ).encode()
    response = maria.post("docs/form", body, type=f"multipart/form-data; boundary={boundary}")
    assert response.status_code == 201
    assert maria.read("docs/form") == b"form data"
    assert maria.head("docs/form")["Content-Type"] == "text/plain"
    assert maria.post("docs/form", b"junk", type="multipart/form-data").status_code == 400


def test_a_manifest_reads_as_its_segments(maria, small_blocks):
    for number in range(10):
        maria.put(f"docs/part/{number}", b"%d" % number)
    maria.put("docs/part/", b"", x_object_manifest="docs/part/")
    maria.put("docs/all", b"", x_object_manifest="docs/part/")
    assert maria.read("docs/all") == b"0123456789"
    assert maria.head("docs/all")["Content-Length"] == "10"
    assert body_of(maria.get("docs/all", range="bytes=3-5")) == b"345"
    maria.put("docs/none", b"", x_object_manifest="nowhere/x")
    assert maria.get("docs/none").status_code == 404
    assert maria.head("docs/none").status_code == 200


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("", "GET"),
        ("/acc", "HEAD,POST,GET"),
        ("/acc/cont", "HEAD,PUT,POST,DELETE,GET"),
        ("/acc/cont/obj", "HEAD,GET,PUT,COPY,MOVE,POST,DELETE"),
    ],
)
def test_a_wrong_method_is_405_before_the_token_is_looked_at(client, db, path, allowed):
    response = client.generic("PATCH", f"/pithos/object-store/v1{path}")
    assert response.status_code == 405
    assert response["Allow"] == allowed


def test_no_token_and_a_wrong_token_are_401(client, db, maria):
    assert client.get(f"/pithos/object-store/v1/{maria.uuid}").status_code == 401
    assert maria.get("docs", token="wrong").status_code == 401


def test_the_token_may_be_in_the_query(maria, client):
    url = f"/pithos/object-store/v1/{maria.uuid}?X-Auth-Token={maria.token}"
    assert client.get(url).status_code == 200


def test_an_unknown_path_is_a_bad_request(client, db):
    response = client.get("/pithos/object-store/v7/x")
    assert response.status_code == 400
    assert "badRequest" in response.json()


def test_md5_tags_when_the_settings_ask_for_them(maria, settings, small_blocks):
    settings.PITHOS_UPDATE_MD5 = True
    assert maria.put("docs/x", b"0123456789")["ETag"] == hashlib.md5(b"0123456789").hexdigest()
    assert maria.put_hashmap("docs/y", b"0123456789", 8)["ETag"] == hashlib.md5(b"0123456789").hexdigest()
    maria.post("docs/x", b"ab", content_range="bytes */*")
    assert maria.head("docs/x")["ETag"] == hashlib.md5(b"0123456789ab").hexdigest()
