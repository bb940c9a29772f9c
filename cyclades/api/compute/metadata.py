"""Metadata of servers (compute contract 9.2)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from cyclades.api.compute.dialect import acting
from cyclades.api.compute.servers import parse_server_id
from cyclades.logic import server_metadata
from synnefo.api import empty_response, fields, json_response, read_object
from synnefo.errors import BadRequest


def show_all(request: HttpRequest, server_id: str) -> HttpResponse:
    """Answer with all items."""
    items = server_metadata.get_metadata(acting(request), server_id=parse_server_id(server_id))
    return json_response({"metadata": items})


def merge(request: HttpRequest, server_id: str) -> HttpResponse:
    """Add or change some items and answer with all."""
    return _set(request, server_id, replace=False, status=201)


def replace(request: HttpRequest, server_id: str) -> HttpResponse:
    """Replace all items and answer with them."""
    return _set(request, server_id, replace=True, status=200)


def _set(request: HttpRequest, server_id: str, *, replace: bool, status: int) -> HttpResponse:
    items = fields.require_object(read_object(request), "metadata")
    result = server_metadata.set_metadata(
        acting(request), server_id=parse_server_id(server_id), items=items, replace=replace
    )
    return json_response({"metadata": result}, status=status)


def show_item(request: HttpRequest, server_id: str, key: str) -> HttpResponse:
    """Answer with one item."""
    value = server_metadata.get_item(acting(request), server_id=parse_server_id(server_id), key=key)
    return json_response({"meta": {key: value}})


def set_item(request: HttpRequest, server_id: str, key: str) -> HttpResponse:
    """Set one item and answer with it."""
    items = fields.require_object(read_object(request), "meta")
    if list(items) != [key]:
        raise BadRequest("'meta' must hold the one item that the path names")
    result = server_metadata.set_metadata(acting(request), server_id=parse_server_id(server_id), items=items)
    return json_response({"meta": {key: result[key]}}, status=201)


def delete_item(request: HttpRequest, server_id: str, key: str) -> HttpResponse:
    """Delete one item."""
    server_metadata.delete_item(acting(request), server_id=parse_server_id(server_id), key=key)
    return empty_response(204)
