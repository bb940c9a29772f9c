"""What a client sees of a damaged or full block store: an error, never wrong bytes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.pithos.conftest import body_of

pytestmark = [pytest.mark.db, pytest.mark.fault]

DATA = b"01234567abcdefgh!"


@pytest.fixture
def stored(maria, small_blocks, blocks: Path):
    maria.put("docs/x", DATA)
    return maria


def block_file(blocks: Path, content: bytes) -> Path:
    return next(path for path in blocks.rglob("*") if path.is_file() and path.read_bytes() == content)


def damage_missing(file: Path) -> None:
    file.unlink()


def damage_truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def damage_flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)


DAMAGES = [damage_missing, damage_truncated, damage_flipped]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bad_first_block_is_503_and_an_upload_heals_it(stored, blocks, damage):
    damage(block_file(blocks, b"01234567"))
    response = stored.get("docs/x")
    assert response.status_code == 503
    assert response["Retry-After"]
    assert b"/" not in response.content
    assert stored.put_hashmap("docs/x", DATA, 8).status_code == 409
    stored.post("docs", b"01234567", query="update")
    assert stored.put_hashmap("docs/x", DATA, 8).status_code == 201
    assert stored.read("docs/x") == DATA


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bad_later_block_breaks_the_reply_off(stored, blocks, damage):
    damage(block_file(blocks, b"abcdefgh"))
    response = stored.get("docs/x")
    assert response.status_code == 200
    with pytest.raises(Exception, match="block"):
        body_of(response)
    assert stored.get("docs/x", range="bytes=8-9").status_code == 503
    assert stored.read("docs/x", range="bytes=0-7") == b"01234567"


def test_a_missing_map_is_503(stored, blocks):
    for file in (blocks.parent / "maps").rglob("*_*"):
        file.unlink()
    assert stored.get("docs/x").status_code == 503
    assert stored.head("docs/x").status_code == 200


def test_a_full_store_is_507_and_leaves_nothing(maria, blocks, monkeypatch, small_blocks):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    assert maria.put("docs/x", DATA).status_code == 507
    assert maria.post("docs", b"block", query="update").status_code == 507
    monkeypatch.undo()
    assert maria.head("docs/x").status_code == 404
    assert maria.usage() == 0
    assert not [path for path in blocks.rglob("*") if path.is_file()]
