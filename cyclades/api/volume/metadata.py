"""Metadata of volumes, the same in both dialects (volume contract 5)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from cyclades.api.compute.dialect import acting
from cyclades.api.volume.volumes import parse_volume_id
from cyclades.logic import volume_metadata
from synnefo.api import empty_response, fields, json_response, read_object
from synnefo.errors import BadRequest


def show_all(request: HttpRequest, volume_id: str) -> HttpResponse:
    """Answer with all items."""
    items = volume_metadata.get_metadata(acting(request), volume_id=parse_volume_id(volume_id))
    return json_response({"metadata": items})


def merge(request: HttpRequest, volume_id: str) -> HttpResponse:
    """Add or change some items and answer with all."""
    return _set(request, volume_id, replace=False)


def replace(request: HttpRequest, volume_id: str) -> HttpResponse:
    """Replace all items and answer with them."""
    return _set(request, volume_id, replace=True)


def _set(request: HttpRequest, volume_id: str, *, replace: bool) -> HttpResponse:
    items = fields.require_object(read_object(request), "metadata")
    result = volume_metadata.set_metadata(
        acting(request), volume_id=parse_volume_id(volume_id), items=items, replace=replace
    )
    return json_response({"metadata": result})


def show_item(request: HttpRequest, volume_id: str, key: str) -> HttpResponse:
    """Answer with one item."""
    value = volume_metadata.get_item(acting(request), volume_id=parse_volume_id(volume_id), key=key)
    return json_response({"meta": {key: value}})


def set_item(request: HttpRequest, volume_id: str, key: str) -> HttpResponse:
    """Set one item and answer with it."""
    items = fields.require_object(read_object(request), "meta")
    if list(items) != [key]:
        raise BadRequest("'meta' must hold the one item that the path names")
    volume_metadata.set_metadata(acting(request), volume_id=parse_volume_id(volume_id), items=items)
    return json_response({"meta": items})


def delete_item(request: HttpRequest, volume_id: str, key: str) -> HttpResponse:
    """Delete one item."""
    volume_metadata.delete_item(acting(request), volume_id=parse_volume_id(volume_id), key=key)
    return empty_response(200)
