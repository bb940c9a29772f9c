"""Snapshots over HTTP, in Synnefo's shape and in Cinder's (volume contract 9, 15)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver

from cyclades.api.changes_since import changes_since
from cyclades.api.compute.dialect import acting, base_url, page_limit, query_int
from cyclades.logic import images as image_logic
from cyclades.logic import snapshots as logic
from cyclades.logic.images import Image
from cyclades.logic.snapshots import SnapshotRequest
from synnefo import clock
from synnefo.api import ApiService, empty_response, json_response, read_object
from synnefo.api.fields import optional_object, optional_str, require_id, require_object, require_str
from synnefo.errors import BadRequest, NotModified

_END = r"(?:\.json)?/?"
_MAX_ITEMS = 32

Handler = Callable[..., HttpResponse]


def snapshot_routes(service: ApiService, *, v3: bool = False) -> list[URLPattern | URLResolver]:
    """Return the routes of snapshots below a version's root; *v3* answers in Cinder's own shape."""
    route = service.route
    item = r"snapshots/(?P<snapshot_id>[\w-]+)"

    def bound(handler: Callable[..., HttpResponse]) -> Handler:
        def call(request: HttpRequest, **arguments: str) -> HttpResponse:
            return handler(request, v3=v3, **arguments)

        return call

    return [
        route(f"snapshots{_END}", GET=bound(list_brief), POST=bound(create)),
        route(f"snapshots/detail{_END}", GET=bound(list_detail)),
        route(f"{item}{_END}", GET=bound(show), PUT=bound(update), DELETE=bound(delete)),
        route(
            f"{item}/metadata{_END}",
            GET=bound(show_metadata),
            POST=bound(merge_metadata),
            PUT=bound(replace_metadata),
        ),
        route(rf"{item}/metadata/(?P<key>[^/]+?){_END}", DELETE=bound(delete_metadata)),
    ]


def render_all(snapshots: Sequence[Image], *, v3: bool = False) -> list[dict[str, Any]]:
    """Return snapshots in one of the two shapes, in one query at most."""
    percent = logic.progress_of(snapshots)
    return [_render(snapshot, percent.get(snapshot.id, 0), v3=v3) for snapshot in snapshots]


def _render(snapshot: Image, percent: int, *, v3: bool) -> dict[str, Any]:
    status, progress = _status(snapshot), _progress(snapshot, percent)
    common = {
        "id": snapshot.id,
        "size": logic.size_of(snapshot),
        "volume_id": snapshot.volume_id,
        "user_id": snapshot.owner,
        "created_at": clock.isoformat(snapshot.created_at),
        "metadata": snapshot.properties,
    }
    if not v3:
        url = f"{base_url()}/volume/v2.0/snapshots/{snapshot.id}"
        return common | {
            "display_name": snapshot.name,
            "display_description": snapshot.description or "",
            "status": status,
            "tenant_id": snapshot.owner,
            "os-extended-snapshot-attribute:progress": progress,
            "links": [{"rel": "self", "href": url}, {"rel": "bookmark", "href": url}],
        }
    return common | {
        "name": snapshot.name,
        "description": snapshot.description or "",
        "status": status.lower(),
        "created_at": _cinder_moment(snapshot.created_at),
        "updated_at": _cinder_moment(snapshot.updated_at),
        "os-extended-snapshot-attributes:progress": str(progress) if progress else "0%",
        "os-extended-snapshot-attributes:project_id": snapshot.owner,
        "group_snapshot_id": None,
        "consumes_quota": True,
    }


def _cinder_moment(moment: Any) -> str:
    text: str = moment.replace(tzinfo=None).isoformat(timespec="microseconds")
    return text


def _status(snapshot: Image) -> str:
    return "CREATING" if snapshot.status == image_logic.UNAVAILABLE else snapshot.shown_status


def _progress(snapshot: Image, percent: int) -> str | int:
    if snapshot.status == image_logic.AVAILABLE:
        return "100%"
    return f"{percent}%" if percent else 0


def _answer(snapshot: Image, v3: bool, status: int = 200) -> HttpResponse:
    return json_response({"snapshot": render_all([snapshot], v3=v3)[0]}, status=status)


def list_brief(request: HttpRequest, *, v3: bool) -> HttpResponse:
    """List snapshots; Cinder's short form has fewer keys."""
    return _list(request, v3, brief=v3)


def list_detail(request: HttpRequest, *, v3: bool) -> HttpResponse:
    """List snapshots."""
    return _list(request, v3, brief=False)


