"""Actions that boot a server from a rescue image and from its disk again (compute contract 7.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings

from cyclades.logic import rescue
from synnefo.api.fields import require_id
from synnefo.credentials import Credentials
from synnefo.errors import NotFound


class FeatureNotEnabled(NotFound):
    """The installation offers no rescue mode to users."""

    name = "featureNotEnabled"


def _rescue(credentials: Credentials, server_id: int, arguments: dict[str, Any]) -> None:
    _require_enabled()
    wanted = arguments.get("rescue_image_ref")
    image_id = None if wanted is None else require_id(wanted, "rescue image")
    rescue.rescue(credentials, server_id=server_id, image_id=image_id)


def _unrescue(credentials: Credentials, server_id: int, arguments: dict[str, Any]) -> None:
    _require_enabled()
    rescue.unrescue(credentials, server_id=server_id)


def _require_enabled() -> None:
    if not settings.RESCUE_ENABLED:
        raise FeatureNotEnabled("Rescue mode is not enabled")


ACTIONS: dict[str, Callable[[Credentials, int, dict[str, Any]], None]] = {
    "rescue": _rescue,
    "unrescue": _unrescue,
}
