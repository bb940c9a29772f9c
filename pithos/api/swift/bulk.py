"""Many objects with one request: deleting them, unpacking an archive (object-storage contract 22.2)."""

from __future__ import annotations

import mimetypes
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO
from urllib.parse import unquote

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from pithos.api.bodies import body_blocks, body_length
from pithos.api.rendering import dumps
from pithos.api.swift.service import caller, json_wanted
from pithos.logic import containers, deletes, objects, static_manifests, uploads
from pithos.logic.batches import batches
from pithos.logic.nodes import Address
from pithos.logic.uploads import Wish
from pithos.paths import check_container, check_object
from synnefo.errors import BadRequest, Conflict, NotFound, SynnefoError

MAX_DELETES = 10_000
MAX_LIST_BYTES = 16 << 20
MAX_FILES = 10_000
_MAX_ERRORS = 1000
_MAX_HEADER = 1 << 20
_LONG_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
_KINDS = {"tar": "r|", "tar.gz": "r|gz", "tgz": "r|gz", "tar.bz2": "r|bz2"}


@dataclass
class Report:
    """What became of each item; Swift answers 200 whatever happened and tells the truth in the body."""

    done_name: str
    done: int = 0
    missing: int = 0
    errors: list[tuple[str, str]] = field(default_factory=list)

    def note(self, path: str, error: SynnefoError) -> None:
        """Count an item that failed."""
        if isinstance(error, NotFound):
            self.missing += 1
        elif len(self.errors) < _MAX_ERRORS:
            self.errors.append((path, f"{error.code} {error.message}"[:200]))

    def reply(self, request: HttpRequest, *, body: str = "", ok: str = "200 OK") -> HttpResponse:
        """Return the report as JSON or text."""
        status = "400 Bad Request" if self.errors or body else ok
        fields = {self.done_name: self.done, "Number Not Found": self.missing}
        if self.done_name != "Number Deleted":
            fields.pop("Number Not Found")
        if json_wanted(request):
            document = {**fields, "Response Status": status, "Response Body": body, "Errors": self.errors}
            return HttpResponse(dumps(document).encode(), content_type="application/json")
        lines = [f"{name}: {value}" for name, value in fields.items()]
        lines += [f"Response Status: {status}", f"Response Body: {body}", "Errors:"]
        lines += [f"{path}, {reason}" for path, reason in self.errors]
        return HttpResponse("\n".join(lines).encode(), content_type="text/plain; charset=UTF-8")


def delete_many(request: HttpRequest, account: str) -> HttpResponseBase:
    """Delete the objects and empty containers whose percent-encoded paths are the body's lines."""
    length = body_length(request)
    if length is not None and length > MAX_LIST_BYTES:
        raise BadRequest(f"The list has at most {MAX_LIST_BYTES} bytes.")
    body = b"".join(bytes(block) for block in body_blocks(request, MAX_LIST_BYTES, limit=MAX_LIST_BYTES))
    paths = [unquote(line.strip()) for line in body.decode("utf-8", "replace").splitlines() if line.strip()]
    if len(paths) > MAX_DELETES:
        raise BadRequest(f"At most {MAX_DELETES} items can be deleted at once.")
    return _delete_paths(request, account, paths).reply(request)


def _delete_paths(request: HttpRequest, account: str, paths: list[str]) -> Report:
    report = Report("Number Deleted")
    names: dict[str, list[str]] = {}
    emptied: list[str] = []
    for path in paths:
        container, _, name = path.lstrip("/").partition("/")
        try:
            check_container(container)
            if name:
                names.setdefault(container, []).append(check_object(name))
            else:
                emptied.append(container)
        except BadRequest as error:
            report.note(path, error)
    for container, wanted in names.items():
        # Each batch by itself: the container is open to others between them.
        for batch in batches(list(dict.fromkeys(wanted))):
            _delete_batch(request, account, container, batch, report)
    for container in emptied:
        try:
            deletes.delete_container(caller(request), account=account, container=container)
            report.done += 1
        except Conflict:
            report.errors.append((f"/{container}", "409 Conflict"))
        except SynnefoError as error:
            report.note(f"/{container}", error)
    return report


