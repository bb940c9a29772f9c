"""Writing objects in Swift's dialect: a body, a manifest, a copy (object-storage contract 22.2)."""

from __future__ import annotations

import mimetypes
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from pithos.api import parameters
from pithos.api.bodies import MAX_BODY, body_blocks, body_length
from pithos.api.headers import object_metadata, request_headers
from pithos.api.rendering import reply
from pithos.api.swift import bulk
from pithos.api.swift.changes import PREFIX, address_in, expires_in
from pithos.api.swift.objects import VERSION_ID, refuse_version, tagged
from pithos.api.swift.service import caller, is_signed
from pithos.conditions import http_date, parse_conditions
from pithos.logic import copies, objects, static_manifests, uploads
from pithos.logic.metadata import merged, swift_limits
from pithos.logic.nodes import Address
from pithos.logic.objects import MANIFEST, ObjectView
from pithos.logic.uploads import Wish, Written
from pithos.ranges import ByteRange, parse_clamped_range
from synnefo.errors import BadRequest, RequestTooLarge, Unprocessable

_DEFAULT_TYPE = "application/octet-stream"


def put(request: HttpRequest, account: str, container: str, name: str) -> HttpResponseBase:
    """Write an object from the body, from a list of segments, or from another object."""
    if parameters.flag(request, "extract-archive"):
        return bulk.extract(request, account, container=container, prefix=name)
    address = parameters.address(request, account, container, name)
    refuse_version(request)
    headers = request_headers(request)
    if "x-copy-from" in headers:
        return _copy_here(request, address, headers)
    if request.GET.get("multipart-manifest") == "put":
        return _put_manifest(request, address, headers)
    length = body_length(request)
    wish = wish_of(request, headers, address.name)
    written = uploads.put_data(
        caller(request),
        address=address,
        body=body_blocks(request, settings.PITHOS_BACKEND_BLOCK_SIZE),
        wish=wish,
        md5=headers.get("etag", "").strip('"'),
        length=length,
    )
    return _created(written.checksum, written)


def _created(etag: str, written: Written, **more: str) -> HttpResponseBase:
    headers = {"ETag": etag, "Last-Modified": http_date(written.modified), VERSION_ID: str(written.version)}
    return reply("text", status=201, headers=headers | more)


def wish_of(request: HttpRequest, headers: dict[str, str], name: str) -> Wish:
    """Return what the headers say about the object; a missing type is guessed from the name."""
    items = object_metadata(headers)
    if is_signed(request):
        # Who was given an address must not make it show other objects of its owner.
        items.pop(MANIFEST, None)
    detect = headers.get("x-detect-content-type", "").lower() in ("true", "1", "yes", "on")
    given = "" if detect else headers["content-type"]
    return Wish(
        content_type=given or mimetypes.guess_type(name)[0] or _DEFAULT_TYPE,
        metadata=items,
        conditions=parse_conditions(headers),
        expires=expires_in(headers),
        limits=swift_limits(),
        by_md5=True,
    )


def _put_manifest(request: HttpRequest, address: Address, headers: dict[str, str]) -> HttpResponseBase:
    """Keep a list of segments after a look at each of them."""
    length = body_length(request)
    if length is None or length > static_manifests.MAX_BYTES:
        raise RequestTooLarge(f"A manifest has at most {static_manifests.MAX_BYTES} bytes.")
    body = b"".join(bytes(block) for block in body_blocks(request, settings.PITHOS_BACKEND_BLOCK_SIZE))
    found = static_manifests.find(
        caller(request),
        account=address.account,
        segments=static_manifests.parse(body),
        target=(address.container, address.name),
    )
    etag = f'"{static_manifests.sent_by(found).etag}"'
    given = headers.get("etag", "").strip('"').lower()
    if given and given != etag.strip('"'):
        raise Unprocessable("The segments' MD5 is not the one of the ETag header.")
    wish = wish_of(request, headers, address.name)
    written = uploads.put_data(
        caller(request),
        address=address,
        body=uploads.in_blocks([static_manifests.dump(found)]),
        wish=uploads.as_static_manifest(wish),
    )
    return _created(etag, written)


