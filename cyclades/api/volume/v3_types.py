"""Volume types of Cinder's dialect (volume contract 15)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from cyclades.api.volume.v3_rendering import render_specs, render_type
from cyclades.logic import volume_types
from cyclades.models import VolumeType
from synnefo.api import json_response
from synnefo.errors import NotFound


def list_all(request: HttpRequest) -> HttpResponse:
    """Answer with the types that volumes may have."""
    return json_response({"volume_types": [render_type(kind) for kind in volume_types.list_volume_types()]})


def show_default(request: HttpRequest) -> HttpResponse:
    """Answer with the type of volumes whose creator names none."""
    kind = volume_types.default_volume_type()
    if kind is None:
        raise NotFound("There is no default volume type")
    return json_response({"volume_type": render_type(kind)})


def _find(type_id: str) -> VolumeType:
    kind = volume_types.find_volume_type(type_id)
    if kind is None:
        raise NotFound(f"Volume type {type_id[:64]} not found")
    return kind


def show(request: HttpRequest, type_id: str) -> HttpResponse:
    """Answer with one type, by id or name."""
    return json_response({"volume_type": render_type(_find(type_id))})


def show_specs(request: HttpRequest, type_id: str) -> HttpResponse:
    """Answer with the parameters of a type."""
    return json_response({"extra_specs": render_specs(_find(type_id))})
