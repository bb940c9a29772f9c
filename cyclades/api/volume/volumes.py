"""Volumes of the v2 dialect: lists, creation, details, changes, deletion, actions (volume contract 3, 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from cyclades.api.changes_since import changes_since
from cyclades.api.compute.dialect import acting, page_limit, query_int
from cyclades.api.volume.bodies import parse_change, parse_request, read_volume
from cyclades.api.volume.dialect import next_page
from cyclades.api.volume.rendering import render_brief, render_detail
from cyclades.logic import volume_create, volume_deletion, volume_reassign
from cyclades.logic import volumes as volume_logic
from cyclades.models import Volume
from synnefo.api import empty_response, fields, json_response, read_object
from synnefo.errors import BadRequest


def parse_volume_id(text: str) -> int:
    """Return the number in a path."""
    return fields.require_id(text, "volume")


def list_brief(request: HttpRequest) -> HttpResponse:
    """Answer with ids and names."""
    return _list(request, "volumes", render_brief)


def list_detail(request: HttpRequest) -> HttpResponse:
    """Answer with all fields."""
    return _list(request, "volumes/detail", render_detail)


def _list(request: HttpRequest, path: str, render: Callable[[Volume], dict[str, Any]]) -> HttpResponse:
    conditions = volume_logic.VolumeFilter(
        changes_since=changes_since(request), marker=query_int(request, "marker"), limit=page_limit(request)
    )
    page = volume_logic.list_volumes(acting(request), conditions=conditions)
    document: dict[str, Any] = {"volumes": [render(volume) for volume in page.volumes]}
    if page.has_more:
        document["volumes_links"] = next_page(request, f"v2.0/{path}", page.volumes[-1].pk)
    return json_response(document)


def create(request: HttpRequest) -> HttpResponse:
    """Create a volume."""
    wanted = parse_request(read_volume(request), name_required=True)
    volume = volume_create.create(acting(request), request=wanted)
    return json_response({"volume": render_brief(volume)}, status=202)


def show(request: HttpRequest, volume_id: str) -> HttpResponse:
    """Answer with one volume, also a deleted one."""
    volume = volume_logic.get_volume(acting(request), volume_id=parse_volume_id(volume_id))
    return json_response({"volume": render_detail(volume)})


def update(request: HttpRequest, volume_id: str) -> HttpResponse:
    """Change a volume and answer with it."""
    change = parse_change(read_volume(request))
    volume = volume_logic.update_volume(acting(request), volume_id=parse_volume_id(volume_id), change=change)
    return json_response({"volume": render_detail(volume)})


def delete(request: HttpRequest, volume_id: str) -> HttpResponse:
    """Begin to delete a volume."""
    volume_deletion.delete(acting(request), volume_id=parse_volume_id(volume_id))
    return empty_response(202)


def perform(request: HttpRequest, volume_id: str) -> HttpResponse:
    """Move a volume to another project, which is all that can be done."""
    number = parse_volume_id(volume_id)
    volume_logic.get_volume(acting(request), volume_id=number)
    reassign(request, number, read_action(request, ("reassign",))[1])
    return empty_response(200)


def read_action(request: HttpRequest, known: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """Return the one action of the request's body and its argument; raises ``BadRequest``."""
    body = read_object(request)
    if len(body) != 1:
        raise BadRequest("Malformed request: exactly one action is expected")
    name = next(iter(body))
    if name not in known:
        raise BadRequest(f"Action {name[:64]} not supported")
    return name, fields.optional_object(body, name)


def reassign(request: HttpRequest, volume_id: int, arguments: dict[str, Any]) -> None:
    """Do the action ``reassign``."""
    if arguments.get("project") is None:
        raise BadRequest("Malformed request. Missing attribute 'project'.")
    volume_reassign.reassign(
        acting(request),
        volume_id=volume_id,
        project=fields.require_str(arguments, "project", min_length=1),
        shared_to_project=fields.optional_bool(arguments, "shared_to_project"),
    )
