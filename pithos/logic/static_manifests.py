"""Static large objects: an object whose data lists others, in whose place theirs is sent (contract 22.2)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Q

from pithos.logic import permissions
from pithos.logic.checksums import checksum_of, joined
from pithos.logic.nodes import Address
from pithos.models import Availability, Cluster, Version
from pithos.paths import check_container, check_object
from synnefo import clock
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Conflict

MAX_SEGMENTS = 1000
MAX_BYTES = 2 << 20
_RANGE = re.compile(r"([0-9]{0,18})-([0-9]{0,18})", re.ASCII)


@dataclass(frozen=True)
class Segment:
    """One line of a manifest; ``size`` and ``span`` (first byte, number of bytes) None while unknown."""

    container: str
    name: str
    etag: str = ""
    size: int | None = None
    range: str = ""

    @property
    def path(self) -> str:
        """Return the path as manifests have it."""
        return f"/{self.container}/{self.name}"


@dataclass(frozen=True)
class Found:
    """A segment with its object, and the stretch of it that is meant."""

    segment: Segment
    version: Version
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
    return [_segment(number, item) for number, item in enumerate(items)]


def _segment(number: int, item: object) -> Segment:
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
    return Segment(check_container(container), check_object(name), etag.strip('"').lower(), size, span)


def find(credentials: Credentials, *, account: str, segments: Sequence[Segment]) -> list[Found]:
    """Return the objects of ``segments``; raise Forbidden, or BrokenManifest for what does not fit."""
    versions = _current(account, segments)
    for container in {segment.container for segment in segments}:
        names = [segment.name for segment in segments if segment.container == container]
        permissions.require_all(credentials, account, container, names, write=False)
    errors: list[tuple[str, str]] = []
    found: list[Found] = []
    for segment in segments:
        version = versions.get((segment.container, segment.name))
        reason = _misfit(segment, version)
        span = None if version is None or reason else _span(segment.range, version.size)
        if span is None or version is None:
            errors.append((segment.path, reason or "416 Requested Range Not Satisfiable"))
        else:
            found.append(Found(segment, version, *span))
    if errors:
        raise BrokenManifest(errors)
    return found


def _current(account: str, segments: Sequence[Segment]) -> dict[tuple[str, str], Version]:
    by_container: dict[str, set[str]] = {}
    for segment in segments:
        by_container.setdefault(segment.container, set()).add(segment.name)
    condition = Q()
    for container, names in by_container.items():
        condition |= Q(node__parent__name=container, node__name__in=names)
    rows = Version.objects.filter(
        condition,
        Q(expires=None) | Q(expires__gt=clock.now()),
        cluster=Cluster.CURRENT,
        node__parent__parent__name=account,
    ).select_related("node__parent")
    return {(row.node.parent.name, row.node.name): row for row in rows if row.node.parent is not None}


def _misfit(segment: Segment, version: Version | None) -> str:
    if version is None:
        return "404 Not Found"
    if version.is_static_manifest or version.available != Availability.READY:
        return "409 Conflict"
    if segment.size is not None and segment.size != version.size:
        return "Size Mismatch"
    if segment.etag and segment.etag != checksum_of(version):
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
        checksum_of(item.version) + (f":{item.segment.range};" if item.segment.range else "")
        for item in found
    )


def dump(found: Sequence[Found]) -> bytes:
    """Return the manifest's kept form, in which every segment has its size and checksum."""
    complete = (
        replace(item.segment, etag=checksum_of(item.version), size=item.version.size) for item in found
    )
    return json.dumps([line_of(segment) for segment in complete], ensure_ascii=False).encode()


def line_of(segment: Segment) -> dict[str, Any]:
    """Return a segment as clients write it."""
    line: dict[str, Any] = {"path": segment.path, "etag": segment.etag, "size_bytes": segment.size}
    return {**line, "range": segment.range} if segment.range else line


def expand(credentials: Credentials, *, address: Address, manifest: bytes) -> list[Found]:
    """Return the objects that a kept manifest stands for; raise Conflict if one of them has changed."""
    try:
        return find(credentials, account=address.account, segments=parse(manifest))
    except BrokenManifest as error:
        raise Conflict(f"Segments of this object have changed: {error.message}") from error
