"""Volume types of the v2 dialect (volume contract 10)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from cyclades.api.volume.rendering import render_type
from cyclades.logic import volume_types
from synnefo.api import fields, json_response


def list_all(request: HttpRequest) -> HttpResponse:
    """Answer with the types that are not deleted."""
    return json_response({"volume_types": [render_type(kind) for kind in volume_types.list_volume_types()]})


def show(request: HttpRequest, type_id: str) -> HttpResponse:
    """Answer with one type, also a deleted one."""
    kind = volume_types.show_volume_type(fields.require_id(type_id, "volume type"))
    return json_response({"volume_type": render_type(kind)})
