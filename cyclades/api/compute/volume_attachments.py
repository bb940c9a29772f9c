"""Volumes of a server (compute contract 9.3)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern

from cyclades.api.compute.dialect import END, acting
from cyclades.api.compute.servers import parse_server_id
from cyclades.logic import volume_attachments
from cyclades.models import Volume
from synnefo.api import ApiService, empty_response, fields, json_response, read_object
from synnefo.errors import BadRequest


def render(volume: Volume) -> dict[str, Any]:
    """Return a volume's place on its server; the volume's id is the attachment's."""
    return {"id": volume.pk, "volumeId": volume.pk, "serverId": volume.machine_id, "device": ""}


def list_all(request: HttpRequest, server_id: str) -> HttpResponse:
    """Answer with the volumes of a server."""
    volumes = volume_attachments.list_attachments(acting(request), server_id=parse_server_id(server_id))
    return json_response({"volumeAttachments": [render(volume) for volume in volumes]})


def show(request: HttpRequest, server_id: str, volume_id: str) -> HttpResponse:
    """Answer with one volume of a server."""
    volume = volume_attachments.get_attachment(
        acting(request),
        server_id=parse_server_id(server_id),
        volume_id=fields.require_id(volume_id, "volume"),
    )
    return json_response({"volumeAttachment": render(volume)})


def attach(request: HttpRequest, server_id: str) -> HttpResponse:
    """Begin to give a volume to a server."""
    body = fields.require_object(read_object(request), "volumeAttachment")
    if body.get("volumeId") is None:
        raise BadRequest("Malformed request. Missing attribute 'volumeId'.")
    volume, _ = volume_attachments.attach(
        acting(request),
        server_id=parse_server_id(server_id),
        volume_id=fields.require_id(body["volumeId"], "volume"),
    )
    return json_response({"volumeAttachment": render(volume)}, status=202)


def detach(request: HttpRequest, server_id: str, volume_id: str) -> HttpResponse:
    """Begin to take a volume off a server."""
    volume_attachments.detach(
        acting(request),
        server_id=parse_server_id(server_id),
        volume_id=fields.require_id(volume_id, "volume"),
    )
    return empty_response(202)


def volume_attachment_routes(service: ApiService) -> list[URLPattern]:
    """Return the routes of this module."""
    base = r"servers/(?P<server_id>\d+)/os-volume_attachments"
    return [
        service.route(f"{base}{END}", GET=list_all, POST=attach),
        service.route(rf"{base}/(?P<volume_id>[^/.]+){END}", GET=show, DELETE=detach),
    ]
