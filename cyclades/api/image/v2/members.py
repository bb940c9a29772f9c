"""Who may use an image, in Glance's second dialect (image contract 11)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from cyclades.api.compute.dialect import acting
from cyclades.api.image.v2.rendering import render_member
from cyclades.logic import image_changes, queued_images
from cyclades.logic.images import Image
from synnefo.api import empty_response, json_response, read_object
from synnefo.api.fields import require_str
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound


def list_all(request: HttpRequest, image_id: str) -> HttpResponse:
    """List the members of an image."""
    image = _shareable(request, image_id)
    members = [render_member(image, user) for user in image.users]
    return json_response({"members": members, "schema": "/v2/schemas/members"})


def add(request: HttpRequest, image_id: str) -> HttpResponse:
    """Let a user, or a group of the object store, use an image."""
    member = require_str(read_object(request), "member", min_length=1)
    image = _shareable(request, image_id)
    if not image.location:
        raise Conflict("The image has no data yet. Upload it, then share it.")
    if member in image.users:
        raise Conflict(f"'{member[:64]}' is a member of the image already.")
    image_changes.add_member(acting(request), image_id=image.id, member=member)
    return json_response(render_member(image, member))


def show(request: HttpRequest, image_id: str, member: str) -> HttpResponse:
    """Show a member of an image."""
    return json_response(render_member(_with_member(request, image_id, member), member))


def update(request: HttpRequest, image_id: str, member: str) -> HttpResponse:
    """Take note of nothing: every share counts as accepted."""
    status = require_str(read_object(request), "status")
    if status not in ("accepted", "pending", "rejected"):
        raise BadRequest("'status' must be accepted, pending or rejected")
    return json_response(render_member(_with_member(request, image_id, member), member, status))


def remove(request: HttpRequest, image_id: str, member: str) -> HttpResponse:
    """Let a member use an image no more."""
    image = _with_member(request, image_id, member)
    image_changes.remove_member(acting(request), image_id=image.id, member=member)
    return empty_response(204)


def _shareable(request: HttpRequest, image_id: str) -> Image:
    image = queued_images.find(acting(request), image_id=image_id)
    if image.is_public:
        raise Forbidden("A public image has no members.")
    return image


def _with_member(request: HttpRequest, image_id: str, member: str) -> Image:
    image = _shareable(request, image_id)
    if member not in image.users:
        raise NotFound("The image has no such member.")
    return image
