"""Garbage collection: removing blocks and maps that no version refers to (object-storage contract 19.2).

Why an upload at the same time is safe: whatever a new version refers to was presence-tested after its map was
worked out and before it was committed (`BlockStore.put_map`), and a presence test makes a block young. So a
block is either referred to by a version committed before the look at the database, or young, or its presence
test fails and the client sends it again. Copies keep their source locked, so that one of the two is seen.
Removing looks at the age again in the very moment.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field

from pithos.blocks import BlockStore
from pithos.logic.references import (
    BUCKETS,
    Buckets,
    Finding,
    Progress,
    References,
    collect_references,
    late_references,
    work_directory,
)
from pithos.models import AccountBlock, Version
from synnefo.db.single_run import single_run

_ACCOUNT_BLOCKS = 20000
_MAPS = 500


@dataclass
class Collection:
    """What a run found and did; ``blocks``, ``maps`` and ``bytes`` are removed, or would be in a dry run.

    ``damaged`` are maps of living objects that cannot be read: then no block is removed, because theirs are
    not known.
    """

    referenced_maps: int = 0
    seen_blocks: int = 0
    blocks: int = 0
    bytes: int = 0
    maps: int = 0
    damaged: list[Finding] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Tell whether blocks were collected too."""
        return not self.damaged


def collect(store: BlockStore, *, unused_since: float, dry_run: bool, progress: Progress) -> Collection:
    """Remove blocks and maps that nothing refers to and that were last used before ``unused_since``.

    unused_since: epoch seconds. Raises Conflict while another collection runs, BlockStoreError if the store
    does not answer.
    """
    with (
        single_run("pithos-gc"),
        tempfile.TemporaryDirectory(prefix="pithos-gc-", dir=work_directory()) as directory,
    ):
        references = collect_references(store, directory, progress)
        result = Collection(referenced_maps=references.maps, damaged=references.damaged)
        if not references.damaged:
            _sweep_blocks(store, references, directory, result, unused_since, dry_run, progress)
        _sweep_maps(store, result, unused_since, dry_run, progress)
    return result


def _sweep_blocks(
    store: BlockStore,
    references: References,
    directory: str,
    result: Collection,
    unused_since: float,
    dry_run: bool,
    progress: Progress,
) -> None:
    old = Buckets(directory, "old", store.digest_size + 8)
    tidy_before = None if dry_run else unused_since
    for entry in store.entries("blocks", tidy_before=tidy_before):
        result.seen_blocks += 1
        if entry.used < unused_since:
            old.add(bytes.fromhex(entry.name) + entry.size.to_bytes(8, "big"))
        if result.seen_blocks % 1000 == 0:
            share = store.share_done("blocks", entry.name, result.seen_blocks)
            progress("listing blocks", share, result.seen_blocks)
    old.close()
    late: set[bytes] = set()
    removed: list[bytes] = []
    for bucket in range(BUCKETS):
        sizes = {
            r[: store.digest_size]: int.from_bytes(r[store.digest_size :], "big") for r in old.records(bucket)
        }
        for digest in references.digests.records(bucket):
            sizes.pop(digest, None)
        if sizes:
            late_references(store, references, late)
        for digest, size in sizes.items():
            if references.damaged:  # a map went bad meanwhile
                return
            if digest not in late and (
                dry_run or store.discard("blocks", digest.hex(), unused_since=unused_since)
            ):
                result.blocks += 1
                result.bytes += size
                removed.append(digest)
        if not dry_run and (len(removed) >= _ACCOUNT_BLOCKS or bucket == BUCKETS - 1):
            _forget(store, removed)
            removed = []
        progress("removing blocks", (bucket + 1) / BUCKETS, result.blocks)


def _forget(store: BlockStore, removed: list[bytes]) -> None:
    """Remove the notes of which account has had these blocks, but for those just sent again."""
    gone = [digest for digest in removed if store.stat("blocks", digest.hex()) is None]
    for start in range(0, len(gone), _ACCOUNT_BLOCKS):
        AccountBlock.objects.filter(digest__in=gone[start : start + _ACCOUNT_BLOCKS]).delete()


def _sweep_maps(
    store: BlockStore, result: Collection, unused_since: float, dry_run: bool, progress: Progress
) -> None:
    old: list[str] = []
    entries = store.entries("maps", tidy_before=None if dry_run else unused_since)
    for seen, entry in enumerate(entries, start=1):
        if entry.used < unused_since:
            old.append(entry.name)
        if len(old) >= _MAPS:
            result.maps += _remove_maps(store, old, unused_since, dry_run)
            old = []
        if seen % 1000 == 0:
            progress("removing maps", store.share_done("maps", entry.name, seen), result.maps)
    result.maps += _remove_maps(store, old, unused_since, dry_run)


def _remove_maps(store: BlockStore, names: list[str], unused_since: float, dry_run: bool) -> int:
    used = set(Version.objects.filter(mapfile__in=names).values_list("mapfile", flat=True))
    return sum(
        dry_run or store.discard("maps", name, unused_since=unused_since)
        for name in names
        if name not in used
    )
