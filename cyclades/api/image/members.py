"""Who may use an image, over HTTP (image contract 5)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from cyclades.api.compute.dialect import acting
from cyclades.logic import image_changes
from cyclades.logic import images as image_logic
from synnefo.api import empty_response, json_response, read_object
from synnefo.api.fields import optional_list, require_str
from synnefo.errors import BadRequest


def list_all(request: HttpRequest, image_id: str) -> HttpResponse:
    """List the explicit readers of an image."""
    image = image_logic.get_image(acting(request), image_id)
    return json_response({"members": [{"member_id": user, "can_share": False} for user in image.users]})


def replace(request: HttpRequest, image_id: str) -> HttpResponse:
    """Replace the readers of an image."""
    body = read_object(request)
    if "memberships" not in body:
        raise BadRequest("Malformed request. Missing attribute 'memberships'.")
    items = optional_list(body, "memberships")
    if not all(isinstance(item, dict) for item in items):
        raise BadRequest("Malformed request: 'memberships' is a list of objects with 'member_id'")
    members = [require_str(item, "member_id", min_length=1) for item in items]
    image_changes.set_members(acting(request), image_id=image_id, members=members)
    return empty_response(204)


def add(request: HttpRequest, image_id: str, member: str) -> HttpResponse:
    """Add a reader."""
    image_changes.add_member(acting(request), image_id=image_id, member=member)
    return empty_response(204)


def remove(request: HttpRequest, image_id: str, member: str) -> HttpResponse:
    """Remove a reader."""
    image_changes.remove_member(acting(request), image_id=image_id, member=member)
    return empty_response(204)


def list_shared(request: HttpRequest, member: str) -> HttpResponse:
    """List the images that *member* shares with the caller."""
    shared = image_changes.shared_by(acting(request), owner=member)
    return json_response({"shared_images": [{"image_id": image.id, "can_share": False} for image in shared]})
