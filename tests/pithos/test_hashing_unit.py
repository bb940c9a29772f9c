"""The block hash and the object hash against the published vectors (object-storage contract 15.1)."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pithos.hashing import (
    block_count,
    block_digest,
    empty_digest,
    object_digest,
    parse_digest,
    trimmed_length,
)

pytestmark = pytest.mark.unit

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def object_hash(data: bytes, block_size: int) -> str:
    blocks = [data[i : i + block_size] for i in range(0, len(data), block_size)]
    return object_digest([block_digest(block) for block in blocks]).hex()


@pytest.mark.parametrize(
    ("data", "block_size", "expected"),
    [
        (b"", 4194304, EMPTY),
        (b"hello world", 4194304, "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"),
        (b"abc", 4194304, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (b"abc\0", 4194304, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (b"a" * 4194305, 4194304, "5f858b62ccd88447586305aec6fd53c96747cfebf527cbba129a6dfed47d9624"),
        (b"aaaabbbbcc", 4, "427daa4b15b22980bcf3beac1c04c73708bcca393e30f21968acc94a6b5519c5"),
        (b"aaaabbbbccccddddee", 4, "dc4d1c4881710e772ccd3ba94d282eaaafdb2ac96c114ec26252000b2a6bff00"),
        (bytes(8), 4, "2dba5dbc339e7316aea2683faf839c1b7b1ee2313db792112588118df066aa35"),
    ],
)
def test_object_hash_vectors(data: bytes, block_size: int, expected: str) -> None:
    assert object_hash(data, block_size) == expected


def test_an_all_nul_block_has_the_hash_of_nothing() -> None:
    assert block_digest(bytes(4194304)).hex() == EMPTY == empty_digest().hex()


@given(st.binary(max_size=200), st.integers(0, 200_000))
def test_trailing_nuls_never_change_a_block_hash(data: bytes, padding: int) -> None:
    assert block_digest(data + bytes(padding)) == hashlib.sha256(data.rstrip(b"\0")).digest()
    assert trimmed_length(data + bytes(padding)) == len(data.rstrip(b"\0"))


@pytest.mark.parametrize("text", ["", "ab", "zz" * 32, 5, None, "é" * 64, "0" * 63, "٣" * 64])
def test_a_malformed_hash_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="block hash"):
        parse_digest(text)


@pytest.mark.parametrize(("size", "blocks"), [(0, 0), (1, 1), (4, 1), (5, 2), (8, 2)])
def test_block_count_rounds_up(size: int, blocks: int) -> None:
    assert block_count(size, 4) == blocks
