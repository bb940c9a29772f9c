"""Requests to an account in Swift's dialect."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from pithos.api import parameters
from pithos.api.headers import metadata, request_headers
from pithos.api.rendering import reply
from pithos.api.swift import bulk, listing
from pithos.api.swift.changes import with_removals
from pithos.api.swift.service import caller, timestamp
from pithos.conditions import check_dates, http_date
from pithos.logic.accounts import AccountView, object_count, show_account, update_account
from pithos.logic.container_listings import ContainerEntry, ContainerQuery, list_containers
from pithos.logic.metadata import swift_limits
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest

#: Containers looked through at a time where many of them may be one entry.
_STEPS = 1000


def head(request: HttpRequest, account: str) -> HttpResponseBase:
    """Show an account."""
    account = parameters.account_name(request, account)
    view = show_account(caller(request), account=account)
    check_dates(request_headers(request), view.modified)
    return reply("text", status=204, headers=_headers(account, view))


def show(request: HttpRequest, account: str) -> HttpResponseBase:
    """List an account's containers."""
    account = parameters.account_name(request, account)
    size = listing.limit(request)
    view = show_account(caller(request), account=account)
    check_dates(request_headers(request), view.modified)
    query = ContainerQuery(
        limit=size,
        marker=parameters.text(request, "marker"),
        prefix=parameters.text(request, "prefix"),
        end_marker=parameters.text(request, "end_marker"),
        reverse=listing.is_reverse(request),
    )
    delimiter = parameters.text(request, "delimiter")
    if delimiter:
        records = _folded(caller(request), account, query, delimiter)
    else:
        entries = list_containers(caller(request), account=account, query=query) if size else []
        records = [_record(item) for item in entries]
    return listing.render(
        request, records, root="account", name=f"AUTH_{account}", item="container",
        headers=_headers(account, view),
    )  # fmt: skip


def _record(entry: ContainerEntry) -> listing.Record:
    return {
        "name": entry.name,
        "count": entry.count or 0,
        "bytes": entry.bytes or 0,
        "last_modified": listing.moment(entry.modified),
    }


def _folded(
    credentials: Credentials, account: str, query: ContainerQuery, delimiter: str
) -> list[listing.Record]:
    """Return a page in which containers of a common beginning are one entry, which is never the marker."""
    records: list[listing.Record] = []
    rest = replace(query, limit=max(query.limit, _STEPS))
    while len(records) < query.limit:
        entries = list_containers(credentials, account=account, query=rest)
        for entry in entries:
            position = entry.name.find(delimiter, len(query.prefix))
            folder = entry.name[: position + len(delimiter)] if position != -1 else ""
            record: listing.Record = {"subdir": folder} if folder else _record(entry)
            if not folder or (folder != query.marker and record not in records[-1:]):
                records.append(record)
            if len(records) == query.limit:
                break
        if len(entries) < rest.limit:
            break
        rest = replace(rest, marker=entries[-1].name)
    return records


def post(request: HttpRequest, account: str) -> HttpResponseBase:
    """Change an account's metadata, or delete many objects at once."""
    account = parameters.account_name(request, account)
    if parameters.flag(request, "bulk-delete"):
        return bulk.delete_many(request, account)
    items = with_removals(metadata(request_headers(request), "Account"), request_headers(request), "Account")
    update_account(
        caller(request), account=account, items=items, groups={}, merge=True, limits=swift_limits()
    )
    return reply("text", status=204)


def put(request: HttpRequest, account: str) -> HttpResponseBase:
    """Unpack an archive; accounts themselves are made by themselves."""
    account = parameters.account_name(request, account)
    if parameters.flag(request, "extract-archive"):
        return bulk.extract(request, account, container="", prefix="")
    raise BadRequest("An account is made by its first use.")


def delete(request: HttpRequest, account: str) -> HttpResponseBase:
    """Delete many objects at once; the account itself stays."""
    account = parameters.account_name(request, account)
    if parameters.flag(request, "bulk-delete"):
        return bulk.delete_many(request, account)
    raise BadRequest("Accounts are deleted by administrators.")


def _headers(account: str, view: AccountView) -> dict[str, str]:
    headers = {"Accept-Ranges": "bytes", "Last-Modified": http_date(view.modified)}
    if not view.is_owner:
        return headers
    quotas = view.quotas or {}
    return headers | {
        "X-Timestamp": timestamp(view.modified),
        "X-Account-Container-Count": str(view.containers),
        "X-Account-Object-Count": str(object_count(account)),
        "X-Account-Bytes-Used": str(view.bytes_used),
        "X-Account-Meta-Quota-Bytes": str(sum(quotas.values())),
        **(view.metadata or {}),
    }
