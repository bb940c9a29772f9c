"""Static large objects: an object whose data lists others, in whose place theirs is sent (contract 22.2)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import Q

from pithos.blocks.opened import block_store
from pithos.hashing import block_count
from pithos.logic import permissions
from pithos.logic.checksums import checksum_of, joined
from pithos.logic.nodes import Address, not_over
from pithos.models import Availability, Cluster, Version
from pithos.paths import check_container, check_object
from pithos.streams import read_range, store_faults
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Conflict

MAX_SEGMENTS = 1000
MAX_BYTES = 2 << 20
#: How often manifests may stand in manifests, and the segments of all of them together.
MAX_DEPTH = 10
MAX_NESTED = 10_000
#: Bytes of data that a manifest and those in it have in themselves, together.
MAX_INLINE = 8 << 20
#: Container and name of an object of the manifest's account.
Place = tuple[str, str]
#: A version's own data, or bytes of a manifest, from an offset, so many bytes.
Stretch = tuple[Version | bytes, int, int]
_RANGE = re.compile(r"([0-9]{0,18})-([0-9]{0,18})", re.ASCII)


@dataclass(frozen=True)
class Segment:
    """One line of a manifest; ``size`` in bytes, None while unknown; ``is_manifest``: it lists others.

    A line with ``data`` stands for that and names no object.
    """

    container: str
    name: str
    etag: str = ""
    size: int | None = None
    range: str = ""
    is_manifest: bool = False
    data: bytes = b""

    @property
    def path(self) -> str:
        """Return the path as manifests have it."""
        return f"/{self.container}/{self.name}"

    @property
    def place(self) -> Place:
        """Return container and name."""
        return self.container, self.name


@dataclass(frozen=True)
class Sent:
    """What an object sends: MD5 (or MD5 of MD5s), size in bytes, number of stretches, and its segments."""

    etag: str
    size: int
    count: int = 1
    inside: tuple[Found, ...] = ()


@dataclass(frozen=True)
class Found:
    """A segment with its object or data, and the stretch of what that sends that is meant."""

    segment: Segment
    source: Version | bytes
    sent: Sent
    offset: int
    length: int


class BrokenManifest(BadRequest):
    """Segments that are not what the manifest says; ``errors`` are pairs of path and reason."""

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path}: {reason}" for path, reason in errors[:20]))
        self.errors = list(errors)


def parse(body: bytes) -> list[Segment]:
    """Return what a client's manifest lists; raise BadRequest."""
    try:
        items = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The manifest is not JSON.") from error
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_SEGMENTS:
        raise BadRequest(f"A manifest is a list of 1 to {MAX_SEGMENTS} segments.")
    segments = [_segment(number, item) for number, item in enumerate(items)]
    if all(segment.data for segment in segments):
        raise BadRequest("At least one segment must be an object.")
    return segments


def _segment(number: int, item: object) -> Segment:
    if isinstance(item, Mapping) and "data" in item:
        return _inline(number, item)
    if not isinstance(item, Mapping) or not isinstance(item.get("path"), str):
        raise BadRequest(f"Segment {number}: 'path' is missing.")
    container, separator, name = item["path"].lstrip("/").partition("/")
    if not separator:
        raise BadRequest(f"Segment {number}: 'path' must look like /container/object.")
    etag, size, span = item.get("etag") or "", item.get("size_bytes"), item.get("range") or ""
    if not isinstance(etag, str) or len(etag) > 64 or not isinstance(span, str) or len(span) > 40:
        raise BadRequest(f"Segment {number}: 'etag' and 'range' are short texts.")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 0):
        raise BadRequest(f"Segment {number}: 'size_bytes' is a number of bytes.")
    return Segment(
        check_container(container),
        check_object(name),
        etag.strip('"').lower(),
        size,
        span,
        item.get("sub_slo") is True,
    )


def _inline(number: int, item: Mapping[str, object]) -> Segment:
    text = item["data"]
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (ValueError, binascii.Error):
        data = b""
    if not data or len(item) > 1:
        raise BadRequest(f"Segment {number}: 'data' stands alone and is not empty, in base64.")
    return Segment("", "", data=data)


