"""Which blocks the versions of all objects refer to, worked out in bounded memory.

Digests are written to up to 256 files by their first byte, so that afterwards only one part in 256 is in
memory at a time: 100 million blocks make 3.2 GB of files and sets of 400,000.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from django.conf import settings

from pithos.blocks import BlockCorrupt, BlockMissing, BlockStore, BlockStoreError, Kind, StoreUnavailable
from pithos.hashing import block_count
from pithos.models import Availability, Cluster, Version

BUCKETS = 256
#: Version numbers are drawn before their transactions end; so many below the highest are looked at again.
_LATE = 1000

#: Told now and then: what is being done, the share that is done (0 to 1, None if unknown), and how many.
Progress = Callable[[str, float | None, int], None]

Problem = Literal["missing", "damaged", "unreadable"]


@dataclass(frozen=True, order=True)
class Finding:
    """A block or map that is not as it should be."""

    kind: Kind
    name: str
    problem: Problem


class Buckets:
    """Records that begin with a digest, in up to 256 files of ``directory``; ``width`` bytes each."""

    def __init__(self, directory: str, label: str, width: int) -> None:
        self._width = width
        self._path = str(Path(directory) / label)
        self._stack = contextlib.ExitStack()
        # Small stores need few of the files.
        self._files: dict[int, IO[bytes]] = {}

    def add(self, record: bytes) -> None:
        """Keep a record."""
        number = record[0]
        if number not in self._files:
            file = open(f"{self._path}-{number:02x}", "wb", buffering=1 << 15)  # noqa: SIM115  (see close)
            self._files[number] = self._stack.enter_context(file)
        self._files[number].write(record)

    def close(self) -> None:
        """Finish writing."""
        self._stack.close()

    def records(self, number: int) -> Iterator[bytes]:
        """Yield the records of one file."""
        if number in self._files:
            with open(f"{self._path}-{number:02x}", "rb") as file:
                while record := file.read(self._width):
                    yield record


@dataclass
class References:
    """What was found: digests by bucket, maps that cannot be read, versions looked at.

    ``highest`` is the number of the youngest version seen; ``young_maps`` are those of versions near it.
    """

    digests: Buckets
    damaged: list[Finding] = field(default_factory=list)
    maps: int = 0
    highest: int = 0
    young_maps: set[tuple[str, int]] = field(default_factory=set)


def collect_references(store: BlockStore, directory: str, progress: Progress) -> References:
    """Read every map that any version of any object names.

    One statement, so what it sees is one moment of the database. Raises BlockStoreError if the store does
    not answer; damaged maps are noted.
    """
    found = References(Buckets(directory, "referenced", store.digest_size))
    found.highest = Version.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    previous: tuple[str, int] | None = None
    for serial, mapfile, count, is_ready in _maps(store):
        if serial > found.highest - _LATE:
            found.young_maps.add((mapfile, count))
        if (mapfile, count) == previous:
            continue
        previous = (mapfile, count)
        found.maps += 1
        for digest in _digests(store, mapfile, count, is_ready, found.damaged):
            found.digests.add(digest)
        if found.maps % 1000 == 0:
            progress("reading maps", None, found.maps)
    found.digests.close()
    return found


def late_references(store: BlockStore, found: References, known: set[bytes]) -> None:
    """Add to ``known`` what versions refer to that were committed since ``collect_references``."""
    rows = Version.objects.filter(pk__gt=found.highest - _LATE).exclude(mapfile=None)
    for mapfile, size, available in rows.values_list("mapfile", "size", "available"):
        key = (str(mapfile), block_count(size, store.block_size))
        if key not in found.young_maps:
            found.young_maps.add(key)
            known.update(_digests(store, *key, available == Availability.READY, found.damaged))


def _maps(store: BlockStore) -> Iterator[tuple[int, str, int, bool]]:
    """Yield number, map, count of blocks and readiness of each version, equal maps one after the other."""
    rows = Version.objects.exclude(mapfile=None).exclude(size=0).order_by("mapfile")
    for serial, mapfile, size, available in rows.values_list("pk", "mapfile", "size", "available").iterator(
        chunk_size=5000
    ):
        ready = available == Availability.READY
        yield serial, str(mapfile), block_count(size, store.block_size), ready


def _digests(
    store: BlockStore, mapfile: str, count: int, is_ready: bool, damaged: list[Finding]
) -> list[bytes]:
    """Return the real blocks of a map; what is wrong with it is noted, if its data should be readable."""
    try:
        if not store.is_name("maps", mapfile):
            raise BlockMissing(mapfile)
        return [digest for digest in store.get_map(mapfile, count=count) if digest != store.empty]
    except StoreUnavailable:
        raise
    except BlockStoreError as error:
        if is_ready:
            damaged.append(Finding("maps", mapfile, problem_of(error)))
        return []


def problem_of(error: BlockStoreError) -> Problem:
    """Return how a report calls what was met at one block or map."""
    if isinstance(error, BlockMissing):
        return "missing"
    return "damaged" if isinstance(error, BlockCorrupt) else "unreadable"


@dataclass(frozen=True)
class Hit:
    """A version that a damaged or missing block or map concerns."""

    finding: Finding
    account: str
    container: str
    object: str
    version: int
    is_current: bool


def hits_of(store: BlockStore, findings: list[Finding], progress: Progress) -> Iterator[Hit]:
    """Yield the versions that ``findings`` concern: every map is read once more if there are bad blocks."""
    by_map: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.kind == "maps":
            by_map.setdefault(finding.name, []).append(finding)
    bad = {bytes.fromhex(finding.name): finding for finding in findings if finding.kind == "blocks"}
    if bad:
        previous, seen = None, 0
        for _, mapfile, count, is_ready in _maps(store):
            if (mapfile, count) == previous:
                continue
            previous, seen = (mapfile, count), seen + 1
            if seen % 1000 == 0:
                progress("looking for objects", None, seen)
            for digest in bad.keys() & set(_digests(store, mapfile, count, is_ready, [])):
                by_map.setdefault(mapfile, []).append(bad[digest])
    names = sorted(by_map)
    for start in range(0, len(names), 500):
        rows = Version.objects.filter(mapfile__in=names[start : start + 500])
        for version in rows.select_related("node__parent__parent").order_by("pk").iterator(chunk_size=2000):
            container = version.node.parent
            if container is None or container.parent is None:
                continue
            for finding in by_map[str(version.mapfile)]:
                yield Hit(
                    finding,
                    container.parent.name,
                    container.name,
                    version.node.name,
                    version.pk,
                    version.cluster == Cluster.CURRENT,
                )


def work_directory() -> str | None:
    """Return where temporary files of these jobs go, None for the system's place."""
    return str(settings.PITHOS_WORK_DIRECTORY) or None
