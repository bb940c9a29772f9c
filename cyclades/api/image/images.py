"""Images over HTTP, their metadata in headers (image contract 3 and 4)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import unquote

from django.http import HttpRequest, HttpResponse

from cyclades.api.compute.dialect import acting, page_limit, query_int
from cyclades.api.image import headers
from cyclades.api.image.rendering import render_brief, render_detail
from cyclades.logic import image_changes
from cyclades.logic import images as image_logic
from cyclades.logic.image_changes import ImageFields
from cyclades.logic.images import SORT_KEYS, Image, ImageFilter
from synnefo.api import empty_response, json_response
from synnefo.errors import BadRequest, NotImplementedFault

_REGISTERED = frozenset(
    {
        "checksum",
        "container_format",
        "disk_format",
        "id",
        "is_public",
        "location",
        "name",
        "owner",
        "size",
        "store",
    }
)
_UPDATED = frozenset({"container_format", "disk_format", "is_public", "name", "owner", "status"})
_MAX_VALUE = 256

Handler = Callable[..., HttpResponse]


def list_handler(*, wrapped: bool, detail: bool) -> Handler:
    """Return the handler of a list; *wrapped* puts the array into an object, as Glance's tools want it."""
    render = render_detail if detail else render_brief

    def list_all(request: HttpRequest) -> HttpResponse:
        images = image_logic.list_images(acting(request), read_filter(request))
        document: Any = [render(image) for image in images]
        return json_response({"images": document} if wrapped else document)

    return list_all


def read_filter(request: HttpRequest) -> ImageFilter:
    """Return what the query asks for; raises ``BadRequest``."""
    query = request.GET
    sort_key, sort_dir = query.get("sort_key", "created_at"), query.get("sort_dir", "desc")
    if sort_key not in SORT_KEYS:
        raise BadRequest("Invalid 'sort_key'")
    if sort_dir not in ("asc", "desc"):
        raise BadRequest("Invalid 'sort_dir'")
    for name in ("size_min", "size_max"):
        if query.get(name) == "":
            raise BadRequest(f"'{name}' must be an integer")
    return ImageFilter(
        names=_names(query.get("name")),
        container_format=query.get("container_format"),
        disk_format=query.get("disk_format"),
        status=query.get("status"),
        size_min=query_int(request, "size_min"),
        size_max=query_int(request, "size_max"),
        sort_key=sort_key,
        descending=sort_dir == "desc",
        limit=page_limit(request),
        marker=query.get("marker"),
    )


def _names(text: str | None) -> frozenset[str]:
    """Return what a client may mean: kamaki encodes a name twice."""
    return frozenset() if text is None else frozenset({text, unquote(text)})


def register(request: HttpRequest) -> HttpResponse:
    """Register an object as an image."""
    found = headers.read(request.META)
    if "id" in found.fields:
        raise BadRequest("Setting the image ID is not supported")
    if found.fields.get("store", "pithos") != "pithos":
        raise BadRequest("Invalid 'store': images are kept in pithos only")
    if not found.fields.get("name"):
        raise BadRequest("'name' parameter is required")
    if not found.fields.get("location"):
        raise BadRequest("'location' parameter is required")
    image = image_changes.register(
        acting(request),
        location=image_changes.parse_location(found.fields["location"]),
        fields=_fields(found, _REGISTERED),
    )
    return _answer(image)


def show(request: HttpRequest, image_id: str) -> HttpResponse:
    """Show an image's metadata."""
    return _answer(image_logic.get_image(acting(request), image_id))


def download(request: HttpRequest, image_id: str) -> HttpResponse:
    """Refuse: the bytes of an image are read from the object store."""
    raise NotImplementedFault("Images are downloaded from the object store, at their location.")


def update(request: HttpRequest, image_id: str) -> HttpResponse:
    """Change an image's metadata."""
    image = image_changes.update(
        acting(request),
        image_id=image_id,
        fields=_fields(headers.read(request.META), _UPDATED),
        replace_properties=request.headers.get("X-Glance-Registry-Purge-Props", "").lower() == "true",
    )
    return _answer(image)


def delete(request: HttpRequest, image_id: str) -> HttpResponse:
    """Unregister an image; its file stays."""
    image_changes.unregister(acting(request), image_id=image_id)
    return empty_response(204)


def _answer(image: Image) -> HttpResponse:
    return empty_response(headers=headers.write(image))


def _fields(found: headers.ImageHeaders, accepted: Collection[str]) -> ImageFields:
    refused = sorted(set(found.fields) - set(accepted))
    if refused:
        raise BadRequest(f"Invalid parameters: {', '.join(refused)}")
    values = found.fields
    for name, value in values.items():
        if len(value) > _MAX_VALUE and name != "location":
            raise BadRequest(f"'{name}' has more than {_MAX_VALUE} characters")
    public = values.get("is_public")
    return ImageFields(
        name=values.get("name"),
        disk_format=values.get("disk_format") or None,
        container_format=values.get("container_format") or None,
        is_public=None if public is None else public.lower() == "true",
        status=values.get("status") or None,
        size=_size(values.get("size")),
        checksum=values.get("checksum") or None,
        properties=found.properties,
        is_joined=True,
    )


def _size(text: str | None) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        raise BadRequest("Invalid 'size' field")
    return int(text)
