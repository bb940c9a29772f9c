"""Requests to an object (object-storage contract 7-10)."""

from __future__ import annotations

import mimetypes

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from pithos.api import downloads, parameters
from pithos.api.bodies import body_blocks, body_length
from pithos.api.forms import read_form
from pithos.api.hashmaps import read_hashmap
from pithos.api.headers import object_metadata, request_headers, tri_state
from pithos.api.rendering import dumps, epoch, reply, reply_format, xml_document
from pithos.api.service import caller
from pithos.conditions import parse_conditions
from pithos.logic import copies, deletes, objects, updates, uploads
from pithos.logic.nodes import Address
from pithos.logic.permissions import parse_sharing
from pithos.logic.uploads import MissingBlocks, Wish, Written
from pithos.ranges import parse_content_range
from synnefo.errors import BadRequest

DATA_UPDATE_TYPE = "application/octet-stream"


def head(request: HttpRequest, account: str, container: str, name: str) -> HttpResponseBase:
    """Show an object."""
    address = parameters.address(request, account, container, name)
    view = objects.show_object(
        caller(request), address=address, serial=request.GET.get("version"), expand=False
    )
    return downloads.head_reply(request_headers(request), view, downloads.object_headers(view))


def show(request: HttpRequest, account: str, container: str, name: str) -> HttpResponseBase:
    """Send an object's data, its hashmap, or the list of its versions."""
    address = parameters.address(request, account, container, name)
    if request.GET.get("version") == "list":
        return _versions(request, address)
    has_hashmap = parameters.flag(request, "hashmap")
    view = objects.show_object(
        caller(request), address=address, serial=request.GET.get("version"), expand=not has_hashmap
    )
    headers = downloads.object_headers(view)
    if has_hashmap:
        return downloads.hashmap_reply(request, request_headers(request), view, headers)
    return downloads.data_reply(request, request_headers(request), view, headers)


def _versions(request: HttpRequest, address: Address) -> HttpResponseBase:
    found = objects.list_versions(caller(request), address=address)
    if reply_format(request) == "xml":
        children = [f'<version timestamp="{epoch(moment)}">{serial}</version>' for serial, moment in found]
        return reply("xml", xml_document("object", {"name": address.name}, children), status=200)
    return reply(
        "json", dumps({"versions": [[serial, epoch(moment)] for serial, moment in found]}), status=200
    )


def put(request: HttpRequest, account: str, container: str, name: str) -> HttpResponseBase:
    """Write an object: from the body, from blocks sent before, or from another object."""
    address = parameters.address(request, account, container, name)
    headers = request_headers(request)
    if "x-copy-from" in headers or "x-move-from" in headers:
        return _put_from(request, address, headers)
    wish = _wish(headers, address.name)
    if parameters.flag(request, "hashmap"):
        size, digests = read_hashmap(request)
        try:
            written = uploads.put_hashmap(
                caller(request), address=address, size=size, digests=digests, wish=wish
            )
        except MissingBlocks as error:
            return reply("json", dumps(error.hashes), status=409)
    else:
        length = body_length(request)
        body = body_blocks(request, settings.PITHOS_BACKEND_BLOCK_SIZE)
        md5 = headers.get("etag", "").strip('"')
        written = uploads.put_data(
            caller(request), address=address, body=body, wish=wish, md5=md5, length=length
        )
    return _written(written, 201)


def _put_from(request: HttpRequest, address: Address, headers: dict[str, str]) -> HttpResponseBase:
    body_length(request)
    credentials = caller(request)
    move = "x-move-from" in headers
    header = "x-move-from" if move else "x-copy-from"
    source_account = headers.get("x-source-account") or credentials.user_id
    source = parameters.path_header(headers[header], header, source_account)
    return _copied(request, headers, source, address, move=move, conditions_on_source=False)


def copy(request: HttpRequest, account: str, container: str, name: str) -> HttpResponseBase:
    """Copy this object to the path of the Destination header."""
    return _to_destination(request, parameters.address(request, account, container, name), move=False)


def move(request: HttpRequest, account: str, container: str, name: str) -> HttpResponseBase:
    """Move this object to the path of the Destination header."""
    return _to_destination(request, parameters.address(request, account, container, name), move=True)


def _to_destination(request: HttpRequest, source: Address, *, move: bool) -> HttpResponseBase:
    headers = request_headers(request)
    account = headers.get("destination-account") or caller(request).user_id
    target = parameters.path_header(headers.get("destination"), "Destination", account)
    return _copied(request, headers, source, target, move=move, conditions_on_source=True)