def find(
    credentials: Credentials, *, account: str, segments: Sequence[Segment], target: Place | None = None
) -> list[Found]:
    """Return the objects of ``segments``, which may be static manifests themselves.

    ``target``: where the manifest is to be kept, which it must not contain. Raises Forbidden, Conflict, and
    BrokenManifest for what does not fit.
    """
    return _Resolution(_load(credentials, account, segments, target)).all_of(segments, depth=0)


def places_of(credentials: Credentials, *, account: str, segments: Sequence[Segment]) -> list[Place]:
    """Return every object that the segments need, those of manifests among them included, each once."""
    return list(_load(credentials, account, segments, None).asked)


@dataclass
class _Library:
    """The objects met, and what those among them list that are static manifests."""

    asked: dict[Place, None] = field(default_factory=dict)
    versions: dict[Place, Version] = field(default_factory=dict)
    lists: dict[Place, list[Segment]] = field(default_factory=dict)


def _load(
    credentials: Credentials, account: str, segments: Sequence[Segment], target: Place | None
) -> _Library:
    """Look up all objects, level by level: a few queries for each, however wide it is."""
    library = _Library()
    fresh, count, inline = _objects_in(segments), len(segments), _inline_bytes(segments)
    while fresh:
        places = dict.fromkeys(segment.place for segment in fresh)
        if target in places:
            raise Conflict("A manifest cannot contain itself.")
        for container in {container for container, _ in places}:
            names = [name for place, name in places if place == container]
            permissions.require_all(credentials, account, container, names, write=False)
        library.asked |= places
        versions = _current(account, places)
        library.versions |= versions
        fresh = []
        for place, version in versions.items():
            if version.is_static_manifest:
                library.lists[place] = kept_in(version)
                count += len(library.lists[place])
                inline += _inline_bytes(library.lists[place])
                if count > MAX_NESTED:
                    raise Conflict(f"Manifests in the manifest have more than {MAX_NESTED} segments.")
                if inline > MAX_INLINE:
                    raise Conflict(f"Manifests in the manifest have more than {MAX_INLINE} bytes of data.")
                listed = _objects_in(library.lists[place])
                fresh += [item for item in listed if item.place not in library.asked]
    return library


def _objects_in(segments: Iterable[Segment]) -> list[Segment]:
    return [segment for segment in segments if not segment.data]


def _inline_bytes(segments: Iterable[Segment]) -> int:
    return sum(len(segment.data) for segment in segments)


class _Resolution:
    """Works out what the segments of manifests inside manifests send."""

    def __init__(self, library: _Library) -> None:
        self._library = library
        # Each object is looked into once, whatever comes of it: lists may name each other many times.
        self._outcomes: dict[Place, Sent | str] = {}

    def all_of(self, segments: Sequence[Segment], *, depth: int) -> list[Found]:
        """Return the objects of ``segments``; raise BrokenManifest, or Conflict for endless nesting."""
        if depth > MAX_DEPTH:
            raise Conflict(f"Manifests are nested more than {MAX_DEPTH} times, or in a circle.")
        errors: list[tuple[str, str]] = []
        found: list[Found] = []
        for segment in segments:
            if segment.data:
                sent = Sent(hashlib.md5(segment.data, usedforsecurity=False).hexdigest(), len(segment.data))
                found.append(Found(segment, segment.data, sent, 0, sent.size))
                continue
            version = self._library.versions.get(segment.place)
            if version is None:
                errors.append((segment.path, "404 Not Found"))
                continue
            outcome = self._sent_by(segment.place, version, depth)
            if isinstance(outcome, str):
                errors.append((segment.path, outcome))
                continue
            sent = outcome
            reason = _misfit(segment, version, sent)
            span = None if reason else _span(segment.range, sent.size)
            if span is None:
                errors.append((segment.path, reason or "416 Requested Range Not Satisfiable"))
            else:
                found.append(Found(segment, version, sent, *span))
        if errors:
            raise BrokenManifest(errors)
        return found

    def _sent_by(self, place: Place, version: Version, depth: int) -> Sent | str:
        """Return what an object sends, or why it cannot."""
        if place not in self._outcomes:
            self._outcomes[place] = self._look_into(place, version, depth)
        return self._outcomes[place]

    def _look_into(self, place: Place, version: Version, depth: int) -> Sent | str:
        if place not in self._library.lists:
            return Sent(checksum_of(version), version.size)
        try:
            return sent_by(self.all_of(self._library.lists[place], depth=depth + 1))
        except BrokenManifest as error:
            return f"409 Conflict ({error.message})"[:200]


