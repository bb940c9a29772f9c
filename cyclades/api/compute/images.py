"""Images through the compute dialect (compute contract 11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver

from cyclades.api.changes_since import changes_since
from cyclades.api.compute.dialect import END, acting, base_url, next_page, page_limit, resource_links
from cyclades.logic import image_changes
from cyclades.logic import images as image_logic
from cyclades.logic.images import Image, ImageFilter
from synnefo import clock
from synnefo.api import ApiService, empty_response, json_response, read_object
from synnefo.api.fields import require_object, require_str
from synnefo.errors import BadRequest, NotFound, NotImplementedFault, NotModified

_ACTIVE = "ACTIVE"
_MAX_PROPERTIES = 100


def image_routes(service: ApiService) -> list[URLPattern | URLResolver]:
    """Return the routes of images below the compute root."""
    route = service.route
    image = r"images/(?P<image_id>[\w-]+)"
    return [
        route(f"images{END}", GET=list_brief, POST=create),
        route(f"images/detail{END}", GET=list_detail),
        route(f"{image}{END}", GET=show, DELETE=delete),
        route(f"{image}/metadata{END}", GET=show_metadata, POST=merge_metadata),
        route(
            rf"{image}/metadata/(?P<key>.+?){END}",
            GET=show_item,
            PUT=set_item,
            DELETE=delete_item,
        ),
    ]


def render(image: Image) -> dict[str, Any]:
    """Return all fields of an image."""
    status = _ACTIVE if image.status == image_logic.AVAILABLE else image.shown_status
    path = f"images/{image.id}"
    alternate = {"rel": "alternate", "href": f"{base_url()}/image/v1.0/{path}"}
    return {
        "id": image.id,
        "name": image.name,
        "updated": clock.isoformat(image.updated_at.replace(microsecond=0)),
        "created": clock.isoformat(image.created_at.replace(microsecond=0)),
        "status": status,
        "progress": 100 if status == _ACTIVE else 0,
        "user_id": image.owner,
        "tenant_id": image.owner,
        "public": image.is_public,
        "is_snapshot": image.is_snapshot,
        "metadata": image.properties,
        "minDisk": image.min_disk,
        "minRam": image.min_ram,
        "OS-EXT-IMG-SIZE:size": image.size,
        "links": [*resource_links(path), alternate],
    }


def _list(request: HttpRequest) -> list[Image]:
    since = changes_since(request)
    wanted = ImageFilter(updated_since=since, sort_key="id", descending=False)
    images = image_logic.list_images(acting(request), wanted)
    if since is not None and not images:
        raise NotModified
    return images


def list_brief(request: HttpRequest) -> HttpResponse:
    """List ids and names."""
    return _answer(request, "images", lambda image: {"id": image.id, "name": image.name})


def list_detail(request: HttpRequest) -> HttpResponse:
    """List all fields."""
    return _answer(request, "images/detail", render)


def _answer(request: HttpRequest, path: str, shown: Callable[[Image], dict[str, Any]]) -> HttpResponse:
    """Answer with the wanted page; images are few and come with their object store's query anyway."""
    images = _list(request)
    name, marker, limit = request.GET.get("name"), request.GET.get("marker"), page_limit(request)
    if marker:
        ids = [image.id for image in images]
        if marker not in ids:
            raise BadRequest("'marker' names no image")
        images = images[ids.index(marker) + 1 :]
    if name:
        images = [image for image in images if image.name == name]
    page = images if limit is None else images[:limit]
    body: dict[str, Any] = {"images": [shown(image) for image in page]}
    if len(page) < len(images):
        body["images_links"] = next_page(request, path, page[-1].id)
    return json_response(body)


def create(request: HttpRequest) -> HttpResponse:
    """Refuse: images are registered with the image service."""
    raise NotImplementedFault("Images are registered with the image service.")


def show(request: HttpRequest, image_id: str) -> HttpResponse:
    """Show an image."""
    return json_response({"image": render(image_logic.get_image(acting(request), image_id))})


def delete(request: HttpRequest, image_id: str) -> HttpResponse:
    """Unregister an image; its file stays."""
    image_changes.unregister(acting(request), image_id=image_id)
    return empty_response(204)


def show_metadata(request: HttpRequest, image_id: str) -> HttpResponse:
    """Show an image's properties."""
    return json_response({"metadata": image_logic.get_image(acting(request), image_id).properties})


def merge_metadata(request: HttpRequest, image_id: str) -> HttpResponse:
    """Merge properties into an image."""
    properties = _read_properties(require_object(read_object(request), "metadata"))
    image = image_changes.set_properties(acting(request), image_id=image_id, properties=properties)
    return json_response({"metadata": image.properties}, status=201)


def _read_properties(metadata: dict[str, Any]) -> dict[str, str]:
    if len(metadata) > _MAX_PROPERTIES:
        raise BadRequest(f"At most {_MAX_PROPERTIES} metadata items can be set at once")
    return {key: require_str(metadata, key) for key in metadata}


def show_item(request: HttpRequest, image_id: str, key: str) -> HttpResponse:
    """Show one property."""
    properties = image_logic.get_image(acting(request), image_id).properties
    if key not in properties:
        raise NotFound("Metadata key not found")
    return json_response({"meta": {key: properties[key]}})


def set_item(request: HttpRequest, image_id: str, key: str) -> HttpResponse:
    """Set one property."""
    meta = require_object(read_object(request), "meta")
    if set(meta) != {key}:
        raise BadRequest("Malformed request: 'meta' must hold the key of the address and no other")
    properties = _read_properties(meta)
    image_changes.set_properties(acting(request), image_id=image_id, properties=properties)
    return json_response({"meta": properties}, status=201)


def delete_item(request: HttpRequest, image_id: str, key: str) -> HttpResponse:
    """Delete one property."""
    image_changes.delete_property(acting(request), image_id=image_id, key=key)
    return empty_response(204)
