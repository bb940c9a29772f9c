"""Requests to a container in Swift's dialect."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from pithos.api import parameters
from pithos.api.headers import metadata, request_headers
from pithos.api.rendering import reply
from pithos.api.swift import bulk, formpost, listing
from pithos.api.swift.changes import access_lists_in, policies_in, with_removals
from pithos.api.swift.service import caller, is_form, timestamp
from pithos.conditions import check_dates, http_date
from pithos.logic import containers, deletes
from pithos.logic.containers import ContainerView, show_container
from pithos.logic.listings import Entry, ObjectQuery, Subdir, fill_checksums, list_objects
from pithos.logic.metadata import swift_limits
from pithos.logic.version_listings import VersionEntry, list_versions
from synnefo.errors import BadRequest

#: By this clients know what is left of a deleted object among its versions.
_MARK_TYPE = "application/x-deleted;swift_versions_deleted=1"
_QUOTA = "X-Container-Meta-Quota-Bytes"


def head(request: HttpRequest, account: str, container: str) -> HttpResponseBase:
    """Show a container."""
    account, container = parameters.container_name(request, account, container)
    view = show_container(caller(request), account=account, container=container)
    check_dates(request_headers(request), view.modified)
    return reply("text", status=204, headers=_headers(view))


def show(request: HttpRequest, account: str, container: str) -> HttpResponseBase:
    """List a container's objects."""
    account, container = parameters.container_name(request, account, container)
    query = _query(request)
    view = show_container(caller(request), account=account, container=container)
    check_dates(request_headers(request), view.modified)
    entries: Sequence[Entry] = []
    if query.limit and parameters.flag(request, "versions"):
        before = _version_marker(request)
        entries = list_versions(
            caller(request), account=account, container=container, query=query, before=before
        )
    elif query.limit:
        entries = list_objects(caller(request), account=account, container=container, query=query)
    fill_checksums(entries)
    return listing.render(
        request, [_record(entry) for entry in entries], root="container", name=container, item="object",
        headers=_headers(view),
    )  # fmt: skip


def _version_marker(request: HttpRequest) -> int | None:
    text = parameters.text(request, "version_marker")
    if not text:
        return None
    if not parameters.text(request, "marker"):
        raise BadRequest("version_marker needs a marker, too.")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadRequest("version_marker is no version.")
    return int(text)


def _query(request: HttpRequest) -> ObjectQuery:
    prefix, delimiter = parameters.text(request, "prefix"), parameters.text(request, "delimiter")
    if parameters.flag(request, "path"):
        path = parameters.text(request, "path")
        prefix, delimiter = f"{path.rstrip('/')}/" if path else "", "/"
    return ObjectQuery(
        limit=listing.limit(request),
        marker=parameters.text(request, "marker"),
        end_marker=parameters.text(request, "end_marker"),
        prefix=prefix,
        delimiter=delimiter,
        virtual=not parameters.flag(request, "path"),
        reverse=listing.is_reverse(request),
        folds_ends=True,
    )


def _record(entry: Entry) -> listing.Record:
    if isinstance(entry, Subdir):
        return {"subdir": entry.name}
    record: listing.Record = {
        "name": entry.name,
        "hash": entry.checksum,
        "bytes": entry.bytes,
        "content_type": entry.type,
        "last_modified": listing.moment(entry.mtime),
    }
    if isinstance(entry, VersionEntry):
        record |= {"version_id": str(entry.version), "is_latest": entry.is_latest}
        if entry.is_mark:
            record["content_type"] = _MARK_TYPE
    return record


def put(request: HttpRequest, account: str, container: str) -> HttpResponseBase:
    """Create a container, or change an existing one, or unpack an archive into it."""
    account, container = parameters.container_name(request, account, container)
    if parameters.flag(request, "extract-archive"):
        return bulk.extract(request, account, container=container, prefix="")
    headers = request_headers(request)
    items = with_removals(metadata(headers, "Container"), headers, "Container")
    items.pop(_QUOTA, None)
    created = containers.put_container(
        caller(request),
        account=account,
        container=container,
        policy=policies_in(headers),
        items=items,
        access_lists=access_lists_in(headers),
        limits=swift_limits(),
    )
    return reply("text", status=201 if created else 202)


def post(request: HttpRequest, account: str, container: str) -> HttpResponseBase:
    """Change a container's metadata, policies and access lists, or take a form's files."""
    account, container = parameters.container_name(request, account, container)
    if is_form(request):
        return formpost.receive(request, account, container, "")
    headers = request_headers(request)
    items = with_removals(metadata(headers, "Container"), headers, "Container")
    items.pop(_QUOTA, None)
    containers.update_container(
        caller(request),
        account=account,
        container=container,
        policy=policies_in(headers),
        items=items,
        merge=True,
        access_lists=access_lists_in(headers),
        limits=swift_limits(),
    )
    return reply("text", status=204)


def delete(request: HttpRequest, account: str, container: str) -> HttpResponseBase:
    """Delete an empty container."""
    account, container = parameters.container_name(request, account, container)
    deletes.delete_container(caller(request), account=account, container=container)
    return reply("text", status=204)


def _headers(view: ContainerView) -> dict[str, str]:
    headers = {
        "Last-Modified": http_date(view.modified),
        "X-Timestamp": timestamp(view.modified),
        "Accept-Ranges": "bytes",
        "X-Storage-Policy": "default",
    }
    if view.is_owner or view.sees_all:
        headers["X-Container-Object-Count"] = str(view.node.statistics.current_count)
        headers["X-Container-Bytes-Used"] = str(view.node.statistics.current_bytes)
    if not view.is_owner:
        return headers
    policy = view.node.policy
    headers |= dict(view.metadata)
    headers["X-Versions-Enabled"] = str(policy.versioning == "auto")
    for name, value in (("X-Container-Read", policy.read_acl), ("X-Container-Write", policy.write_acl)):
        if value:
            headers[name] = value
    if policy.quota:
        headers[_QUOTA] = str(policy.quota)
    return headers
