"""Requests to an account (object-storage contract 4)."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from pithos.api import parameters
from pithos.api.headers import metadata, prefixed, request_headers
from pithos.api.rendering import dumps, iso, lines, reply, reply_format, xml_document, xml_record
from pithos.api.service import caller
from pithos.conditions import check_dates, http_date
from pithos.logic.accounts import AccountView, show_account, update_account
from pithos.logic.container_listings import ContainerEntry, ContainerQuery, list_containers
from pithos.logic.sharing import parse_group


def head(request: HttpRequest, account: str) -> HttpResponseBase:
    """Show an account."""
    account = parameters.account_name(request, account)
    view = show_account(caller(request), account=account, until=parameters.until_for_reading(request))
    check_dates(request_headers(request), view.modified)
    return reply("json", status=204, headers=_headers(view))


def show(request: HttpRequest, account: str) -> HttpResponseBase:
    """List an account's containers."""
    account = parameters.account_name(request, account)
    until = parameters.until_for_reading(request)
    view = show_account(caller(request), account=account, until=until)
    check_dates(request_headers(request), view.modified)
    query = ContainerQuery(
        limit=parameters.limit(request),
        marker=parameters.text(request, "marker"),
        shared=parameters.flag(request, "shared"),
        public=parameters.flag(request, "public"),
        until=until,
    )
    entries = list_containers(caller(request), account=account, query=query)
    kind = reply_format(request, default="text")
    if kind == "text":
        body, status = lines(entry.name for entry in entries), 200 if entries else 204
    elif kind == "xml":
        children = [xml_record("container", _record(entry)) for entry in entries]
        body, status = xml_document("account", {"name": account}, children), 200
    else:
        body, status = dumps([_record(entry) for entry in entries]), 200
    return reply(kind, body, status=status, headers=_headers(view))


def update(request: HttpRequest, account: str) -> HttpResponseBase:
    """Change an account's metadata and groups."""
    account = parameters.account_name(request, account)
    headers = request_headers(request)
    groups = dict(parse_group(*item) for item in prefixed(headers, "x-account-group-").items())
    update_account(
        caller(request),
        account=account,
        items=metadata(headers, "Account"),
        groups=groups,
        merge=parameters.flag(request, "update"),
    )
    return reply("json", status=202)


def _headers(view: AccountView) -> dict[str, str]:
    headers = {"Last-Modified": http_date(view.modified)}
    if not view.is_owner:
        return headers
    headers["X-Account-Container-Count"] = str(view.containers)
    headers["X-Account-Bytes-Used"] = str(view.bytes_used)
    if view.until is not None:
        headers["X-Account-Until-Timestamp"] = http_date(view.until)
    headers.update(view.metadata or {})
    for name, members in (view.groups or {}).items():
        headers[f"X-Account-Group-{name.capitalize()}"] = ",".join(members)
    quotas = view.quotas or {}
    headers["X-Account-Policy-Quota"] = str(sum(quotas.values()))
    for project, limit in quotas.items():
        headers[f"X-Account-Policy-Quota-{project}"] = str(limit)
    return headers


def _record(entry: ContainerEntry) -> dict[str, object]:
    if entry.policy is None:
        return {"name": entry.name, "last_modified": iso(entry.modified)}
    record: dict[str, object] = {
        "name": entry.name,
        "count": entry.count,
        "bytes": entry.bytes,
        "last_modified": iso(entry.modified),
        "x_container_policy": entry.policy,
    }
    if entry.until is not None:
        record["x_container_until_timestamp"] = iso(entry.until)
    return record
