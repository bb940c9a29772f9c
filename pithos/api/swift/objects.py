"""Requests to an object in Swift's dialect: reading it, and what is not writing its data."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from pithos.api import downloads, parameters
from pithos.api.bodies import body_blocks, body_length
from pithos.api.headers import object_metadata, request_headers
from pithos.api.rendering import dumps, reply
from pithos.api.swift import bulk, formpost, listing
from pithos.api.swift.changes import address_in, expires_in
from pithos.api.swift.service import caller, is_form, is_signed, timestamp
from pithos.conditions import http_date, parse_conditions, range_applies
from pithos.logic import checksums, deletes, objects, static_manifests, swift_objects, updates
from pithos.logic.nodes import Address
from pithos.logic.objects import MANIFEST, ObjectView
from pithos.logic.uploads import Wish
from pithos.ranges import ByteRange, parse_clamped_range, parse_content_range
from synnefo.errors import BadRequest

VERSION_ID = "X-Object-Version-Id"


def head(request: HttpRequest, account: str, container: str, name: str) -> HttpResponseBase:
    """Show an object."""
    address = parameters.address(request, account, container, name)
    raw = _wants_manifest(request)
    view = tagged(_view(request, address, expand=None if raw else False))
    return downloads.head_reply(request_headers(request), view, _headers(request, view))


def show(request: HttpRequest, account: str, container: str, name: str) -> HttpResponseBase:
    """Send an object's data, or a manifest itself."""
    address = parameters.address(request, account, container, name)
    raw = _wants_manifest(request)
    view = _view(request, address, expand=None if raw else True)
    if raw and view.version.is_static_manifest:
        return _manifest(request, view)
    return _data(request, tagged(view))


def _view(request: HttpRequest, address: Address, *, expand: bool | None) -> ObjectView:
    """Return the object, or the version that ``version-id`` names, with the time of that."""
    serial = request.GET.get("version-id")
    view = objects.show_object(caller(request), address=address, serial=serial, expand=expand)
    return view if serial is None else replace(view, last_modified=view.version.mtime)


def tagged(view: ObjectView) -> ObjectView:
    """Return the view with the entity tag that Swift's clients compare: an MD5, or one of segments' MD5s."""
    if view.segments is not None:
        etag = checksums.joined(checksums.checksum_of(segment) for segment in view.segments)
    elif view.listed is not None:
        etag = f'"{view.listed.etag}"'
    else:
        etag = checksums.checksum_of(view.version)
    return replace(view, etag=etag)


def _wants_manifest(request: HttpRequest) -> bool:
    return request.GET.get("multipart-manifest") == "get"


def _data(request: HttpRequest, view: ObjectView) -> HttpResponseBase:
    sent = request_headers(request)
    downloads.check_conditions(sent, view)
    objects.require_available(view.version)
    headers = _headers(request, view)
    ranges = None
    if range_applies(sent.get("if-range"), view.etag, view.last_modified):
        ranges = parse_clamped_range(sent.get("range"), view.size)
    if ranges is None:
        return downloads.single_reply(view, headers, ByteRange(0, view.size), 200)
    if len(ranges) == 1:
        headers["Content-Range"] = downloads.content_range(ranges[0], view.size)
        return downloads.single_reply(view, headers, ranges[0], 206)
    return downloads.multipart_reply(view, headers, ranges, content_type=view.version.type)


def _headers(request: HttpRequest, view: ObjectView) -> dict[str, str]:
    version = view.version
    headers = {
        "ETag": view.etag,
        "Last-Modified": http_date(view.last_modified),
        "X-Timestamp": timestamp(view.last_modified),
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
    }
    if version.expires is not None:
        headers["X-Delete-At"] = str(int(version.expires.timestamp()))
    if version.is_static_manifest:
        headers["X-Static-Large-Object"] = "True"
    if not is_signed(request):
        return headers | {VERSION_ID: str(version.pk)} | view.metadata
    kept = ("Content-Encoding", "Content-Disposition", MANIFEST)
    headers |= {key: view.metadata[key] for key in kept if key in view.metadata}
    headers["Content-Disposition"] = _disposition(request, view)
    return headers