_BRIEF = ("id", "name", "description", "status", "size", "volume_id", "created_at", "updated_at", "metadata")


def _list(request: HttpRequest, v3: bool, *, brief: bool) -> HttpResponse:
    since = changes_since(request)
    found = logic.list_all(acting(request), updated_since=since)
    if since is not None and not found:
        raise NotModified
    documents = render_all(found, v3=v3)
    if v3:
        documents = _cinder_page(request, documents)
    if brief:
        documents = [{key: document[key] for key in _BRIEF} for document in documents]
    return json_response({"snapshots": documents})


def _cinder_page(request: HttpRequest, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Filter and cut a list as Cinder's clients ask."""
    for key in ("name", "status", "volume_id"):
        wanted = request.GET.get(key)
        if wanted is not None:
            documents = [document for document in documents if document[key] == wanted]
    marker = request.GET.get("marker")
    if marker:
        places = [place for place, document in enumerate(documents) if document["id"] == marker]
        if not places:
            raise BadRequest("The 'marker' is none of the snapshots")
        documents = documents[places[0] + 1 :]
    documents = documents[query_int(request, "offset") or 0 :]
    limit = page_limit(request)
    return documents if limit is None else documents[:limit]


def create(request: HttpRequest, *, v3: bool) -> HttpResponse:
    """Begin a snapshot."""
    body = require_object(read_object(request), "snapshot")
    wanted = SnapshotRequest(
        volume_id=require_id(body.get("volume_id"), "volume"),
        name=_either(body, "display_name", "name"),
        description=_either(body, "display_description", "description") or "",
        metadata=_items(optional_object(body, "metadata")),
    )
    return _answer(logic.create(acting(request), request=wanted), v3, 202)


def _either(body: dict[str, Any], first: str, second: str) -> str | None:
    """Return a text that the two dialects call differently."""
    return optional_str(body, first) if body.get(first) is not None else optional_str(body, second)


def _items(metadata: dict[str, Any]) -> dict[str, str]:
    if len(metadata) > _MAX_ITEMS:
        raise BadRequest(f"'metadata' has more than {_MAX_ITEMS} items")
    return {key: require_str(metadata, key) for key in metadata}


def show(request: HttpRequest, *, snapshot_id: str, v3: bool) -> HttpResponse:
    """Show a snapshot."""
    return _answer(logic.get(acting(request), snapshot_id=snapshot_id), v3)


def update(request: HttpRequest, *, snapshot_id: str, v3: bool) -> HttpResponse:
    """Rename or describe a snapshot."""
    body = require_object(read_object(request), "snapshot")
    snapshot = logic.update(
        acting(request),
        snapshot_id=snapshot_id,
        name=_either(body, "display_name", "name"),
        description=_either(body, "display_description", "description"),
    )
    return _answer(snapshot, v3)


def delete(request: HttpRequest, *, snapshot_id: str, v3: bool) -> HttpResponse:
    """Delete a snapshot and its object."""
    logic.delete(acting(request), snapshot_id=snapshot_id)
    return empty_response(202)


def show_metadata(request: HttpRequest, *, snapshot_id: str, v3: bool) -> HttpResponse:
    """Show a snapshot's properties."""
    return _metadata(logic.get(acting(request), snapshot_id=snapshot_id))


def _metadata(snapshot: Image) -> HttpResponse:
    return json_response({"metadata": snapshot.properties})


def merge_metadata(request: HttpRequest, *, snapshot_id: str, v3: bool) -> HttpResponse:
    """Merge properties."""
    return _set_metadata(request, snapshot_id, replace=False)


def replace_metadata(request: HttpRequest, *, snapshot_id: str, v3: bool) -> HttpResponse:
    """Replace all properties."""
    return _set_metadata(request, snapshot_id, replace=True)


def _set_metadata(request: HttpRequest, snapshot_id: str, *, replace: bool) -> HttpResponse:
    items = _items(require_object(read_object(request), "metadata"))
    snapshot = logic.set_metadata(acting(request), snapshot_id=snapshot_id, metadata=items, replace=replace)
    return _metadata(snapshot)


def delete_metadata(request: HttpRequest, *, snapshot_id: str, key: str, v3: bool) -> HttpResponse:
    """Remove a property; one that is not there is fine."""
    logic.remove_metadata(acting(request), snapshot_id=snapshot_id, key=key)
    return empty_response(200)
