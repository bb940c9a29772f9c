"""The directory block store: naming, atomic writes, verification, healing."""

from __future__ import annotations

import errno
import os
import resource
import threading
from pathlib import Path

import pytest

from pithos.blocks import BlockCorrupt, BlockMissing, StoreFull
from pithos.blocks.directory import DirectoryStore
from pithos.hashing import block_digest, object_digest

pytestmark = pytest.mark.unit


def make(root: Path, **options: object) -> DirectoryStore:
    values = {
        "block_size": 4096,
        "algorithm": "sha256",
        "umask": 0o022,
        "fsync": "always",
        "verify": "always",
    }
    return DirectoryStore(str(root), **{**values, **options})


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return make(tmp_path)


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def test_a_block_lies_in_three_levels_of_directories_named_by_its_hash(store, tmp_path):
    name = store.put(b"hello world").hex()
    assert files(tmp_path) == [tmp_path / "blocks" / name[:2] / name[2:4] / name[4:6] / name]
    assert store.get(bytes.fromhex(name)) == b"hello world"


def test_trailing_nuls_are_not_kept(store, tmp_path):
    digest = store.put(b"abc" + bytes(100))
    assert files(tmp_path)[0].read_bytes() == b"abc" == store.get(digest)


def test_the_empty_block_is_never_stored_and_always_there(store, tmp_path):
    digest = store.put(bytes(4096))
    assert not files(tmp_path)
    assert store.exists(digest)
    assert store.get(digest) == b""


def test_an_equal_block_is_written_once(store, tmp_path):
    store.put(b"same")
    before = files(tmp_path)[0].stat().st_ino
    store.put(b"same\0")
    assert [path.stat().st_ino for path in files(tmp_path)] == [before]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o007])
def test_files_and_directories_have_the_mode_of_the_setting(tmp_path, umask):
    make(tmp_path, umask=umask).put(b"x")
    file = files(tmp_path)[0]
    assert file.stat().st_mode & 0o777 == 0o666 & ~umask
    assert file.parent.stat().st_mode & 0o777 == 0o777 & ~umask


def test_asking_for_a_block_protects_it_from_collection(store, tmp_path):
    digest = store.put(b"old")
    os.utime(files(tmp_path)[0], (1, 1))
    assert store.exists(digest)
    assert files(tmp_path)[0].stat().st_mtime > 1


def test_a_missing_block_is_reported(store):
    with pytest.raises(BlockMissing):
        store.get(block_digest(b"nowhere"))
    assert store.missing([block_digest(b"nowhere")] * 2) == [block_digest(b"nowhere")]


@pytest.mark.parametrize("damage", [b"hellp world", b"hello", b"", b"hello world!", bytes(5000)])
def test_a_damaged_block_is_never_returned_and_heals_by_the_next_upload(store, tmp_path, damage):
    digest = store.put(b"hello world")
    files(tmp_path)[0].write_bytes(damage)
    with pytest.raises(BlockCorrupt):
        store.get(digest)
    assert not store.exists(digest)
    assert store.put(b"hello world") == digest
    assert store.get(digest) == b"hello world"


def test_an_upload_replaces_a_damaged_block_that_nobody_has_read(store, tmp_path):
    digest = store.put(b"hello world")
    files(tmp_path)[0].write_bytes(b"jello world")
    store.put(b"hello world")
    assert store.get(digest) == b"hello world"


def test_the_verification_cache_notices_a_changed_file(tmp_path):
    store = make(tmp_path, verify="cached")
    digest = store.put(b"hello world")
    assert store.get(digest) == b"hello world"
    files(tmp_path)[0].write_bytes(b"hellp world")
    with pytest.raises(BlockCorrupt):
        store.get(digest)


def test_blocks_of_an_older_installation_with_trailing_nuls_are_read(store, tmp_path):
    digest = store.put(b"abc")
    files(tmp_path)[0].write_bytes(b"abc" + bytes(1000))
    assert store.get(digest).rstrip(b"\0") == b"abc"
    assert store.put(b"abc") == digest