def _disposition(request: HttpRequest, view: ObjectView) -> str:
    """Return the file name for who opens a signed address: the one in it, or the object's."""
    kind = "inline" if "inline" in request.GET else "attachment"
    name = request.GET.get("filename") or view.address.name.rstrip("/").rpartition("/")[2]
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in name)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _manifest(request: HttpRequest, view: ObjectView) -> HttpResponse:
    """Return a static manifest: as it was sent, or as it is kept with what is known of each segment."""
    segments = static_manifests.kept_in(view.version)
    if request.GET.get("format") == "raw":
        lines = [static_manifests.line_of(segment) for segment in segments]
    else:
        lines = [
            static_manifests.line_of(segment)
            if segment.data
            else {
                "name": segment.path,
                "bytes": segment.size,
                "hash": segment.etag,
                "content_type": "application/octet-stream",
                "last_modified": listing.moment(view.last_modified),
                **({"range": segment.range} if segment.range else {}),
                **({"sub_slo": True} if segment.is_manifest else {}),
            }
            for segment in segments
        ]
    headers = {"ETag": checksums.checksum_of(view.version), "X-Static-Large-Object": "True"}
    return reply("json", dumps(lines), status=200, headers=headers)


def post(request: HttpRequest, account: str, container: str, name: str) -> HttpResponseBase:
    """Change an object's metadata, type and end, or a part of its data, or take a form's files."""
    if is_form(request):
        return formpost.receive(request, account, container, name)
    address = parameters.address(request, account, container, name)
    refuse_version(request)
    headers = request_headers(request)
    if is_signed(request):
        # Who was given an address must not make it show other objects of its owner.
        headers.pop(MANIFEST.lower(), None)
    if "content-range" in headers or "x-source-object" in headers:
        return _update_data(request, address, headers)
    swift_objects.post_object(
        caller(request),
        address=address,
        items=object_metadata(headers),
        content_type=headers["content-type"] or None,
        expires=expires_in(headers),
    )
    return reply("text", status=202)


def _update_data(request: HttpRequest, address: Address, headers: dict[str, str]) -> HttpResponseBase:
    content_range = parse_content_range(headers.get("content-range"))
    source = None
    body = None
    if "x-source-object" in headers:
        owner = headers.get("x-source-account") or address.account
        source = address_in(headers["x-source-object"], "X-Source-Object", owner)
    else:
        length = body_length(request)
        if length is not None and content_range.length is not None and content_range.length != length:
            raise BadRequest("Content-Length is not the length of Content-Range.")
        body = body_blocks(request, settings.PITHOS_BACKEND_BLOCK_SIZE, limit=content_range.length)
    change = updates.DataUpdate(
        content_range=content_range, body=body, source=source, serial=headers.get("x-source-version")
    )
    wish = Wish(conditions=parse_conditions(headers), by_md5=True)
    updates.update_object_data(caller(request), address=address, change=change, wish=wish, merge=True)
    return reply("text", status=204)


def refuse_version(request: HttpRequest) -> None:
    """Raise BadRequest if a version is named where only the object itself can be changed."""
    if "version-id" in request.GET:
        raise BadRequest("A version is never changed: copy it, and change the copy.")


def delete(request: HttpRequest, account: str, container: str, name: str) -> HttpResponseBase:
    """Delete an object or one of its versions, and with a static manifest, if asked, all its segments."""
    address = parameters.address(request, account, container, name)
    serial = request.GET.get("version-id")
    if serial is not None:
        deletes.delete_version(caller(request), address=address, serial=serial)
        return reply("text", status=204, headers={VERSION_ID: serial})
    if request.GET.get("multipart-manifest") == "delete":
        return bulk.delete_with_segments(request, address)
    deletes.delete_object(caller(request), address=address)
    return reply("text", status=204)
