"""pithos-migrate-blocks: from a directory to RADOS and back, interrupted, damaged, and compared in depth."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from pithos.blocks import StoreFull
from pithos.blocks.opened import store_of_kind
from pithos.hashing import object_digest
from tests.pithos.ceph_fixtures import names, overwrite, remove

pytestmark = pytest.mark.functional


@pytest.fixture(autouse=True)
def _settings(rados_settings, settings):
    settings.PITHOS_BACKEND_STORAGE = "nfs"


@pytest.fixture
def source():
    """A directory with five blocks, a map, and one block that an older installation has not trimmed."""
    store = store_of_kind("nfs")
    digests = [store.put(bytes([65 + n]) * 8) for n in range(4)]
    store.put_map(digests)
    untrimmed = store.put(b"abc")
    with open(store.path_of(untrimmed), "ab") as file:
        file.write(bytes(3))
    return store


def run(*args: str) -> dict:
    out = StringIO()
    options = ("--quiet", "--output-format", "json")
    try:
        call_command("pithos-migrate-blocks", *args, *options, stdout=out, stderr=StringIO())
    except CommandError as error:
        return {**json.loads(out.getvalue()), "status": error.returncode}
    return {**json.loads(out.getvalue()), "status": 0}


def counts(result: dict) -> tuple[int, int, int, int]:
    keys = ("blocks_copied", "blocks_present", "maps_copied", "maps_present")
    return tuple(int(result[key]) for key in keys)


def test_there_and_back_again(source, rados_cluster, settings, tmp_path):
    assert counts(run("nfs", "rados", "--dry-run")) == (5, 0, 1, 0)
    assert names(rados_cluster, "blocks") == []
    result = run("nfs", "rados")
    assert (counts(result), result["status"]) == ((5, 0, 1, 0), 0)
    assert names(rados_cluster, "blocks") == sorted(entry.name for entry in source.entries("blocks"))
    assert counts(run("nfs", "rados")) == (0, 5, 0, 1)
    assert counts(run("nfs", "rados", "--deep")) == (0, 5, 0, 1)
    settings.PITHOS_BACKEND_BLOCK_PATH = str(tmp_path / "second")
    assert counts(run("rados", "nfs")) == (5, 0, 1, 0)
    second = store_of_kind("nfs")
    name = next(second.entries("maps")).name
    digests = second.get_map(name, count=4)
    assert object_digest(digests).hex() == name.partition("_")[0]
    assert [second.get(digest) for digest in digests] == [bytes([65 + n]) * 8 for n in range(4)]


def test_an_interrupted_run_copies_only_the_rest(source, rados_cluster, monkeypatch):
    target = store_of_kind("rados")
    put, done = type(target).put, []

    def full_after_two(self, data):
        if len(done) == 2:
            raise StoreFull("no room")
        done.append(data)
        return put(self, data)

    monkeypatch.setattr(type(target), "put", full_after_two)
    with pytest.raises(CommandError) as caught:
        call_command("pithos-migrate-blocks", "nfs", "rados", "--threads", "1", "--quiet")
    assert caught.value.returncode == 3
    monkeypatch.undo()
    assert counts(run("nfs", "rados")) == (3, 2, 1, 0)


def test_damage_in_the_source_is_listed_and_not_copied(source, rados_cluster):
    bad = next(source.entries("blocks")).name
    with open(source.path_of(bytes.fromhex(bad)), "r+b") as file:
        file.write(b"?")
    result = run("nfs", "rados")
    assert (result["status"], result["damaged"]) == (2, f"blocks/{bad}")
    assert len(names(rados_cluster, "blocks")) == 4


def test_a_deep_run_replaces_what_differs_in_the_target(source, rados_cluster):
    run("nfs", "rados")
    entry = next(entry for entry in source.entries("blocks") if entry.size == 8)
    overwrite(rados_cluster, "blocks", entry.name, b"8 letter")
    assert counts(run("nfs", "rados"))[0] == 0
    assert counts(run("nfs", "rados", "--deep"))[0] == 1
    assert store_of_kind("rados").read("blocks", entry.name) == source.read("blocks", entry.name)


def test_what_is_lost_in_the_target_comes_again(source, rados_cluster):
    run("nfs", "rados")
    lost = names(rados_cluster, "maps")[0]
    remove(rados_cluster, "maps", lost)
    assert counts(run("nfs", "rados")) == (0, 5, 1, 0)


@pytest.mark.parametrize("args", [("nfs", "nfs"), ("nfs", "rados", "--threads", "0")])
def test_wrong_arguments_are_refused(args):
    with pytest.raises(CommandError):
        call_command("pithos-migrate-blocks", *args)
