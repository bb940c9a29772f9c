"""Garbage collection: what goes, what stays, and what happens to uploads at the same time."""

from __future__ import annotations

import json
import os
import threading
import time
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from pithos.blocks.opened import block_store
from pithos.hashing import block_digest
from pithos.logic.collection import Collection, collect
from pithos.models import AccountBlock, Version
from synnefo.db.single_run import single_run
from synnefo.errors import Conflict
from tests.markers import needs_postgres

pytestmark = pytest.mark.db

DATA = b"01234567abcdefgh!"
OTHER = b"first 8 and more"
FUTURE = 4e9


def gc(*, unused_since: float = FUTURE, dry_run: bool = False) -> Collection:
    return collect(block_store(), unused_since=unused_since, dry_run=dry_run, progress=lambda *_: None)


def files(root: Path) -> set[str]:
    return {path.name for path in root.rglob("*") if path.is_file()}


def age(root: Path) -> None:
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (1, 1))


@pytest.fixture
def stored(maria, small_blocks):
    """Two objects; the container keeps no history."""
    maria.post("docs", x_container_policy_versioning="none", query="update")
    maria.put("docs/x", DATA)
    maria.put("docs/y", OTHER)
    return maria


def test_blocks_and_maps_of_removed_objects_go_and_those_of_others_stay(stored, blocks):
    kept = files(blocks)
    maps = files(blocks.parent / "maps")
    stored.put("docs/z", b"gone gone gone!!")
    stored.delete("docs/z")
    result = gc()
    assert (result.blocks, result.maps, result.bytes) == (2, 1, 16)
    assert files(blocks) == kept
    assert files(blocks.parent / "maps") == maps
    assert stored.read("docs/x") == DATA


def test_history_and_one_block_objects_are_references(maria, blocks, small_blocks):
    first = maria.put("docs/x", b"one")
    maria.put("docs/x", b"two")
    maria.put("docs/zeros", bytes(24))
    assert gc().blocks == 0
    assert maria.read("docs/x", query=f"version={first['X-Object-Version']}") == b"one"
    assert maria.read("docs/zeros") == bytes(24)


def test_a_dry_run_counts_and_changes_nothing(stored, blocks):
    stored.delete("docs/x")
    before = files(blocks)
    assert gc(dry_run=True).blocks == 3
    assert files(blocks) == before


def test_young_blocks_are_spared(stored, blocks):
    stored.delete("docs/x")
    assert gc(unused_since=time.time() - 3600).blocks == 0
    age(blocks)
    assert gc(unused_since=time.time() - 3600).blocks == 3


def test_a_removed_block_is_forgotten_so_that_the_client_sends_it_again(stored):
    stored.delete("docs/x")
    gc()
    known = {bytes(d) for d in AccountBlock.objects.values_list("digest", flat=True)}
    assert known == {block_digest(b"first 8 "), block_digest(b"and more")}
    assert len(json.loads(stored.put_hashmap("docs/x", DATA, 8).content)) == 3


def test_nothing_is_removed_while_the_map_of_a_living_object_is_lost(stored, blocks):
    stored.delete("docs/y")
    for path in (blocks.parent / "maps").rglob("*_3"):
        path.unlink()
    before = files(blocks)
    result = gc()
    assert [(finding.kind, finding.problem) for finding in result.damaged] == [("maps", "missing")]
    assert files(blocks) == before


def test_a_snapshot_without_data_is_no_damage(stored):
    Version.objects.filter(node__name="x").update(available=0, is_snapshot=True, mapfile="archip:some")
    assert gc().is_complete


def test_leftovers_of_killed_processes_are_tidied(stored, blocks):
    name = block_digest(b"01234567").hex()
    directory = blocks / name[:2] / name[2:4] / name[4:6]
    (directory / f".tmp-{name[:16]}-0").write_bytes(b"half")
    os.rename(directory / name, directory / f".gc-{name}")
    assert gc().blocks == 0
    assert os.listdir(directory) == [name]
    assert stored.read("docs/x") == DATA


def test_a_block_used_in_the_moment_of_its_removal_stays(stored, blocks, monkeypatch):
    stored.delete("docs/x")
    age(blocks)
    rename, digest = os.rename, block_digest(b"01234567")

    def use_first(source: str, target: str) -> None:
        if ".gc-" in str(target):
            assert block_store().exists(digest)
        rename(source, target)

    monkeypatch.setattr(os, "rename", use_first)
    assert gc(unused_since=time.time() - 60).blocks == 2
    assert block_store().get(digest) == b"01234567"


def test_a_version_committed_after_the_look_at_the_database_counts(stored, blocks, monkeypatch):
    from pithos.logic import collection

    stored.delete("docs/x")
    look = collection.collect_references

    def then_commit(*args):
        found = look(*args)
        stored.put("docs/late", DATA)
        age(blocks)
        return found

    monkeypatch.setattr(collection, "collect_references", then_commit)
    assert gc(unused_since=time.time() - 60).blocks == 0
    assert stored.read("docs/late") == DATA


def test_two_collections_do_not_run_at_once(stored):
    with single_run("pithos-gc"), pytest.raises(Conflict):
        gc()
    gc()


def test_the_command_removes_only_when_told_and_never_what_is_younger_than_a_day(stored, blocks):
    stored.delete("docs/x")
    age(blocks)
    out = StringIO()
    call_command("pithos-gc", "--output-format", "json", stdout=out)
    assert json.loads(out.getvalue())["blocks_removed"] in (3, "3")
    assert len(files(blocks)) == 5
    call_command("pithos-gc", "--delete", stdout=StringIO())
    assert len(files(blocks)) == 2
    with pytest.raises(CommandError, match="at least 24"):
        call_command("pithos-gc", "--grace-hours", "23")


@needs_postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.fault
def test_uploads_by_hashmap_while_collections_run_never_lose_a_block(
    maria, blocks, small_blocks, monkeypatch
):
    """With a grace time of 1.5 seconds for collection, only presence tests save the blocks of an upload."""
    monkeypatch.setattr("pithos.blocks.directory._TOUCH_SECONDS", 0.0)
    maria.post("docs", x_container_policy_versioning="none", query="update")
    grace, stop = 1.5, time.monotonic() + 5
    failures: list[object] = []
    slow: list[float] = []
    contents = [os.urandom(20) for _ in range(3)]

    def put(number: int, data: bytes) -> int:
        return maria.put_hashmap(f"docs/{number}", data, 8).status_code

    def upload() -> None:
        turn = 0
        try:
            while time.monotonic() < stop and not slow:
                # One object is always there, one comes and goes, one is away for longer than the grace time.
                for number, data in enumerate(contents[: 3 if turn % 40 == 0 else 2]):
                    began = time.monotonic()
                    status = put(number, data)
                    if status == 409:
                        for start in range(0, 20, 8):
                            maria.post("docs", data[start : start + 8], query="update")
                        status = put(number, data)
                    if time.monotonic() - began > grace / 2:
                        slow.append(began)  # a starved machine breaks the promise that grace gives
                    if status != 201 or maria.read(f"docs/{number}") != data:
                        failures.append(number)
                    if number:
                        maria.delete(f"docs/{number}")
                turn += 1
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=upload)
    thread.start()
    removed = 0
    # What was away for long enough is old at last, however few turns there were.
    while thread.is_alive() or not (removed or slow or time.monotonic() > stop + 60):
        result = gc(unused_since=time.time() - grace)
        removed += result.blocks
        failures.extend(result.damaged)
    thread.join()
    assert slow or not failures
    assert slow or removed
