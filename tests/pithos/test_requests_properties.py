"""What is written is what is read, for any range, any sequence of changes, any header value and any name."""

from __future__ import annotations

import json
from urllib.parse import quote, unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pithos.hashing import block_digest, object_digest
from tests.pithos.conftest import ROOT, body_of

pytestmark = pytest.mark.db

QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SIZE = 8

_number = st.integers(0, 25).map(str) | st.just("")
_parts = st.lists(st.tuples(_number, _number), min_size=1, max_size=3)
_characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_names = st.one_of(
    st.text(_characters, min_size=1, max_size=20),
    st.lists(
        st.sampled_from([".", "..", "", "a", "%2F", "%", "é", "\U0010ffff", " ", "+", "?x", "#"]), min_size=2
    ).map("/".join),
    st.integers(1, 1024).map(lambda length: "λ" * length),
).filter(lambda name: name.strip("/") != "" and len(name) <= 1024 and not name.startswith("/"))


def hash_of(data: bytes) -> str:
    """The object hash that a client computes over its own copy."""
    return object_digest([block_digest(data[i : i + SIZE]) for i in range(0, len(data), SIZE)]).hex()


def expected_ranges(parts: list[tuple[str, str]], size: int) -> list[tuple[int, int]] | int | None:
    """The stretches that a Range header asks for, None if it is ignored, 416 if one is not inside."""
    found = []
    for first, last in parts:
        if (not first and not last) or (first and last and int(first) > int(last)):
            return None
        begin = int(first) if first else size - int(last)
        end = int(last) + 1 if first and last else size
        found.append((begin, end))
    return found if all(0 <= begin < end <= size for begin, end in found) else 416


@QUICK
@given(data=st.binary(max_size=20), parts=_parts)
def test_ranges(maria, small_blocks, data, parts):
    maria.put("docs/x", data)
    reply = maria.get("docs/x", range="bytes=" + ", ".join(f"{first}-{last}" for first, last in parts))
    expected = expected_ranges(parts, len(data))
    if expected is None:
        assert (reply.status_code, body_of(reply)) == (200, data)
    elif expected == 416:
        assert (reply.status_code, reply["Content-Range"]) == (416, f"bytes */{len(data)}")
    elif len(expected) == 1:
        ((begin, end),) = expected
        assert (reply.status_code, body_of(reply)) == (206, data[begin:end])
        assert reply["Content-Range"] == f"bytes {begin}-{end - 1}/{len(data)}"
    else:
        boundary = reply["Content-Type"].partition("boundary=")[2].encode()
        sent = body_of(reply)
        assert sent.endswith(b"\r\n--" + boundary + b"--\r\n")
        head = (
            b"--"
            + boundary
            + b"\r\nContent-Range: bytes %d-%d/%d\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        )
        parts_sent = [head % (begin, end - 1, len(data)) + data[begin:end] for begin, end in expected]
        assert sent == b"\r\n".join([*parts_sent, b"--" + boundary + b"--\r\n"])


@QUICK
@given(data=st.binary(max_size=40))
def test_a_hashmap_upload(maria, small_blocks, data):
    first = maria.put_hashmap("docs/x", data, SIZE)
    if first.status_code == 409:
        for missing in json.loads(first.content):
            block = next(
                data[i : i + SIZE]
                for i in range(0, len(data), SIZE)
                if block_digest(data[i : i + SIZE]).hex() == missing
            )
            assert json.loads(maria.post("docs", block.rstrip(b"\0"), query="update").content) == [missing]
        first = maria.put_hashmap("docs/x", data, SIZE)
    assert first.status_code == 201
    assert maria.read("docs/x") == data
    assert maria.head("docs/x")["X-Object-Hash"] == hash_of(data)
    found = json.loads(maria.get("docs/x", query="hashmap&format=json").content)
    xml = maria.get("docs/x", query="hashmap&format=xml").content.decode()
    assert found["bytes"] == len(data)
    assert [part.partition("<")[0] for part in xml.split("<hash>")[1:]] == found["hashes"]


@QUICK
@given(
    data=st.binary(max_size=30),
    changes=st.lists(
        st.tuples(st.integers(0, 40), st.binary(min_size=1, max_size=20), st.none() | st.integers(0, 40)),
        max_size=3,
    ),
)
def test_partial_updates(maria, small_blocks, data, changes):
    maria.put("docs/x", data)
    kept = bytearray(data)
    for offset, piece, cut in changes:
        headers = {} if cut is None else {"x_object_bytes": str(cut)}
        reply = maria.post("docs/x", piece, content_range=f"bytes {offset}-/*", query="update", **headers)
        if offset > len(kept):
            assert reply.status_code == 416
            continue
        assert reply.status_code == 204
        kept[offset : offset + len(piece)] = piece
        if cut is not None:
            del kept[cut:]
    assert maria.read("docs/x") == bytes(kept)
    assert maria.head("docs/x")["X-Object-Hash"] == hash_of(bytes(kept))
    assert maria.usage() == len(kept)


@QUICK
@given(key=st.text(_characters, min_size=1, max_size=12), value=st.text(_characters, max_size=60))
def test_metadata(maria, key, value):
    name = quote(key.replace("_", "-"), safe="").replace("%2D", "-")
    reply = maria.put("docs/x", b"", **{f"x_object_meta_{name}": quote(value, safe="")})
    assert reply.status_code in (201, 400)
    if reply.status_code == 400 or not value.strip() or value == "~":
        return
    found = {
        unquote(header).lower(): unquote(text)
        for header, text in maria.head("docs/x").headers.items()
        if header.startswith("X-Object-Meta-")
    }
    assert list(found.values()) == [value.strip()]


@settings(QUICK, max_examples=12)
@given(name=_names, container=st.sampled_from(["docs", "d.c", "..", "λ", "%2F"]))
def test_names(maria, name, container):
    def call(method: str, **options):
        options.setdefault("CONTENT_LENGTH", "0")
        url = f"{ROOT}/{maria.uuid}/{quote(container, safe='')}/{quote(name, safe='')}"
        return maria.client.generic(method, url, headers={"X-Auth-Token": maria.token}, **options)

    maria.put(container)
    path = f"{container}/{name}"
    assert maria.put(path, b"x", type="text/plain").status_code == 201
    assert call("HEAD")["X-Object-Version"] == maria.head(path)["X-Object-Version"]
    assert body_of(call("GET")) == b"x"
    assert maria.names(container) == [name]
    assert maria.names(container, f"prefix={quote(name, safe='')}") == [name]
    assert maria.names(container, f"marker={quote(name, safe='')}") == []
    copied = call("COPY", HTTP_DESTINATION=quote(f"/{container}/copy of {name}"[:1000], safe=""))
    assert copied.status_code == 201
    assert call("MOVE", HTTP_DESTINATION=quote(f"/{container}/b", safe="")).status_code == 201
    assert call("GET").status_code == 404
    assert maria.delete(container, query="delimiter=/").status_code == 204
    assert maria.names(container) == []
