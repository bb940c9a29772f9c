"""Tags of servers (compute contract 9.4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern

from cyclades.api.compute.dialect import END, acting, resource_url
from cyclades.api.compute.servers import parse_server_id
from cyclades.logic import tag_changes
from synnefo.api import ApiService, empty_response, json_response, read_object
from synnefo.errors import BadRequest


def tag_routes(service: ApiService) -> list[URLPattern]:
    """Return the routes; a tag is kept as it is written, even if it ends like a format."""
    server = r"servers/(?P<server_id>\d+)"
    return [
        service.route(f"{server}/tags{END}", GET=list_all, PUT=replace_all, DELETE=delete_all),
        service.route(rf"{server}/tags/(?P<tag>[\s\S]+)", GET=show, PUT=add, DELETE=delete),
    ]


def list_all(request: HttpRequest, server_id: str) -> HttpResponse:
    """Answer with all tags and, in parallel, their statuses."""
    tags = tag_changes.list_tags(acting(request), server_id=parse_server_id(server_id))
    return json_response(_render(tags))


def replace_all(request: HttpRequest, server_id: str) -> HttpResponse:
    """Replace all tags and answer with the new ones, most of them pending."""
    tags = read_object(request).get("tags")
    if not isinstance(tags, list):
        raise BadRequest("Malformed request: 'tags' must be a list of texts")
    change = tag_changes.replace_tags(acting(request), server_id=parse_server_id(server_id), tags=tags)
    return json_response(_render(change.tags))


def delete_all(request: HttpRequest, server_id: str) -> HttpResponse:
    """Delete all active tags."""
    tag_changes.delete_tags(acting(request), server_id=parse_server_id(server_id))
    return empty_response(204)


def show(request: HttpRequest, server_id: str, tag: str) -> HttpResponse:
    """Tell in a header whether Ganeti has a tag already."""
    found = tag_changes.get_tag(acting(request), server_id=parse_server_id(server_id), tag=_name(tag))
    response = empty_response(204)
    response["tag-status"] = found.status
    return response


def add(request: HttpRequest, server_id: str, tag: str) -> HttpResponse:
    """Add a tag: 201 for a new one, 204 for one that is there."""
    number = parse_server_id(server_id)
    if not tag_changes.add_tag(acting(request), server_id=number, tag=_name(tag)).created:
        return empty_response(204)
    response = empty_response(201)
    response["Location"] = resource_url(f"servers/{number}/tags/{quote(_name(tag), safe='')}")
    return response


def delete(request: HttpRequest, server_id: str, tag: str) -> HttpResponse:
    """Delete an active tag."""
    tag_changes.delete_tags(acting(request), server_id=parse_server_id(server_id), tag=_name(tag))
    return empty_response(204)


def _name(tag: str) -> str:
    """Return the tag of a path, which may end in the slash that every path may end in."""
    return tag.removesuffix("/")


def _render(tags: Iterable[tag_changes.Tag]) -> dict[str, Any]:
    shown = list(tags)
    return {"tags": [tag.name for tag in shown], "statuses": [tag.status for tag in shown]}
