"""Data in motion: blocks of a store without files are fetched ahead, and only a few of them."""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from pithos.blocks import BlockMissing
from pithos.streams import read_range

pytestmark = pytest.mark.unit
SIZE = 8
LIMIT = 60.0


class FarStore:
    """Blocks by number, of which some are shorter than a block; notes which were asked for."""

    block_size = SIZE
    has_files = False

    def __init__(self, blocks: Sequence[bytes | None]) -> None:
        self._blocks = blocks
        self._changed = threading.Condition()
        self.asked: set[int] = set()

    def open(self, digest: bytes) -> tuple[io.BytesIO, int]:
        number = int.from_bytes(digest, "big")
        with self._changed:
            self.asked.add(number)
            self._changed.notify_all()
        block = self._blocks[number]
        if block is None:
            raise BlockMissing(str(number))
        return io.BytesIO(block), len(block)

    def wait_for(self, *numbers: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.asked >= set(numbers), timeout=LIMIT)


def reading(store: FarStore, count: int, offset: int = 0, length: int | None = None) -> Any:
    digests = [number.to_bytes(1, "big") for number in range(count)]
    return read_range(store, digests, offset, count * SIZE if length is None else length)  # type: ignore[arg-type]


def test_the_next_two_blocks_are_fetched_while_one_is_sent() -> None:
    store = FarStore([bytes([number]) * SIZE for number in range(9)])
    pieces = reading(store, 9)
    for number in range(9):
        assert next(pieces) == bytes([number]) * SIZE
        store.wait_for(*range(number, min(number + 3, 9)))
        assert store.asked == set(range(min(number + 3, 9)))
    assert next(pieces, None) is None


def test_any_range_comes_out_whole_with_its_nuls() -> None:
    store = FarStore([b"01234567", b"89", b"abcdefgh", b"ij"])
    whole = b"01234567" + b"89".ljust(8, b"\0") + b"abcdefgh" + b"ij".ljust(8, b"\0")
    for offset in range(len(whole)):
        for length in range(len(whole) - offset + 1):
            assert b"".join(reading(store, 4, offset, length)) == whole[offset : offset + length]


def test_a_missing_block_is_met_in_its_place() -> None:
    pieces = reading(FarStore([b"0" * SIZE, b"1" * SIZE, None, b"3" * SIZE]), 4)
    assert [next(pieces), next(pieces)] == [b"0" * SIZE, b"1" * SIZE]
    with pytest.raises(BlockMissing):
        next(pieces)


def test_nothing_more_is_fetched_for_who_has_gone() -> None:
    store = FarStore([bytes([number]) * SIZE for number in range(9)])
    pieces = reading(store, 9)
    next(pieces)
    pieces.close()
    assert store.asked <= {0, 1, 2}