def sent_by(found: Sequence[Found]) -> Sent:
    """Return what segments send together; raise Conflict if that is too many pieces."""
    count = sum(item.sent.count for item in found)
    if count > MAX_NESTED:
        raise Conflict(f"Manifests in the manifest have more than {MAX_NESTED} segments.")
    return Sent(etag_of(found).strip('"'), sum(item.length for item in found), count, tuple(found))


def stretches(found: Iterable[Found]) -> Iterator[Stretch]:
    """Yield the plain objects' data that ``found`` send, in order."""
    for item in found:
        if not item.sent.inside:
            yield item.source, item.offset, item.length
            continue
        start, end = 0, item.offset + item.length
        for source, offset, length in stretches(item.sent.inside):
            first, last = max(item.offset, start), min(end, start + length)
            if first < last:
                yield source, offset + first - start, last - first
            start += length


def kept_in(version: Version) -> list[Segment]:
    """Return what a kept manifest lists."""
    store = block_store()
    with store_faults():
        digests = store.get_map(version.mapfile, count=block_count(version.size, store.block_size))
        return parse(b"".join(read_range(store, digests, 0, version.size)))


def _current(account: str, places: Iterable[Place]) -> dict[Place, Version]:
    by_container: dict[str, set[str]] = {}
    for container, name in places:
        by_container.setdefault(container, set()).add(name)
    condition = Q()
    for container, names in by_container.items():
        condition |= Q(node__parent__name=container, node__name__in=names)
    rows = Version.objects.filter(
        condition,
        not_over(),
        cluster=Cluster.CURRENT,
        node__parent__parent__name=account,
    ).select_related("node__parent")
    return {(row.node.parent.name, row.node.name): row for row in rows if row.node.parent is not None}


def _misfit(segment: Segment, version: Version, sent: Sent) -> str:
    if version.available != Availability.READY:
        return "409 Conflict"
    if segment.size is not None and segment.size != sent.size:
        return "Size Mismatch"
    if segment.etag and segment.etag != sent.etag:
        return "Etag Mismatch"
    return ""


def _span(text: str, size: int) -> tuple[int, int] | None:
    """Return first byte and length of a manifest's range, None if it is not inside the object."""
    if not text:
        return 0, size
    match = _RANGE.fullmatch(text)
    if match is None or text == "-" or not size:
        return None
    first, last = match.groups()
    if not first:
        length = min(int(last), size)
        return (size - length, length) if length else None
    start, end = int(first), min(int(last) if last else size - 1, size - 1)
    return (start, end - start + 1) if start <= end else None


def etag_of(found: Sequence[Found]) -> str:
    """Return the entity tag of what the segments make up together."""
    return joined(
        item.sent.etag + (f":{item.segment.range};" if item.segment.range else "") for item in found
    )


def dump(found: Sequence[Found]) -> bytes:
    """Return the manifest's kept form, in which every segment has its size and checksum."""
    complete = (
        item.segment
        if isinstance(item.source, bytes)
        else replace(
            item.segment,
            etag=item.sent.etag,
            size=item.sent.size,
            is_manifest=item.source.is_static_manifest,
        )
        for item in found
    )
    return json.dumps([line_of(segment) for segment in complete], ensure_ascii=False).encode()


def line_of(segment: Segment) -> dict[str, Any]:
    """Return a segment as clients write it."""
    if segment.data:
        return {"data": base64.b64encode(segment.data).decode()}
    line: dict[str, Any] = {"path": segment.path, "etag": segment.etag, "size_bytes": segment.size}
    if segment.range:
        line["range"] = segment.range
    if segment.is_manifest:
        line["sub_slo"] = True
    return line


def expand(credentials: Credentials, *, address: Address, manifest: Version) -> Sent:
    """Return what a kept manifest sends; raise Conflict if one of its segments has changed."""
    try:
        return sent_by(find(credentials, account=address.account, segments=kept_in(manifest)))
    except BrokenManifest as error:
        raise Conflict(f"Segments of this object have changed: {error.message}") from error
