"""Actions of a server that make images of it (compute contract 22.4)."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from cyclades.api.compute.dialect import base_url
from cyclades.logic import servers, snapshots
from cyclades.logic.server_state import require_writable
from cyclades.logic.snapshots import SnapshotRequest
from cyclades.logic.volume_sources import snapshots_enabled
from synnefo.api import empty_response
from synnefo.api.fields import optional_object, require_str
from synnefo.credentials import Credentials
from synnefo.errors import NotImplementedFault


def create_image(credentials: Credentials, server_id: int, arguments: dict[str, Any]) -> HttpResponse:
    """Make a snapshot of the system disk; the address of the image is in the answer's Location."""
    if not snapshots_enabled(credentials):
        raise NotImplementedFault("Snapshots are not offered to you.")
    server = servers.get_server(credentials, server_id=server_id)
    require_writable(credentials, server)
    metadata = optional_object(arguments, "metadata")
    request = SnapshotRequest(
        volume_id=snapshots.root_volume_of(server),
        name=require_str(arguments, "name", min_length=1),
        metadata={key: require_str(metadata, key) for key in metadata},
    )
    image = snapshots.create(credentials, request=request)
    location = f"{base_url()}/compute/v2.0/images/{image.id}"
    return empty_response(202, headers={"Location": location})


ACTIONS = {"createImage": create_image}
