"""Copying all blocks and maps from one kind of store to another (object-storage contract 19.1)."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

from pithos.blocks import KINDS, BlockMissing, BlockStore, BlockStoreError, Entry, Kind, StoreUnavailable
from pithos.hashing import trimmed_length
from pithos.logic.references import Finding, Progress

Outcome = Literal["copied", "present", "gone", "damaged"]


@dataclass
class Migration:
    """What was done; ``bytes`` are those copied, ``damaged`` what the source holds but cannot be trusted."""

    copied: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    present: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    bytes: int = 0
    damaged: list[Finding] = field(default_factory=list)


def migrate(
    source: BlockStore,
    target: BlockStore,
    *,
    deep: bool,
    dry_run: bool,
    threads: int,
    progress: Progress,
) -> Migration:
    """Copy what the target lacks: blocks first, so that a map there never names a block that is not.

    What is there with the same size is taken as copied, which is how an interrupted run goes on; ``deep``
    compares its content. Everything read is checked against its name, everything written is looked at again.
    Raises BlockStoreError if a store does not answer or is full.
    """
    result = Migration()
    with ThreadPoolExecutor(threads, thread_name_prefix="migrate") as pool:
        for kind in KINDS:
            _migrate_kind(source, target, kind, result, pool, threads, deep, dry_run, progress)
    return result


def _migrate_kind(
    source: BlockStore,
    target: BlockStore,
    kind: Kind,
    result: Migration,
    pool: ThreadPoolExecutor,
    threads: int,
    deep: bool,
    dry_run: bool,
    progress: Progress,
) -> None:
    running: deque[tuple[Entry, Future[Outcome]]] = deque()
    seen = 0

    def finish_one() -> None:
        nonlocal seen
        entry, future = running.popleft()
        outcome = future.result()
        seen += 1
        if outcome == "damaged":
            result.damaged.append(Finding(kind, entry.name, "damaged"))
        elif outcome == "copied":
            result.copied[kind] += 1
            result.bytes += entry.size
        elif outcome == "present":
            result.present[kind] += 1
        if seen % 20 == 0:
            progress(f"copying {kind}", source.share_done(kind, entry.name, seen), seen)

    try:
        for entry in source.entries(kind):
            if len(running) >= 2 * threads:
                finish_one()
            running.append((entry, pool.submit(_copy, source, target, kind, entry, deep, dry_run)))
        while running:
            finish_one()
    finally:
        for _, future in running:
            future.cancel()


def _copy(
    source: BlockStore, target: BlockStore, kind: Kind, entry: Entry, deep: bool, dry_run: bool
) -> Outcome:
    there = target.stat(kind, entry.name)
    if there is not None and there.size == entry.size and not deep:
        return "present"
    try:
        content = source.read(kind, entry.name)
    except BlockMissing:
        return "gone"
    except StoreUnavailable:
        raise
    except BlockStoreError:
        return "damaged"
    if not source.is_good(kind, entry.name, content):
        return "damaged"
    if kind == "blocks":
        content = content[: trimmed_length(content)]
    if there is not None and _is_there(target, kind, entry.name, content, deep):
        return "present"
    if dry_run:
        return "copied"
    if kind == "blocks":
        target.put(content)
    else:
        target.put_map_content(entry.name, content)
    return "copied" if _is_there(target, kind, entry.name, content, deep) else "damaged"


def _is_there(target: BlockStore, kind: Kind, name: str, content: bytes, deep: bool) -> bool:
    """Tell whether the target holds ``content``, but for trailing NULs of older installations."""
    if not deep:
        there = target.stat(kind, name)
        return there is not None and there.size == len(content)
    try:
        stored = target.read(kind, name)
    except BlockMissing:
        return False
    if kind == "blocks":
        stored = stored[: trimmed_length(stored)]
    return stored == content