def _copied(
    request: HttpRequest,
    headers: dict[str, str],
    source: Address,
    target: Address,
    *,
    move: bool,
    conditions_on_source: bool,
) -> HttpResponseBase:
    keeps_type = parameters.flag(request, "ignore_content_type")
    wish = _wish(headers, "", content_type=None if keeps_type else headers["content-type"] or None)
    written = copies.copy_object(
        caller(request),
        source=source,
        target=target,
        wish=wish,
        serial=None if move else headers.get("x-source-version"),
        move=move,
        delimiter=parameters.text(request, "delimiter"),
        conditions_on_source=conditions_on_source,
    )
    return reply(
        reply_format(request),
        status=201,
        headers={"X-Object-Version": str(written.version), "ETag": written.etag},
    )


def update(request: HttpRequest, account: str, container: str, name: str) -> HttpResponseBase:
    """Change an object's metadata, sharing or publication, or a part of its data, or take a form's file."""
    address = parameters.address(request, account, container, name)
    if request.META.get("CONTENT_TYPE", "").startswith("multipart/form-data"):
        content_type, body = read_form(request, settings.PITHOS_BACKEND_BLOCK_SIZE)
        wish = Wish(content_type=content_type)
        written = uploads.put_data(caller(request), address=address, body=body, wish=wish)
        return _written(written, 201, written.etag)
    headers = request_headers(request)
    if "x-source-object" in headers or headers["content-type"] == DATA_UPDATE_TYPE:
        return _update_data(request, address, headers)
    wish = _wish(headers, "", content_type=None)
    version = updates.update_object_metadata(
        caller(request), address=address, wish=wish, merge=parameters.flag(request, "update")
    )
    extra = {} if version is None else {"X-Object-Version": str(version)}
    return reply(reply_format(request), status=202, headers=extra)


def _update_data(request: HttpRequest, address: Address, headers: dict[str, str]) -> HttpResponseBase:
    content_range = parse_content_range(headers.get("content-range"))
    credentials = caller(request)
    source = None
    body = None
    if "x-source-object" in headers:
        source = parameters.path_header(
            headers["x-source-object"],
            "X-Source-Object",
            headers.get("x-source-account") or credentials.user_id,
        )
    else:
        length = body_length(request)
        if length is not None and content_range.length is not None and content_range.length != length:
            raise BadRequest("Content-Length is not the length of Content-Range.")
        body = body_blocks(request, settings.PITHOS_BACKEND_BLOCK_SIZE, limit=content_range.length)
    change = updates.DataUpdate(
        content_range=content_range,
        body=body,
        source=source,
        serial=headers.get("x-source-version"),
        truncate=_truncate(headers.get("x-object-bytes")),
    )
    wish = _wish(headers, "", content_type=None)
    merge = parameters.flag(request, "update")
    written = updates.update_object_data(credentials, address=address, change=change, wish=wish, merge=merge)
    return _written(written, 204)


def _truncate(header: str | None) -> int | None:
    if header is None:
        return None
    if not header.isascii() or not header.isdigit() or len(header) > 18:
        raise BadRequest("X-Object-Bytes must be a number of bytes.")
    return int(header)


def delete(request: HttpRequest, account: str, container: str, name: str) -> HttpResponseBase:
    """Delete an object (and what is below it), or purge its history."""
    address = parameters.address(request, account, container, name)
    until = parameters.until_for_purging(request)
    if until is not None:
        deletes.purge_object(caller(request), address=address, until=until)
    else:
        deletes.delete_object(
            caller(request), address=address, delimiter=parameters.text(request, "delimiter")
        )
    return reply("json", status=204)


def _wish(headers: dict[str, str], name: str, **overrides: str | None) -> Wish:
    """Return what the headers say about the object; a missing content type is guessed from the name."""
    if "content_type" in overrides:
        content_type = overrides["content_type"]
    else:
        content_type = headers["content-type"] or mimetypes.guess_type(name)[0]
    sharing = headers.get("x-object-sharing")
    return Wish(
        content_type=content_type,
        metadata=object_metadata(headers),
        sharing=None if sharing is None else parse_sharing(sharing),
        public=tri_state(headers, "x-object-public"),
        conditions=parse_conditions(headers),
    )


def _written(written: Written, status: int, body: str = "") -> HttpResponseBase:
    headers = {"ETag": written.etag, "X-Object-Version": str(written.version)}
    return reply("json", body, status=status, headers=headers)