def copy(request: HttpRequest, account: str, container: str, name: str) -> HttpResponseBase:
    """Copy this object to the path of the Destination header."""
    source = parameters.address(request, account, container, name)
    headers = request_headers(request)
    goal = headers.get("destination-account") or account
    target = address_in(headers.get("destination"), "Destination", goal)
    return _copied(request, headers, source, target)


def move(request: HttpRequest, account: str, container: str, name: str) -> HttpResponseBase:
    """Move this object, or a manifest as it is, to the path of the Destination header."""
    source = parameters.address(request, account, container, name)
    refuse_version(request)
    headers, credentials = request_headers(request), caller(request)
    target = address_in(
        headers.get("destination"), "Destination", headers.get("destination-account") or account
    )
    view = tagged(objects.show_object(credentials, address=source, expand=None))
    parse_conditions(headers).check_write(view.etag)
    wish = _merged_wish(headers)
    written = copies.copy_object(credentials, source=source, target=target, wish=wish, move=True)
    return _created(view.etag, written)


def _merged_wish(headers: dict[str, str]) -> Wish:
    """Return what the headers put on top of what a source has."""
    return Wish(
        content_type=headers["content-type"] or None,
        metadata=object_metadata(headers),
        expires=expires_in(headers),
        limits=swift_limits(),
    )


def _copy_here(request: HttpRequest, target: Address, headers: dict[str, str]) -> HttpResponseBase:
    if body_length(request):
        raise BadRequest("X-Copy-From and a body exclude each other.")
    origin = headers.get("x-copy-from-account") or target.account
    return _copied(request, headers, address_in(headers["x-copy-from"], "X-Copy-From", origin), target)


def _copied(
    request: HttpRequest, headers: dict[str, str], source: Address, target: Address
) -> HttpResponseBase:
    credentials = caller(request)
    fresh = headers.get("x-fresh-metadata", "").lower() in ("true", "1", "yes", "on")
    raw = request.GET.get("multipart-manifest") == "get"
    serial = request.GET.get("version-id") if request.method == "COPY" else None
    view = tagged(
        objects.show_object(credentials, address=source, serial=serial, expand=None if raw else True)
    )
    parse_conditions(headers).check_write(view.etag)
    more = {
        "X-Copied-From": quote(f"{source.container}/{source.name}"),
        "X-Copied-From-Account": f"{PREFIX}{source.account}",
        "X-Copied-From-Last-Modified": http_date(view.last_modified),
    }
    if view.segments is not None or view.listed is not None or fresh or "range" in headers:
        return _copied_data(request, headers, view, target, more, keeps=not fresh)
    wish = _merged_wish(headers)
    written = copies.copy_object(credentials, source=source, target=target, wish=wish, serial=serial)
    return _created(view.etag, written, **more)


def _copied_data(
    request: HttpRequest,
    headers: dict[str, str],
    view: ObjectView,
    target: Address,
    more: dict[str, str],
    *,
    keeps: bool,
) -> HttpResponseBase:
    """Write what the source sends: a manifest's content, a range, or data without the source's metadata."""
    kept = {key: value for key, value in view.metadata.items() if key != MANIFEST} if keeps else {}
    wish = Wish(
        content_type=headers["content-type"] or view.version.type,
        metadata=merged(kept, object_metadata(headers)),
        expires=expires_in(headers) or (view.version.expires if keeps else None),
        limits=swift_limits(),
    )
    ranges = parse_clamped_range(headers.get("range"), view.size) or [ByteRange(0, view.size)]
    if len(ranges) > 1:
        raise BadRequest("One range can be copied, not several.")
    if ranges[0].length > MAX_BODY:
        raise RequestTooLarge(f"Copied data has at most {MAX_BODY} bytes; copy the manifest, or by ranges.")
    body = uploads.in_blocks(objects.read(view, ranges[0].offset, ranges[0].length))
    written = uploads.put_data(caller(request), address=target, body=body, wish=wish)
    return _created(written.checksum, written, **more)
