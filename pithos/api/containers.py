"""Requests to a container (object-storage contract 5, 6.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from pithos.api import parameters
from pithos.api.bodies import body_blocks, body_length, is_chunked
from pithos.api.entries import object_record
from pithos.api.headers import metadata, prefixed, request_headers
from pithos.api.rendering import (
    dumps,
    dumps_records,
    lines,
    reply,
    reply_format,
    xml_document,
    xml_element,
    xml_empty,
    xml_record,
)
from pithos.api.service import caller
from pithos.conditions import check_dates, http_date
from pithos.logic import containers, deletes
from pithos.logic.container_listings import policy_of
from pithos.logic.containers import ContainerView, show_container
from pithos.logic.listings import Entry, ObjectQuery, Subdir, list_objects
from synnefo.credentials import Credentials


def head(request: HttpRequest, account: str, container: str) -> HttpResponseBase:
    """Show a container."""
    account, container = parameters.container_name(request, account, container)
    until = parameters.until_for_reading(request)
    view = show_container(caller(request), account=account, container=container, until=until)
    check_dates(request_headers(request), view.modified)
    return reply("json", status=204, headers=_headers(view))


def show(request: HttpRequest, account: str, container: str) -> HttpResponseBase:
    """List a container's objects."""
    account, container = parameters.container_name(request, account, container)
    query = _query(request)
    view = show_container(caller(request), account=account, container=container, until=query.until)
    check_dates(request_headers(request), view.modified)
    entries = list_objects(caller(request), account=account, container=container, query=query)
    kind = reply_format(request, default="text")
    if kind == "text":
        body: str | bytes = lines(entry.name for entry in entries)
        status = 200 if entries else 204
    else:
        is_json = kind == "json"
        records = list(_records(entries, query, is_owner=view.is_owner, as_json=is_json))
        body, status = (dumps_records(records) if is_json else _xml(container, records)), 200
    return reply(kind, body, status=status, headers=_headers(view))


def put(request: HttpRequest, account: str, container: str) -> HttpResponseBase:
    """Create a container, or change the policies and metadata of an existing one."""
    account, container = parameters.container_name(request, account, container)
    headers = request_headers(request)
    created = containers.put_container(
        caller(request),
        account=account,
        container=container,
        policy=_policy(headers),
        items=metadata(headers, "Container"),
    )
    return reply("json", status=201 if created else 202)


def update(request: HttpRequest, account: str, container: str) -> HttpResponseBase:
    """Change policies and metadata, or store blocks for hashmap uploads, or both."""
    account, container = parameters.container_name(request, account, container)
    headers = request_headers(request)
    policy, items = _policy(headers), metadata(headers, "Container")
    has_blocks = headers["content-type"] == "application/octet-stream" and (
        is_chunked(request) or body_length(request) != 0
    )
    if policy or items or not has_blocks:
        # Blocks alone leave metadata as it is, with or without "update".
        containers.update_container(
            caller(request),
            account=account,
            container=container,
            policy=policy,
            items=items,
            merge=parameters.flag(request, "update"),
            only_policy=has_blocks and not items,
        )
    if not has_blocks:
        return reply("json", status=202)
    return _store_blocks(request, caller(request), account, container)


def _store_blocks(
    request: HttpRequest, credentials: Credentials, account: str, container: str
) -> HttpResponseBase:
    body = body_blocks(request, settings.PITHOS_BACKEND_BLOCK_SIZE)
    hashes = containers.upload_blocks(credentials, account=account, container=container, body=body)
    if reply_format(request) == "xml":
        return reply("xml", xml_document("items", {}, [xml_element("item", h) for h in hashes]), status=202)
    return reply("json", dumps(hashes), status=202)


def delete(request: HttpRequest, account: str, container: str) -> HttpResponseBase:
    """Delete a container, or empty it, or purge its history."""
    account, container = parameters.container_name(request, account, container)
    until = parameters.until_for_purging(request)
    if until is not None:
        deletes.purge_container(caller(request), account=account, container=container, until=until)
    elif parameters.text(request, "delimiter"):
        deletes.empty_container(caller(request), account=account, container=container)
    else:
        deletes.delete_container(caller(request), account=account, container=container)
    return reply("json", status=204)


def _policy(headers: dict[str, str]) -> dict[str, str]:
    return prefixed(headers, "x-container-policy-")


def _query(request: HttpRequest) -> ObjectQuery:
    """Return what is asked for, prepared as the dialect prepares it (contract 6.2)."""
    query = ObjectQuery(
        limit=parameters.limit(request),
        marker=parameters.text(request, "marker"),
        prefix=parameters.text(request, "prefix"),
        delimiter=parameters.text(request, "delimiter"),
        meta=parameters.meta_terms(parameters.text(request, "meta")),
        shared=parameters.flag(request, "shared"),
        public=parameters.flag(request, "public"),
        until=parameters.until_for_reading(request),
    )
    path = parameters.text(request, "path")
    if path:
        query = replace(query, prefix=path, delimiter="/", virtual=False)
    if query.prefix and query.delimiter and not query.prefix.endswith(query.delimiter):
        query = replace(query, prefix=query.prefix + query.delimiter)
    return replace(query, prefix=query.prefix.lstrip("/"))


def _records(
    entries: Iterable[Entry], query: ObjectQuery, *, is_owner: bool, as_json: bool
) -> Iterable[dict[str, object]]:
    is_past = query.until is not None
    for entry in entries:
        if isinstance(entry, Subdir):
            yield {"subdir": entry.name}
        else:
            yield object_record(entry, past=is_past, is_owner=is_owner, as_json=as_json)


def _xml(container: str, records: Iterable[dict[str, object]]) -> str:
    children = []
    for record in records:
        subdir = record.get("subdir")
        children.append(
            xml_record("object", record) if subdir is None else xml_empty("subdir", {"name": str(subdir)})
        )
    return xml_document("container", {"name": container}, children)


def _headers(view: ContainerView) -> dict[str, str]:
    headers = {
        "Last-Modified": http_date(view.modified),
        "X-Container-Block-Size": str(settings.PITHOS_BACKEND_BLOCK_SIZE),
        "X-Container-Block-Hash": settings.PITHOS_BACKEND_HASH_ALGORITHM,
        "X-Container-Object-Meta": ",".join(
            key.removeprefix("X-Object-Meta-") for key in view.object_keys if key.startswith("X-Object-Meta-")
        ),
    }
    if not view.is_owner:
        return headers
    headers["X-Container-Object-Count"] = str(view.objects)
    headers["X-Container-Bytes-Used"] = str(view.bytes_used)
    if view.until is not None:
        headers["X-Container-Until-Timestamp"] = http_date(view.until)
    headers.update(view.metadata)
    for key, value in policy_of(view.node).items():
        headers[f"X-Container-Policy-{key.capitalize()}"] = value
    return headers
