"""Images over HTTP in Glance's second dialect (image contract 11)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from cyclades.api.compute.dialect import acting, base_url
from cyclades.api.image.v2.documents import new_fields, patched_fields, tags_text
from cyclades.api.image.v2.rendering import render
from cyclades.logic import queued_images
from cyclades.logic.image_changes import ImageFields
from cyclades.logic.images import Image
from synnefo.api import empty_response, json_response, read_json, read_object
from synnefo.api.fields import optional_str
from synnefo.errors import NotFound, NotImplementedFault, UnsupportedMediaType

#: Glance's resources that there are none of.
NOT_OFFERED = ("cache", "info", "metadefs", "tasks")

_PATCH_TYPE = "application/openstack-images-v2.1-json-patch"


def create(request: HttpRequest) -> HttpResponse:
    """Announce an image, whose data is uploaded next."""
    body = read_object(request)
    image_id = optional_str(body, "id")
    image = queued_images.create(acting(request), fields=new_fields(body), image_id=image_id)
    location = f"{base_url()}/image/v2/images/{image.id}"
    return json_response(render(image), status=201, headers={"Location": location})


def show(request: HttpRequest, image_id: str) -> HttpResponse:
    """Show an image."""
    return json_response(render(queued_images.find(acting(request), image_id=image_id)))


def patch(request: HttpRequest, image_id: str) -> HttpResponse:
    """Change an image."""
    if request.META.get("CONTENT_TYPE", "").partition(";")[0].strip() != _PATCH_TYPE:
        raise UnsupportedMediaType(f"Images are changed with {_PATCH_TYPE}")
    operations = read_json(request, require_content_type=False)
    image = queued_images.find(acting(request), image_id=image_id)
    return json_response(render(_update(request, image, patched_fields(image, operations))))


def _update(request: HttpRequest, image: Image, fields: ImageFields) -> Image:
    return queued_images.update(acting(request), image_id=image.id, fields=fields)


def delete(request: HttpRequest, image_id: str) -> HttpResponse:
    """Delete an image, and its file if it was uploaded here."""
    queued_images.delete(acting(request), image_id=image_id)
    return empty_response(204)


def add_tag(request: HttpRequest, image_id: str, tag: str) -> HttpResponse:
    """Put a tag on an image."""
    image = queued_images.find(acting(request), image_id=image_id)
    _update(request, image, ImageFields(extras={"tags": tags_text([*image.tags, tag])}))
    return empty_response(204)


def remove_tag(request: HttpRequest, image_id: str, tag: str) -> HttpResponse:
    """Take a tag off an image."""
    image = queued_images.find(acting(request), image_id=image_id)
    if tag not in image.tags:
        raise NotFound("The image has no such tag.")
    _update(request, image, ImageFields(extras={"tags": tags_text([t for t in image.tags if t != tag])}))
    return empty_response(204)


def refuse_unknown(request: HttpRequest) -> HttpResponse:
    """Say that there are no tasks, no catalogue of metadata definitions and no cache."""
    raise NotFound("This part of the image service is not offered.")


def not_offered(request: HttpRequest, image_id: str, action: str = "") -> HttpResponse:
    """Refuse what Glance has and this service has not."""
    raise NotImplementedFault("Deactivation, staging and imports of images are not offered.")
