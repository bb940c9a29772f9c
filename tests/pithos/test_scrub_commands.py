"""pithos-scrub: what it finds, whom that concerns, quarantine, and going on after an interruption."""

from __future__ import annotations

import json
import os
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from pithos.blocks import BlockStoreError
from pithos.blocks.directory import DirectoryStore
from pithos.blocks.opened import block_store
from pithos.hashing import block_digest
from pithos.logic.scrubbing import Scrub, scrub

pytestmark = pytest.mark.db

DATA = b"01234567abcdefgh!"


@pytest.fixture
def stored(maria, small_blocks):
    maria.put("docs/x", DATA)
    maria.put("docs/other", b"01234567")
    return maria


def block_file(blocks: Path, content: bytes) -> Path:
    return next(path for path in blocks.rglob("*") if path.is_file() and path.read_bytes() == content)


def run(*args: str) -> tuple[list[dict], int]:
    """What the command prints, and its status."""
    out, status = StringIO(), 0
    try:
        call_command(
            "pithos-scrub", "--quiet", "--output-format", "json", *args, stdout=out, stderr=StringIO()
        )
    except CommandError as error:
        status = error.returncode
    return json.loads(out.getvalue()), status


def test_a_healthy_store_has_no_findings(stored):
    assert run() == ([], 0)


def test_a_missing_block_is_found_with_every_object_that_needs_it(stored, blocks):
    block_file(blocks, b"01234567").unlink()
    rows, status = run("--presence-only")
    assert status == 2
    assert {(row["kind"], row["problem"], row["object"]) for row in rows} == {
        ("blocks", "missing", "x"),
        ("blocks", "missing", "other"),
    }
    assert {row["account"] for row in rows} == {stored.uuid}


@pytest.mark.parametrize("damage", [b"abcdefgi", b"abc", bytes(9)])
def test_a_damaged_block_is_found_only_by_reading(stored, blocks, damage):
    file = block_file(blocks, b"abcdefgh")
    file.write_bytes(damage)
    assert run("--presence-only") == ([], 0)
    rows, status = run()
    assert status == 2
    assert [(row["name"], row["problem"], row["object"]) for row in rows] == [(file.name, "damaged", "x")]
    assert file.exists()


def test_quarantine_makes_the_next_upload_heal(stored, blocks):
    file = block_file(blocks, b"abcdefgh")
    file.write_bytes(b"x")
    assert run("--quarantine")[1] == 2
    assert not file.exists()
    assert file.with_name(file.name + ".corrupt").read_bytes() == b"x"
    assert json.loads(stored.put_hashmap("docs/x", DATA, 8).content) == [file.name]
    stored.post("docs", b"abcdefgh", query="update")
    assert stored.put_hashmap("docs/x", DATA, 8).status_code == 201
    assert run() == ([], 0)


@pytest.mark.parametrize(
    ("content", "problem"), [(None, "missing"), (b"x" * 96, "damaged"), (b"", "damaged")]
)
def test_bad_maps_are_found(stored, blocks, content, problem):
    file = next(path for path in (blocks.parent / "maps").rglob("*_3"))
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    rows, status = run("--quarantine")
    assert status == 2
    assert [(row["kind"], row["problem"], row["object"]) for row in rows] == [("maps", problem, "x")]
    assert not file.exists()
    assert stored.put_hashmap("docs/x", DATA, 8).status_code in (201, 409, 503)


def test_damage_that_concerns_nobody_is_told_without_an_object(stored, blocks):
    digest = block_store().put(b"orphan")
    block_file(blocks, b"orphan").write_bytes(b"orphaN")
    rows, _ = run()
    assert [(row["name"], row["object"]) for row in rows] == [(digest.hex(), "")]


def test_an_interrupted_run_goes_on_and_remembers_what_it_found(stored, blocks, tmp_path):
    names = sorted(path.name for path in blocks.rglob("*") if path.is_file())
    first = block_digest(b"01234567").hex() if names[0] == block_digest(b"01234567").hex() else names[0]
    path = blocks / first[:2] / first[2:4] / first[4:6] / first
    path.write_bytes(b"bad")
    states: list[Scrub] = []
    result = scrub(
        block_store(),
        contents=True,
        quarantine=False,
        rate=None,
        progress=lambda *_: None,
        start=Scrub(position=names[0]),
        checkpoint=states.append,
    )
    assert not result.findings
    state = tmp_path / "state.json"
    state.write_text(
        json.dumps({"position": names[0], "bytes": 3, "findings": [["blocks", first, "damaged"]]})
    )
    rows, status = run("--state", str(state))
    assert status == 2
    assert {row["name"] for row in rows} == {first}
    assert not state.exists()


def test_a_bad_place_of_the_disk_is_a_finding_and_not_the_end(stored, blocks, monkeypatch):
    bad, read = block_digest(b"abcdefgh").hex(), DirectoryStore.read

    def fail(self, kind, name):
        if name == bad:
            raise BlockStoreError("Input/output error")
        return read(self, kind, name)

    monkeypatch.setattr(DirectoryStore, "read", fail)
    rows, status = run("--quarantine")
    assert status == 2
    assert [(row["name"], row["problem"], row["object"]) for row in rows] == [(bad, "unreadable", "x")]
    assert not block_store().exists(bytes.fromhex(bad))


def test_the_rate_is_kept(stored):
    began = os.times().elapsed
    scrub(block_store(), contents=True, quarantine=False, rate=17 / 0.3, progress=lambda *_: None)
    assert os.times().elapsed - began >= 0.25


@pytest.mark.parametrize("args", [("--rate", "fast"), ("--rate", "0")])
def test_a_wrong_rate_is_refused(db, args):
    with pytest.raises(CommandError, match="rate"):
        call_command("pithos-scrub", *args)
