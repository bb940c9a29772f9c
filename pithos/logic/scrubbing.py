"""Checking the store: are all blocks and maps there that objects need, and is their content right?"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pithos.blocks import BlockMissing, BlockStore, BlockStoreError, StoreUnavailable
from pithos.logic.references import (
    BUCKETS,
    Buckets,
    Finding,
    Progress,
    collect_references,
    problem_of,
    work_directory,
)

_CHECKPOINT_SECONDS = 5.0


@dataclass
class Scrub:
    """What was checked and found; ``position`` is the last block whose content was checked, "" at the end."""

    maps: int = 0
    blocks: int = 0
    bytes: int = 0
    position: str = ""
    findings: set[Finding] = field(default_factory=set)


def scrub(
    store: BlockStore,
    *,
    contents: bool,
    quarantine: bool,
    rate: float | None,
    progress: Progress,
    start: Scrub | None = None,
    checkpoint: Callable[[Scrub], None] = lambda _: None,
) -> Scrub:
    """Check every map that objects name, that their blocks are there, and (``contents``) every stored block.

    quarantine: move what is damaged aside. rate: bytes a second that are read at most. start: go on with an
    interrupted run's checks of content; presence is always checked anew. checkpoint: told the state now and
    then. Raises BlockStoreError if the store does not answer.
    """
    result = start or Scrub()
    # Presence is looked at anew; only the results of reading are kept.
    result.findings = {f for f in result.findings if f.kind == "blocks" and f.problem != "missing"}
    with tempfile.TemporaryDirectory(prefix="pithos-scrub-", dir=work_directory()) as directory:
        references = collect_references(store, directory, progress)
        result.maps = references.maps
        result.findings.update(references.damaged)
        present = Buckets(directory, "present", store.digest_size)
        result.blocks = 0
        for entry in store.entries("blocks"):
            result.blocks += 1
            present.add(bytes.fromhex(entry.name))
            if result.blocks % 1000 == 0:
                share = store.share_done("blocks", entry.name, result.blocks)
                progress("listing blocks", share, result.blocks)
        present.close()
        result.findings.update(_missing(store, references.digests, present))
    if contents:
        _check_contents(store, result, rate, progress, checkpoint)
    if quarantine:
        for finding in result.findings:
            if finding.problem != "missing":
                _quarantine(store, finding)
    checkpoint(result)
    return result


def _missing(store: BlockStore, referenced: Buckets, present: Buckets) -> Iterator[Finding]:
    for bucket in range(BUCKETS):
        absent = set(referenced.records(bucket))
        for digest in present.records(bucket):
            absent.discard(digest)
        for digest in absent:
            # What was sent again meanwhile is fine.
            if store.stat("blocks", digest.hex()) is None:
                yield Finding("blocks", digest.hex(), "missing")


def _check_contents(
    store: BlockStore,
    result: Scrub,
    rate: float | None,
    progress: Progress,
    checkpoint: Callable[[Scrub], None],
) -> None:
    began, read, checked = time.monotonic(), 0, 0
    saved = began
    for entry in store.entries("blocks", after=result.position):
        checked += 1
        try:
            content = store.read("blocks", entry.name)
        except BlockMissing:
            continue  # collected meanwhile, or already found missing
        except StoreUnavailable:
            raise
        except BlockStoreError as error:  # a bad place of the disk is a finding, not the end of the search
            result.findings.add(Finding("blocks", entry.name, problem_of(error)))
            continue
        if not store.is_good("blocks", entry.name, content):
            result.findings.add(Finding("blocks", entry.name, "damaged"))
        read += len(content)
        result.bytes += len(content)
        result.position = entry.name
        if rate is not None and (ahead := read / rate - (time.monotonic() - began)) > 0:
            time.sleep(ahead)
        if time.monotonic() - saved > _CHECKPOINT_SECONDS:
            saved = time.monotonic()
            checkpoint(result)
        if checked % 50 == 0:
            progress("checking blocks", store.share_done("blocks", entry.name, checked), checked)
    result.position = ""


def _quarantine(store: BlockStore, finding: Finding) -> None:
    """Move a block or map aside if it still is damaged."""
    try:
        content = store.read(finding.kind, finding.name)
    except BlockMissing:
        return
    except StoreUnavailable:
        raise
    except BlockStoreError:
        content = b""
    if not store.is_good(finding.kind, finding.name, content):
        store.set_aside(finding.kind, finding.name)
