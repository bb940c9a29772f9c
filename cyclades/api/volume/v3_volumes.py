"""Volumes of Cinder's dialect (volume contract 15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from cyclades.api.compute.dialect import acting, page_limit, query_int
from cyclades.api.volume.bodies import parse_change, parse_request, read_volume
from cyclades.api.volume.dialect import next_page
from cyclades.api.volume.v3_rendering import render_brief, render_detail
from cyclades.api.volume.volumes import parse_volume_id, read_action, reassign
from cyclades.logic import volume_create, volume_deletion, volume_growth, volume_types
from cyclades.logic import volumes as volume_logic
from cyclades.logic.volumes import SORT_KEYS, VolumeFilter
from cyclades.models import Volume
from synnefo.api import empty_response, fields, json_response, parse_json
from synnefo.errors import BadRequest, Forbidden, NotFound, NotImplementedFault

_MAX_METADATA = 10
#: Actions that change nothing here and are accepted.
_ACCEPTED = ("os-set_bootable", "os-update_readonly_flag")
#: Actions that only Cinder's administrators or Nova may do.
_FORBIDDEN = ("os-reset_status", "os-attach", "os-detach", "os-begin_detaching", "os-force_delete")
_NOT_OFFERED = ("os-retype", "os-migrate_volume", "os-volume_upload_image", "revert")
_ACTIONS = ("reassign", "os-extend", *_ACCEPTED, *_FORBIDDEN, *_NOT_OFFERED)


def list_brief(request: HttpRequest) -> HttpResponse:
    """Answer with ids and names."""
    return _list(request, "volumes", render_brief)


def list_detail(request: HttpRequest) -> HttpResponse:
    """Answer with all fields."""
    return _list(request, "volumes/detail", render_detail)


def _list(request: HttpRequest, path: str, render: Callable[[Volume], dict[str, Any]]) -> HttpResponse:
    with_count = request.GET.get("with_count", "").lower() in ("true", "1")
    page = volume_logic.list_volumes(acting(request), conditions=_conditions(request), with_count=with_count)
    document: dict[str, Any] = {"volumes": [render(volume) for volume in page.volumes]}
    if page.has_more:
        document["volumes_links"] = next_page(request, f"v3/{path}", page.volumes[-1].pk)
    if page.count is not None:
        document["count"] = page.count
    return json_response(document)


def _conditions(request: HttpRequest) -> VolumeFilter:
    query = request.GET
    # "all_tenants" is for Cinder's administrators, who act by commands here: users see their own anyway.
    status = query.get("status")
    return VolumeFilter(
        name=query.get("name") or query.get("display_name") or None,
        status=status.upper().replace("-", "_") if status else None,
        project=query.get("project_id") or None,
        user_id=query.get("user_id") or None,
        metadata=_metadata(query.get("metadata")),
        sort=_sort(request),
        marker=query_int(request, "marker"),
        offset=query_int(request, "offset", maximum=2**31) or 0,
        limit=page_limit(request),
    )


def _metadata(text: str | None) -> tuple[tuple[str, str], ...]:
    """Return the items of a filter, which clients write as Python or JSON objects."""
    if not text:
        return ()
    items = parse_json(text.replace("'", '"').encode(), "'metadata'")
    if not isinstance(items, dict) or not all(isinstance(value, str) for value in items.values()):
        raise BadRequest("'metadata' must be an object of strings")
    if len(items) > _MAX_METADATA:
        raise BadRequest(f"'metadata' must be at most {_MAX_METADATA} items")
    return tuple(items.items())


def _sort(request: HttpRequest) -> tuple[tuple[str, bool], ...]:
    text = request.GET.get("sort")
    if not text:
        key = request.GET.get("sort_key", "created_at")
        text = f"{key}:{request.GET.get('sort_dir', 'desc')}"
    pairs = []
    for part in text.split(","):
        key, _, direction = part.partition(":")
        if key not in SORT_KEYS or direction not in ("", "asc", "desc"):
            raise BadRequest(f"Invalid sort: use {', '.join(SORT_KEYS)} with :asc or :desc")
        pairs.append((key, direction != "asc"))
    return tuple(pairs[: len(SORT_KEYS)])


def create(request: HttpRequest) -> HttpResponse:
    """Create a volume and answer with all of it."""
    body = read_volume(request)
    kind = body.pop("volume_type", None)
    if kind is not None:
        body["volume_type"] = _type_id(kind)
    wanted = parse_request(body, name_required=False)
    volume = volume_create.create(acting(request), request=volume_create.for_openstack(wanted))
    return json_response({"volume": render_detail(volume)}, status=202)


def _type_id(value: Any) -> int:
    """Return the id of a type given by id or name; raises ``BadRequest``."""
    found = volume_types.find_volume_type(str(value)[:255])
    if found is None:
        raise BadRequest(f"Volume type {str(value)[:64]} not found")
    return found.pk


def _live(request: HttpRequest, volume_id: str) -> Volume:
    volume = volume_logic.get_volume(acting(request), volume_id=parse_volume_id(volume_id))
    if volume.deleted:
        raise NotFound(f"Volume {volume.pk} not found")
    return volume


def show(request: HttpRequest, volume_id: str) -> HttpResponse:
    """Answer with one volume."""
    return json_response({"volume": render_detail(_live(request, volume_id))})


def update(request: HttpRequest, volume_id: str) -> HttpResponse:
    """Change a volume and answer with it."""
    change = parse_change(read_volume(request))
    volume = _live(request, volume_id)
    if not change.is_empty:
        volume = volume_logic.update_volume(acting(request), volume_id=volume.pk, change=change)
    return json_response({"volume": render_detail(volume)})


def delete(request: HttpRequest, volume_id: str) -> HttpResponse:
    """Begin to delete a volume."""
    volume_deletion.delete(acting(request), volume_id=_live(request, volume_id).pk)
    return empty_response(202)


def perform(request: HttpRequest, volume_id: str) -> HttpResponse:
    """Do the one action that the body names."""
    volume = _live(request, volume_id)
    name, arguments = read_action(request, _ACTIONS)
    if name in _FORBIDDEN:
        raise Forbidden(f"{name} is not permitted: volumes are attached and detached by their server")
    if name in _NOT_OFFERED:
        raise NotImplementedFault(f"{name} is not supported")
    if name == "reassign":
        reassign(request, volume.pk, arguments)
    elif name == "os-extend":
        new_size = fields.require_int(arguments, "new_size", minimum=1)
        volume_growth.extend(acting(request), volume_id=volume.pk, new_size=new_size)
    return empty_response(202 if name == "os-extend" else 200)