def _delete_batch(
    request: HttpRequest, account: str, container: str, names: Sequence[str], report: Report
) -> None:
    try:
        found = deletes.delete_objects(caller(request), account=account, container=container, names=names)
    except NotFound:
        report.missing += len(names)
    except SynnefoError as error:
        report.note(f"/{container}", error)
    else:
        report.done += len(found)
        report.missing += len(names) - len(found)


def delete_with_segments(request: HttpRequest, address: Address) -> HttpResponseBase:
    """Delete a static manifest's segments, those of manifests among them too, and then itself."""
    view = objects.show_object(caller(request), address=address, expand=None)
    if not view.version.is_static_manifest:
        raise BadRequest("The object is no static manifest.")
    places = static_manifests.places_of(
        caller(request), account=address.account, segments=static_manifests.kept_in(view.version)
    )
    paths = [f"/{container}/{name}" for container, name in (*places, (address.container, address.name))]
    return _delete_paths(request, address.account, paths).reply(request)


class _Member(tarfile.TarInfo):
    """A member whose long headers, which are read as a whole, cannot fill the memory."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _LONG_HEADERS and self.size > _MAX_HEADER:
            raise tarfile.ReadError("a header is too long")
        found: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]  # not in the stubs
        return found


def extract(request: HttpRequest, account: str, *, container: str, prefix: str) -> HttpResponseBase:
    """Make an object of each file of the archive in the body; one piece of it is in memory at a time."""
    mode = _KINDS.get(request.GET.get("extract-archive", ""))
    if mode is None:
        raise BadRequest(f"extract-archive is one of {', '.join(sorted(_KINDS))}.")
    body_length(request)
    report = Report("Number Files Created")
    blocks = body_blocks(request, 1 << 20)
    try:
        with tarfile.open(fileobj=_Readable(blocks), mode=mode, tarinfo=_Member) as archive:  # type: ignore[call-overload]  # by text
            for member in archive:
                archive.members = []  # or the headers of all files stay in memory
                if member.isfile():
                    if report.done + len(report.errors) >= MAX_FILES:
                        raise BadRequest(f"An archive has at most {MAX_FILES} files.")
                    _extract_one(request, account, container, prefix, archive, member, report)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        return report.reply(request, body=f"Invalid archive: {type(error).__name__}")
    return report.reply(request, ok="201 Created")


def _extract_one(
    request: HttpRequest,
    account: str,
    container: str,
    prefix: str,
    archive: tarfile.TarFile,
    member: tarfile.TarInfo,
    report: Report,
) -> None:
    """Write one file; its name is that of an object and leads nowhere else, whatever dots are in it."""
    path = "/".join(part for part in (container, prefix, member.name.lstrip("./")) if part)
    target, _, name = path.partition("/")
    try:
        address = Address(account, check_container(target), check_object(name))
        if not container:
            containers.put_container(caller(request), account=account, container=target, policy={}, items={})
        file = archive.extractfile(member)
        assert file is not None
        wish = Wish(content_type=mimetypes.guess_type(name)[0])
        uploads.put_data(caller(request), address=address, body=_blocks_of(file), wish=wish)
        report.done += 1
    except SynnefoError as error:
        report.errors.append((path[:1024], f"{error.code} {error.message}"[:200]))


def _blocks_of(file: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: file.read(settings.PITHOS_BACKEND_BLOCK_SIZE), b"")


class _Readable:
    """A body's pieces as a file to read from."""

    def __init__(self, pieces: Iterator[memoryview]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, nothing at the end."""
        while len(self._rest) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._rest += bytes(piece)
        data, self._rest = self._rest[:size], self._rest[size:]
        return data
