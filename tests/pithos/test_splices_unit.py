"""A patched object has exactly the blocks of a fresh upload of the same bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pithos.blocks.directory import DirectoryStore
from pithos.hashing import block_digest
from pithos.logic.splices import Patch, Stretch, splice

pytestmark = pytest.mark.unit

BLOCK = 4


def cut(store: DirectoryStore, data: bytes) -> list[bytes]:
    return [store.put(data[i : i + BLOCK]) for i in range(0, len(data), BLOCK)]


def test_splicing_equals_a_fresh_upload(tmp_path):
    # One store for all examples: blocks are known by their content, and directories take long to remove.
    store = DirectoryStore(
        tmp_path, block_size=BLOCK, algorithm="sha256", umask=0o022, fsync=False, verify="always"
    )

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=25), st.binary(max_size=20), st.integers(0, 25), st.integers(0, 50))
    def check(old, data, offset, truncate):
        offset = min(offset, len(old))
        expected = bytearray(old)
        expected[offset : offset + len(data)] = data
        expected = bytes(expected[:truncate])
        patch = Patch(Stretch(cut(store, data), len(data)), offset, len(expected))
        found = splice(store, Stretch(cut(store, old), len(old)), patch)
        assert found == [block_digest(expected[i : i + BLOCK]) for i in range(0, len(expected), BLOCK)]

    check()