@pytest.mark.fault
@pytest.mark.parametrize("step", ["write", "rename", "mkdir"])
def test_a_full_disk_leaves_nothing_behind(store, tmp_path, monkeypatch, step):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(StoreFull):
        store.put(b"too much")
    assert not files(tmp_path)


@pytest.mark.fault
def test_a_write_that_really_breaks_off_leaves_nothing_behind(tmp_path):
    """The process may write files of 64 KiB only: the kernel takes a part of the block and then refuses."""
    store = make(tmp_path, block_size=1 << 20)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with pytest.raises(StoreFull):
            store.put(b"x" * (1 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not files(tmp_path)


@pytest.mark.parametrize(
    ("policy", "content", "names"),
    [("always", 1, True), ("rename", 1, False), ("never", 0, False), (True, 1, True), (False, 0, False)],
)
def test_what_a_write_waits_for_is_the_policy(tmp_path, monkeypatch, policy, content, names):
    calls: list[str] = []
    monkeypatch.setattr(os, "fdatasync", lambda _: calls.append("content"))
    monkeypatch.setattr(os, "fsync", lambda _: calls.append("names"))
    make(tmp_path, fsync=policy).put(b"x")
    assert calls.count("content") == content
    assert ("names" in calls) is names


@pytest.mark.parametrize(("draw", "error"), [(0, True), (1, False)])
def test_a_sample_of_reads_is_verified(tmp_path, monkeypatch, draw, error):
    monkeypatch.setattr("random.randrange", lambda _: draw)
    store = make(tmp_path, verify="sample")
    digest = store.put(b"hello world")
    files(tmp_path)[0].write_bytes(b"hellp world")
    if error:
        with pytest.raises(BlockCorrupt):
            store.get(digest)
    else:
        assert store.get(digest) == b"hellp world"


def test_many_writers_of_one_block_leave_one_good_file(store, tmp_path):
    data = os.urandom(4096)
    threads = [threading.Thread(target=store.put, args=(data,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() for path in files(tmp_path)] == [data.rstrip(b"\0")]


def test_two_objects_of_equal_hash_but_different_blocks_have_different_maps(store):
    """An object whose bytes are two digests has the hash of the object made of those two blocks."""
    blocks = [store.put(b"first"), store.put(b"second")]
    trap = [store.put(b"".join(blocks))]
    assert object_digest(blocks) == object_digest(trap)
    two, one = store.put_map(blocks), store.put_map(trap)
    assert two != one
    assert store.get_map(two, count=2) == blocks
    assert store.get_map(one, count=1) == trap


def test_an_empty_object_has_no_map_and_one_block_needs_no_file(store, tmp_path):
    assert store.put_map([]) is None
    assert store.get_map(None, count=0) == []
    digest = store.put(b"x")
    assert store.put_map([digest]) == f"{digest.hex()}_1"
    assert not (tmp_path / "maps").exists()


def test_a_map_of_an_older_installation_is_read_by_its_plain_hash(store):
    blocks = [store.put(b"first"), store.put(b"second")]
    name = object_digest(blocks).hex()
    store.put_map_content(name, b"".join(blocks))
    assert store.get_map(name, count=2) == blocks


@pytest.mark.parametrize("content", [b"", b"x" * 64, b"x" * 63])
def test_a_damaged_map_is_refused(store, content):
    blocks = [store.put(b"first"), store.put(b"second")]
    name = store.put_map(blocks)
    Path(store.map_path(name)).write_bytes(content)
    with pytest.raises(BlockCorrupt):
        store.get_map(name, count=2)


def test_iteration_finds_every_block_and_nothing_else(store, tmp_path):
    digests = {store.put(bytes([i + 1])) for i in range(5)}
    (tmp_path / "blocks" / ".tmp-left-over").write_bytes(b"x")
    assert {bytes.fromhex(entry.name) for entry in store.entries("blocks")} == digests
