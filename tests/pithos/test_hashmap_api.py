"""Uploads by block hashes (object-storage contract 8.2, 15)."""

from __future__ import annotations

import json

import pytest

from pithos.hashing import block_digest, empty_digest

pytestmark = pytest.mark.db

DATA = b"abcdefghABCDEFGHabcdefgh12"


def upload(person, path: str, data: bytes, **options):
    """Do what a synchronising client does: hashmap, missing blocks, hashmap again."""
    response = person.put_hashmap(path, data, 8, **options)
    if response.status_code == 409:
        blocks = [data[i : i + 8] for i in range(0, len(data), 8)]
        known = {block_digest(block).hex(): block for block in blocks}
        container = "own" if options.get("account") else path.partition("/")[0]
        for name in json.loads(response.content):
            sent = person.post(container, known[name], query="update&format=json")
            assert json.loads(sent.content) == [name]
        response = person.put_hashmap(path, data, 8, **options)
    return response


def test_missing_blocks_are_listed_once_in_order_of_use(maria, small_blocks):
    response = maria.put_hashmap("docs/x", DATA, 8)
    assert response.status_code == 409
    assert response["Content-Type"] == "application/json; charset=UTF-8"
    assert json.loads(response.content) == [
        block_digest(block).hex() for block in (b"abcdefgh", b"ABCDEFGH", b"12")
    ]
    assert maria.get("docs/x").status_code == 404


def test_a_client_uploads_and_reads_back(maria, small_blocks):
    response = upload(maria, "docs/x", DATA)
    assert response.status_code == 201
    assert response["X-Object-Version"]
    assert maria.read("docs/x") == DATA
    assert maria.usage() == len(DATA)


def test_an_unchanged_object_needs_no_block_and_an_edit_only_its_own(maria, small_blocks):
    upload(maria, "docs/x", DATA)
    assert maria.put_hashmap("docs/x", DATA, 8).status_code == 201
    response = maria.put_hashmap("docs/x", DATA[:9] + b"!" + DATA[10:], 8)
    assert len(json.loads(response.content)) == 1


def test_knowing_a_hash_is_not_owning_the_block(maria, nikos, small_blocks):
    maria.put("docs/secret", DATA)
    assert nikos.put_hashmap("own/stolen", DATA, 8).status_code == 409
    assert upload(nikos, "own/mine", DATA).status_code == 201


def test_in_global_scope_any_stored_block_counts(maria, nikos, small_blocks, settings):
    settings.PITHOS_DEDUP_SCOPE = "global"
    maria.put("docs/x", DATA)
    assert nikos.put_hashmap("own/x", DATA, 8).status_code == 201


def test_blocks_of_an_object_that_one_may_read_count_when_it_is_replaced(maria, nikos, small_blocks):
    maria.put("docs/shared", DATA, x_object_sharing=f"write={nikos.uuid}")
    response = nikos.put_hashmap("docs/shared", DATA + b"3", 8, account=maria.uuid)
    assert json.loads(response.content) == [block_digest(b"123").hex()]
    assert nikos.put_hashmap("docs/new", DATA, 8, account=maria.uuid).status_code == 403


def test_a_sharer_uploads_through_his_own_container(maria, nikos, small_blocks):
    maria.put("docs/shared", b"", x_object_sharing=f"write={nikos.uuid}")
    assert upload(nikos, "docs/shared", DATA, account=maria.uuid).status_code == 201
    assert maria.read("docs/shared") == DATA
    assert (maria.usage(), nikos.usage()) == (len(DATA), 0)


def test_only_the_owner_uploads_blocks(maria, nikos):
    assert nikos.post("docs", b"x", query="update", account=maria.uuid).status_code == 403


def test_the_empty_block_is_always_present(maria, small_blocks):
    response = maria.put_hashmap("docs/zeros", bytes(20), 8)
    assert response.status_code == 201
    assert maria.read("docs/zeros") == bytes(20)


@pytest.mark.parametrize("hashes", [[], [empty_digest().hex()]])
def test_an_empty_object(maria, hashes):
    body = json.dumps({"bytes": 0, "hashes": hashes}).encode()
    assert maria.put("docs/empty", body, query="hashmap").status_code == 201
    assert maria.read("docs/empty") == b""


HASH = "a" * 64


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b'{"bytes": "x", "hashes": []}',
        b'{"bytes": 1.5, "hashes": []}',
        b'{"bytes": true, "hashes": []}',
        b'{"bytes": -1, "hashes": []}',
        b'{"bytes": 1, "hashes": []}',
        b'{"bytes": 1, "hashes": "x"}',
        b'{"bytes": 1, "hashes": [5]}',
        b'{"bytes": 1, "hashes": ["zz"]}',
        b'{"bytes": 1e400, "hashes": []}',
        b'{"bytes": 0, "hashes": ["%s"]}' % HASH.encode(),
        b'{"bytes": 99999999999999999999999, "hashes": []}',
        b'{"bytes": 1, "hashes": ["%s"], "block_size": 5}' % HASH.encode(),
        b'{"bytes": 1, "hashes": ["%s"], "block_hash": "md5"}' % HASH.encode(),
        b"[" * 100000,
        b"<object/>",
        b"\xff\xfe",
    ],
)
def test_a_malformed_hashmap_is_a_bad_request(maria, body):
    assert maria.put("docs/x", body, query="hashmap").status_code == 400


def test_rights_and_container_come_before_the_missing_blocks(maria, nikos):
    body = json.dumps({"bytes": 1, "hashes": [HASH]}).encode()
    assert maria.put("nowhere/x", body, query="hashmap").status_code == 404
    assert nikos.put("docs/x", body, query="hashmap", account=maria.uuid).status_code == 403


def test_bytes_behind_the_end_of_the_last_block_are_cut_away(maria, small_blocks):
    upload(maria, "docs/long", b"12345678")
    body = json.dumps({"bytes": 3, "hashes": [block_digest(b"12345678").hex()]}).encode()
    response = maria.put("docs/short", body, query="hashmap")
    assert response["ETag"] == block_digest(b"123").hex()
    assert maria.read("docs/short") == b"123"


def test_block_uploads_leave_metadata_alone_without_update(maria, small_blocks):
    maria.post("docs", type="", query="update", x_container_meta_color="blue")
    assert maria.post("docs", b"12345678abc").status_code == 202
    assert maria.head("docs")["X-Container-Meta-Color"] == "blue"


def test_block_hashes_as_xml(maria, small_blocks):
    response = maria.post("docs", b"x", query="update&format=xml")
    assert f"<item>{block_digest(b'x').hex()}</item>".encode() in response.content
