"""What both kinds of block store promise: the same tests over a directory and over RADOS."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from pithos.blocks import CORRUPT_SUFFIX, BlockCorrupt, BlockMissing, BlockStore
from pithos.blocks.directory import DirectoryStore
from pithos.hashing import block_digest, object_digest
from tests.pithos.ceph_fixtures import overwrite, remove

pytestmark = pytest.mark.functional

FUTURE = 4e9


class Site:
    """A store and ways to spoil what it holds."""

    def __init__(self, store: BlockStore, damage, lose) -> None:
        self.store, self.damage, self.lose = store, damage, lose


@pytest.fixture(params=["nfs", "rados"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    if request.param == "rados":
        store = request.getfixturevalue("rados_store")
        cluster = request.getfixturevalue("rados_cluster")
        return Site(
            store,
            lambda kind, name, content: overwrite(cluster, kind, name, content),
            lambda kind, name: remove(cluster, kind, name),
        )
    directory = DirectoryStore(
        str(tmp_path), block_size=4096, algorithm="sha256", umask=0o022, fsync="rename", verify="always"
    )
    return Site(
        directory,
        lambda kind, name, content: Path(directory._path(kind, name)).write_bytes(content),
        lambda kind, name: Path(directory._path(kind, name)).unlink(),
    )


@pytest.fixture
def store(site: Site) -> BlockStore:
    return site.store


def names(store: BlockStore, kind: str = "blocks", **options) -> list[str]:
    return [entry.name for entry in store.entries(kind, **options)]


def test_a_block_comes_back_without_trailing_nuls(store):
    digest = store.put(b"hello world" + bytes(100))
    assert digest == block_digest(b"hello world")
    assert store.get(digest) == b"hello world"
    assert names(store) == [digest.hex()]
    file, length = store.open(digest)
    with file:
        file.seek(6)
        assert (file.read(5), length) == (b"world", 11)


def test_an_empty_block_is_virtual(store):
    digest = store.put(bytes(4096))
    assert store.exists(digest)
    assert store.get(digest) == b""
    assert names(store) == []


def test_missing_blocks_are_told_and_listed_once(store):
    present, absent = store.put(b"x"), block_digest(b"nowhere")
    with pytest.raises(BlockMissing):
        store.get(absent)
    assert store.missing([absent, present, absent]) == [absent]
    assert store.stat("blocks", absent.hex()) is None
    assert not store.exists(absent)
    assert names(store) == [present.hex()]


def test_a_deleted_block_is_gone_and_deleting_again_is_fine(store):
    digest = store.put(b"x")
    store.delete(digest)
    store.delete(digest)
    assert not store.exists(digest)


@pytest.mark.parametrize("damage", [b"hellp world", b"hello", b"", bytes(5000)])
def test_damage_is_never_returned_is_kept_aside_and_heals_by_the_next_upload(site, damage):
    store = site.store
    digest = store.put(b"hello world")
    site.damage("blocks", digest.hex(), damage)
    with pytest.raises(BlockCorrupt):
        store.get(digest)
    assert not store.exists(digest)
    assert store.read("blocks", digest.hex() + CORRUPT_SUFFIX) == damage
    assert store.put(b"hello world") == digest
    assert store.get(digest) == b"hello world"
    assert names(store) == [digest.hex()]


@pytest.mark.parametrize("damage", [b"hellp world", b"hello"])
def test_an_upload_replaces_damage_that_nobody_has_read(site, damage):
    digest = site.store.put(b"hello world")
    site.damage("blocks", digest.hex(), damage)
    site.store.put(b"hello world")
    assert site.store.get(digest) == b"hello world"


def test_blocks_that_an_older_installation_wrote_with_trailing_nuls_are_good(site):
    digest = site.store.put(b"abc")
    site.damage("blocks", digest.hex(), b"abc" + bytes(100))
    assert site.store.get(digest).rstrip(b"\0") == b"abc"
    assert site.store.put(b"abc") == digest
    assert site.store.get(digest).rstrip(b"\0") == b"abc"


def test_maps_are_named_by_hash_and_number_of_blocks(store):
    blocks = [store.put(b"first"), store.put(b"second")]
    name = store.put_map(blocks)
    assert name == f"{object_digest(blocks).hex()}_2"
    assert store.get_map(name, count=2) == blocks
    assert names(store, "maps") == [name]
    one = store.put_map([store.put(b"".join(blocks))])
    assert len(store.get_map(one, count=1)) == 1
    assert names(store, "maps") == [name]
    with pytest.raises(BlockMissing):
        store.get_map(f"{'0' * 64}_2", count=2)


@pytest.mark.parametrize("content", [b"", b"x" * 64, b"x" * 63])
def test_a_damaged_map_is_refused_and_replaced_by_the_next_upload(site, content):
    store = site.store
    blocks = [store.put(b"first"), store.put(b"second")]
    name = store.put_map(blocks)
    site.damage("maps", name, content)
    with pytest.raises(BlockCorrupt):
        store.get_map(name, count=2)
    store.put_map(blocks)
    assert store.get_map(name, count=2) == blocks


def test_no_map_is_made_of_a_block_that_has_gone(site):
    blocks = [site.store.put(b"first"), site.store.put(b"second")]
    site.store.delete(blocks[1])
    with pytest.raises(BlockMissing):
        site.store.put_map(blocks)


def test_entries_say_size_and_time_and_go_on_behind_a_name(store):
    stored = {store.put(bytes([i + 1]) * (i + 1)).hex(): i + 1 for i in range(12)}
    entries = list(store.entries("blocks"))
    assert {entry.name: entry.size for entry in entries} == stored
    assert all(abs(entry.used - time.time()) < 60 for entry in entries)
    order = [entry.name for entry in entries]
    assert names(store, after=order[6]) == order[7:]


def test_only_what_was_not_used_since_is_discarded(store):
    digest = store.put(b"x")
    name = digest.hex()
    assert not store.discard("blocks", name, unused_since=time.time() - 3600)
    assert store.get(digest) == b"x"
    assert store.discard("blocks", name, unused_since=FUTURE)
    assert store.discard("blocks", name, unused_since=FUTURE)
    assert names(store) == []


def test_setting_aside_a_map_makes_it_missing(site):
    store = site.store
    name = store.put_map([store.put(b"first"), store.put(b"second")])
    site.damage("maps", name, b"x")
    store.set_aside("maps", name)
    assert store.stat("maps", name) is None
    assert names(store, "maps") == []


def test_writers_and_collectors_of_the_same_blocks_never_leave_a_promise_broken(store):
    """After a put or a yes to the presence test, a collection of what is old must not take the block."""
    datas = [os.urandom(64) for _ in range(4)]
    broken: list[bytes] = []
    stop = time.monotonic() + 1.0

    def write() -> None:
        while time.monotonic() < stop:
            for data in datas:
                digest = store.put(data)
                if store.stat("blocks", digest.hex()) is None:
                    broken.append(digest)

    def collect() -> None:
        while time.monotonic() < stop:
            for data in datas:
                store.discard("blocks", block_digest(data).hex(), unused_since=time.time() - 30)

    threads = [threading.Thread(target=target) for target in (write, write, collect)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not broken
    assert all(store.get(block_digest(data)) == data.rstrip(b"\0") for data in datas)
