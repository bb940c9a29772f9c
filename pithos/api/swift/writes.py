"""Writing objects in Swift's dialect: a body, a manifest, a copy (object-storage contract 22.2)."""

from __future__ import annotations

import mimetypes
from urllib.parse import quote, unquote

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from pithos.api import parameters
from pithos.api.bodies import body_blocks, body_length
from pithos.api.headers import object_metadata, request_headers
from pithos.api.rendering import reply
from pithos.api.swift import bulk
from pithos.api.swift.changes import expires_in
from pithos.api.swift.objects import tagged
from pithos.api.swift.service import caller, is_signed
from pithos.conditions import http_date, parse_conditions
from pithos.logic import copies, objects, static_manifests, uploads
from pithos.logic.nodes import Address
from pithos.logic.objects import MANIFEST, ObjectView
from pithos.logic.uploads import Wish
from pithos.paths import check_account
from synnefo.errors import BadRequest, RequestTooLarge, Unprocessable

_PREFIX = "AUTH_"
_DEFAULT_TYPE = "application/octet-stream"


def put(request: HttpRequest, account: str, container: str, name: str) -> HttpResponseBase:
    """Write an object from the body, from a list of segments, or from another object."""
    if parameters.flag(request, "extract-archive"):
        return bulk.extract(request, account, container=container, prefix=name)
    address = parameters.address(request, account, container, name)
    headers = request_headers(request)
    if "x-copy-from" in headers:
        return _copy_here(request, address, headers)
    if request.GET.get("multipart-manifest") == "put":
        return _put_manifest(request, address, headers)
    body_length(request)
    wish = wish_of(request, headers, address.name)
    written = uploads.put_data(
        caller(request),
        address=address,
        body=body_blocks(request, settings.PITHOS_BACKEND_BLOCK_SIZE),
        wish=wish,
        md5=headers.get("etag", "").strip('"'),
    )
    return _created(written.checksum, http_date(written.modified))


def _created(etag: str, modified: str, **more: str) -> HttpResponseBase:
    headers = {"ETag": etag, "Last-Modified": modified, **more}
    return reply("text", status=201, headers=headers)


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
    )


def _put_manifest(request: HttpRequest, address: Address, headers: dict[str, str]) -> HttpResponseBase:
    """Keep a list of segments after a look at each of them."""
    length = body_length(request)
    if length is None or length > static_manifests.MAX_BYTES:
        raise RequestTooLarge(f"A manifest has at most {static_manifests.MAX_BYTES} bytes.")
    body = b"".join(bytes(block) for block in body_blocks(request, settings.PITHOS_BACKEND_BLOCK_SIZE))
    found = static_manifests.find(
        caller(request), account=address.account, segments=static_manifests.parse(body)
    )
    etag = static_manifests.etag_of(found)
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
    return _created(etag, http_date(written.modified))


def copy(request: HttpRequest, account: str, container: str, name: str) -> HttpResponseBase:
    """Copy this object to the path of the Destination header."""
    source = parameters.address(request, account, container, name)
    headers = request_headers(request)
    goal = headers.get("destination-account") or account
    target = _path(headers.get("destination"), "Destination", goal)
    return _copied(request, headers, source, target)


def _copy_here(request: HttpRequest, target: Address, headers: dict[str, str]) -> HttpResponseBase:
    if body_length(request):
        raise BadRequest("X-Copy-From and a body exclude each other.")
    origin = headers.get("x-copy-from-account") or target.account
    return _copied(request, headers, _path(headers["x-copy-from"], "X-Copy-From", origin), target)


def _path(value: str | None, header: str, account: str) -> Address:
    """Return the address in a header; the leading slash may be missing, and escapes are undone once more."""
    text = unquote(value or "").lstrip("/")
    return parameters.path_header(f"/{text}", header, check_account(account.removeprefix(_PREFIX)))


def _copied(
    request: HttpRequest, headers: dict[str, str], source: Address, target: Address
) -> HttpResponseBase:
    credentials = caller(request)
    fresh = headers.get("x-fresh-metadata", "").lower() in ("true", "1", "yes", "on")
    raw = request.GET.get("multipart-manifest") == "get"
    view = tagged(objects.show_object(credentials, address=source, expand=None if raw else True))
    more = {
        "X-Copied-From": quote(f"{source.container}/{source.name}"),
        "X-Copied-From-Account": f"{_PREFIX}{source.account}",
        "X-Copied-From-Last-Modified": http_date(view.last_modified),
    }
    if view.segments is not None or view.listed is not None or fresh:
        return _copied_data(request, headers, view, target, more, keeps=not fresh)
    wish = Wish(
        content_type=headers["content-type"] or None,
        metadata=object_metadata(headers),
        conditions=parse_conditions({**headers, "if-none-match": headers.get("if-none-match", "")}),
        expires=expires_in(headers),
    )
    written = copies.copy_object(credentials, source=source, target=target, wish=wish)
    return _created(view.etag, http_date(written.modified), **more)


def _copied_data(
    request: HttpRequest,
    headers: dict[str, str],
    view: ObjectView,
    target: Address,
    more: dict[str, str],
    *,
    keeps: bool,
) -> HttpResponseBase:
    """Write what the source sends: a manifest's content, or plain data without the source's metadata."""
    kept = {key: value for key, value in view.metadata.items() if key != MANIFEST} if keeps else {}
    wish = Wish(
        content_type=headers["content-type"] or view.version.type,
        metadata={**kept, **object_metadata(headers)},
        conditions=parse_conditions(headers),
        expires=expires_in(headers),
    )
    body = uploads.in_blocks(objects.read(view, 0, view.size))
    written = uploads.put_data(caller(request), address=target, body=body, wish=wish)
    return _created(written.checksum, http_date(written.modified), **more)
