"""Header encoding and metadata limits (object-storage contract 2.3, 2.7)."""

from __future__ import annotations

import pytest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from pithos.api.headers import (
    encode_name,
    encode_value,
    metadata,
    normalise_key,
    object_metadata,
    request_headers,
    tri_state,
)
from synnefo.errors import BadRequest, SynnefoError

pytestmark = pytest.mark.unit


def headers(**environ: str) -> dict[str, str]:
    request = RequestFactory().get("/")
    request.META.update({f"HTTP_{name}": value for name, value in environ.items()})
    return request_headers(request)


def test_names_and_values_are_percent_decoded_when_either_has_a_percent_sign():
    found = headers(**{"X_OBJECT_META_%CE%91": "%CE%B2 c"})
    assert found["x-object-meta-α"] == "β c"


def test_raw_utf8_bytes_are_accepted():
    assert headers(X_OBJECT_META_A="β".encode().decode("latin-1"))["x-object-meta-a"] == "β"


@pytest.mark.parametrize("value", ["%ff", "\xff", "a%00b"])
def test_what_is_not_utf8_or_has_nul_is_refused(value):
    with pytest.raises(BadRequest):
        headers(X_OBJECT_META_A=value)


def test_a_lone_percent_sign_and_a_plus_are_literal():
    assert headers(X_OBJECT_META_A="50%+1")["x-object-meta-a"] == "50%+1"


def test_a_tilde_alone_means_empty():
    found = headers(X_OBJECT_META_A="~", X_OBJECT_META_B="~x")
    assert (found["x-object-meta-a"], found["x-object-meta-b"]) == ("", "~x")


def test_meta_keys_are_capitalised_piece_by_piece():
    assert normalise_key("FOO_bar-bAZ") == "Foo-Bar-Baz"
    assert normalise_key("ΑΒΓ") == "Αβγ"


def test_object_metadata_includes_the_three_kept_headers():
    found = object_metadata(
        {
            "x-object-meta-a": "1",
            "content-encoding": "gzip",
            "x-object-manifest": "c/p",
            "x-object-public": "x",
        }
    )
    assert found == {"X-Object-Meta-A": "1", "Content-Encoding": "gzip", "X-Object-Manifest": "c/p"}


@pytest.mark.parametrize(
    "items",
    [
        {"x-object-meta-a": "x" * 257},
        {"x-object-meta-" + "a" * 115: "x"},
        {f"x-object-meta-{i}": "x" for i in range(91)},
    ],
)
def test_metadata_limits(items):
    with pytest.raises(BadRequest):
        metadata(items, "Object")


def test_the_longest_allowed_meta_name_is_allowed():
    assert metadata({"x-object-meta-" + "a" * 114: "x" * 256}, "Object")


@pytest.mark.parametrize(("value", "expected"), [("True", True), ("false", False), ("", False)])
def test_public_is_true_false_or_empty(value, expected):
    assert tri_state({"x": value}, "x") is expected


def test_another_value_of_public_is_refused():
    with pytest.raises(BadRequest):
        tri_state({"x": "http://x"}, "x")


@given(st.text())
def test_encoded_headers_are_printable_ascii(text):
    text = text.encode("utf-8", "ignore").decode()
    for encoded in (encode_value(text), encode_name(text)):
        assert encoded.isascii()
        assert encoded.isprintable()


@given(st.text(st.characters(max_codepoint=255)), st.text(st.characters(max_codepoint=255)))
def test_any_header_is_decoded_or_refused(name, value):
    try:
        found = headers(**{f"X_OBJECT_META_{name}": value})
        object_metadata(found)
    except SynnefoError:
        return
