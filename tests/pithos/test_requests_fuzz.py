"""Whatever a client sends, the answer is a success or a fault, never a crash."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.db

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=8,
)
_hashmap = st.fixed_dictionaries({"bytes": _json, "hashes": _json}) | _json
_header = st.sampled_from(
    [
        "range", "if_range", "if_match", "if_none_match", "if_modified_since", "if_unmodified_since", "etag",
        "content_range", "x_object_sharing", "x_object_public", "x_object_manifest", "x_object_bytes",
        "x_copy_from", "x_move_from", "x_source_account", "x_source_version", "x_source_object", "destination",  # noqa: E501
        "destination_account", "x_object_meta_a", "content_disposition", "content_encoding", "transfer_encodin",  # noqa: E501
        "x_container_policy_quota", "x_container_policy_versioning", "x_container_policy_project",
        "x_container_meta_a", "x_account_group_g", "x_account_meta_a",
    ]
)  # fmt: skip
_value = st.one_of(
    st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=30),
    st.sampled_from(
        ["*", "~", "%00", "%ff", "true", "bytes=0-", "bytes 0-1/*", "/docs/x", "read=*", "9" * 25, "-1"]
    ),
)
_parameter = st.sampled_from(
    ["limit", "marker", "prefix", "delimiter", "path", "meta", "until", "format", "version", "hashmap", "update", "shared", "public", "disposition-type"]  # noqa: E501
)  # fmt: skip


def ok(response) -> None:
    assert response.status_code < 500, (response.status_code, response.content)
    if response.status_code >= 400 and response.content and "json" in response["Content-Type"]:
        body = json.loads(response.content)
        assert isinstance(body, list) or next(iter(body.values()))["code"] == response.status_code
    if getattr(response, "streaming", False):
        b"".join(response)


@QUICK
@given(
    method=st.sampled_from(["HEAD", "GET", "PUT", "POST", "DELETE", "COPY", "MOVE"]),
    path=st.sampled_from(["", "docs", "docs/x", "docs/y", "nowhere/x"]),
    headers=st.dictionaries(_header, _value, max_size=4),
    query=st.dictionaries(_parameter, st.one_of(_text, _value), max_size=4),
    data=st.binary(max_size=20),
    type=st.sampled_from(["application/octet-stream", "text/plain", "", "application/directory"]),
)
def test_any_headers_and_parameters(maria, small_blocks, method, path, headers, query, data, type):
    maria.put("docs")
    maria.put("docs/x", b"0123456789abc")
    text = "&".join(f"{name}={quote(value)}" for name, value in query.items() if name != "format")
    ok(maria.call(method, path, data, type=type, query=text, **headers))


@QUICK
@given(_hashmap)
def test_any_hashmap(maria, body):
    response = maria.put("docs/x", json.dumps(body).encode(), query="hashmap")
    assert response.status_code in (201, 400, 409)


@QUICK
@given(_text, _text)
def test_any_name(maria, container, name):
    path = f"{container}/{name}"
    ok(maria.put(path, b"x"))
    ok(maria.put(f"docs/{name}", b"x"))
    if name:
        response = maria.get("docs", query="format=json")
        if "\0" not in name:
            assert name in [entry["name"] for entry in json.loads(response.content)]
        ok(maria.get("docs", query="format=xml&delimiter=" + quote(name[-1])))
        ok(maria.get("docs", query=f"prefix={quote(name)}&marker={quote(name[:1])}&meta={quote(name)}"))
