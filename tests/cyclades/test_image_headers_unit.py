"""Image metadata in HTTP headers (image contract 1)."""

from __future__ import annotations

import dataclasses
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyclades.api.image import headers
from cyclades.logic.image_changes import parse_location
from cyclades.logic.images import Image
from synnefo.errors import BadRequest
from synnefo.gunicorn_hooks import normalise_headers

pytestmark = pytest.mark.unit

IMAGE = Image(
    id="i",
    version=1,
    name="n",
    status="UNAVAILABLE",
    owner="o",
    location="pithos://o/c/p",
    mapfile="m",
    size=1,
    disk_format=None,
    properties={},
    is_snapshot=True,
)


@given(st.text(max_size=40).filter(lambda text: "\0" not in text))
def test_encoded_text_survives_the_way(text: str) -> None:
    encoded = quote(text.encode("utf-8", "ignore").decode(), safe="")
    found = headers.read({"HTTP_X_IMAGE_META_NAME": encoded, "HTTP_X_IMAGE_META_PROPERTY_OS": encoded})
    assert found.fields["name"] == unquote(encoded) == found.properties["os"]


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=6))
def test_any_headers_are_read_or_refused(values: dict[str, str]) -> None:
    for prefix in ("HTTP_X_IMAGE_META_", "HTTP_X_IMAGE_META_PROPERTY_"):
        try:
            found = headers.read({prefix + key: value for key, value in values.items()})
        except BadRequest:
            continue
        assert set(found.fields) <= headers.KNOWN_FIELDS


@given(st.text(min_size=1, max_size=20), st.text(max_size=20))
def test_written_headers_are_plain_ascii_lines(key: str, value: str) -> None:
    text = (key + value).encode("utf-8", "ignore").decode()
    image = dataclasses.replace(IMAGE, name=text, description=text, properties={text: text})
    for name, written in headers.write(image).items():
        assert (name + written).isascii()
        assert (name + written).isprintable()


@given(st.text(max_size=60))
def test_any_location_is_parsed_or_refused(text: str) -> None:
    for location in (text, f"pithos://{text}", f"pithos://a/{text}"):
        try:
            parsed = parse_location(location)
        except BadRequest:
            continue
        assert parsed.account and parsed.container and parsed.path


def test_location_parts_are_decoded() -> None:
    parsed = parse_location("pithos://u%40x/my%20images/dir/caf%C3%A9%3F")
    assert (parsed.account, parsed.container, parsed.path) == ("u@x", "my images", "dir/café?")


def test_property_names_lose_case_and_punctuation() -> None:
    for name in (
        "ROOT_PARTITION",
        "Root-Partition".upper().replace("-", "_"),
        "ROOT.PARTITION",
        "root%2Dpartition",
    ):
        assert headers.property_key(name) == "root_partition"


def test_unknown_fields_are_dropped_and_properties_are_free() -> None:
    found = headers.read({"HTTP_X_IMAGE_META_NONSENSE": "x", "HTTP_X_IMAGE_META_PROPERTY_NONSENSE": "x"})
    assert (found.fields, found.properties) == ({}, {"nonsense": "x"})


def test_raw_utf8_is_understood_like_encoded_text() -> None:
    raw = "é".encode().decode("latin-1")
    assert headers.read({"HTTP_X_IMAGE_META_NAME": raw}).fields["name"] == "é"


def test_snapshot_that_is_not_ready_is_saving() -> None:
    written = headers.write(IMAGE)
    assert (written["x-image-meta-status"], written["x-image-meta-disk-format"]) == ("SAVING", "")


def test_kamaki_spelling_reaches_the_service_through_the_server() -> None:
    sent = [("x-image-meta-property-ROOT_PARTITION", "1"), ("X_Auth_Token", "spoof")]
    assert normalise_headers(sent) == [("x-image-meta-property-ROOT-PARTITION", "1")]
