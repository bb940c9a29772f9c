"""Range and Content-Range headers (object-storage contract 7.2, 9.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pithos.ranges import ByteRange, ContentRange, parse_content_range, parse_range
from synnefo.errors import BadRequest, RangeNotSatisfiable, SynnefoError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-1", [ByteRange(0, 2)]),
        ("bytes=0-1,6-7", [ByteRange(0, 2), ByteRange(6, 2)]),
        ("bytes=6-7, 0-1", [ByteRange(6, 2), ByteRange(0, 2)]),
        ("bytes=4-", [ByteRange(4, 6)]),
        ("bytes=-3", [ByteRange(7, 3)]),
        ("bytes = 0 - 1", [ByteRange(0, 2)]),
        ("bytes=5", None),
        ("bytes=5-2", None),
        ("bytes=a-b", None),
        ("bytes=-", None),
        ("bytes=", None),
        ("items=0-1", None),
        ("bytes=0-1,x", None),
        ("", None),
        (None, None),
    ],
)
def test_a_range_is_understood_or_ignored(header, expected):
    assert parse_range(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=0-10", "bytes=10-", "bytes=-11", "bytes=-0", "bytes=0-1,9-10"])
def test_a_range_beyond_the_end_is_not_cut(header):
    with pytest.raises(RangeNotSatisfiable):
        parse_range(header, 10)


@pytest.mark.parametrize("header", ["bytes=0-0", "bytes=0-", "bytes=-1"])
def test_an_empty_object_has_no_ranges(header):
    with pytest.raises(RangeNotSatisfiable):
        parse_range(header, 0)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes */*", ContentRange(None, None, None)),
        ("bytes 0-4/*", ContentRange(0, 5, None)),
        ("bytes 3-/*", ContentRange(3, None, None)),
        ("bytes 3-/10", ContentRange(3, None, 10)),
        ("bytes 0-9/10", ContentRange(0, 10, 10)),
    ],
)
def test_a_content_range_is_understood(header, expected):
    assert parse_content_range(header) == expected


@pytest.mark.parametrize(
    "header", ["bytes 4-2/*", "bytes 0-10/10", "bytes 10-/10", "bytes -1/*", "rubbish", "bytes=0-1/2"]
)
def test_a_wrong_content_range_is_not_satisfiable(header):
    with pytest.raises(RangeNotSatisfiable):
        parse_content_range(header)


def test_a_missing_content_range_is_a_bad_request():
    with pytest.raises(BadRequest):
        parse_content_range(None)


_texts = st.one_of(st.text(max_size=40), st.from_regex(r"bytes[= ]?[0-9*,/-]{0,30}", fullmatch=True))


@given(_texts, st.integers(0, 2**62))
def test_any_text_gives_parts_inside_the_object_or_a_fault(header, size):
    try:
        ranges = parse_range(header, size) or []
    except SynnefoError:
        return
    assert all(0 <= part.offset < part.offset + part.length <= size for part in ranges)


@given(_texts)
def test_any_text_as_content_range_gives_a_range_or_a_fault(header):
    try:
        found = parse_content_range(header)
    except SynnefoError:
        return
    assert found.length is None or found.length > 0
