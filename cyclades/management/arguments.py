"""How commands read what administrators type (administrator's contract 1.6 and 4.2)."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.management.base import CommandError

from cyclades.ganeti import names
from cyclades.logic.servers import get_server
from cyclades.models import Flavor, Server, VolumeType
from synnefo.credentials import Credentials
from synnefo.errors import NotFound

_MAX_SPEC_KEY = 64
_MAX_SPEC_VALUE = 255


def numbers(text: str, what: str, *, maximum: int = 2**31 - 1) -> list[int]:
    """Return the positive integers of a comma list; raises ``CommandError``."""
    try:
        values = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise CommandError(f"Invalid {what}: '{text}' is not a comma list of integers") from error
    if not all(1 <= value <= maximum for value in values):
        raise CommandError(f"Invalid {what}: {text} has a value outside 1 to {maximum}")
    return values


def specs(text: str | None) -> dict[str, str]:
    """Return the pairs of ``key=value,…``; raises ``CommandError``."""
    pairs = {}
    for part in filter(None, (text or "").split(",")):
        key, equals, value = part.partition("=")
        if not equals or not 1 <= len(key) <= _MAX_SPEC_KEY or len(value) > _MAX_SPEC_VALUE:
            raise CommandError(f"'{part}' is not of the form key=value")
        pairs[key] = value
    return pairs


def words(text: str | None) -> list[str]:
    """Return the parts of a comma list."""
    return list(filter(None, (text or "").split(",")))


def number(text: str, what: str) -> int:
    """Return the id of a *what*; raises ``CommandError``."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise CommandError(f"Invalid {what} ID: {text}")
    return int(text)


def find_server(text: str) -> Server:
    """Return the server of an id or a Ganeti instance name; raises ``CommandError``."""
    server_id = names.server_id_of(text)
    if server_id is None:
        server_id = number(text, "Server")
    try:
        return get_server(Credentials.administrator(), server_id=server_id)
    except NotFound as error:
        raise CommandError(
            f"Server with ID {text} does not exist. Use server-list to find out available server IDs."
        ) from error


def find_flavor(text: str) -> Flavor:
    """Return the flavor of an id; raises ``CommandError``."""
    flavor = Flavor.objects.select_related("volume_type").filter(pk=number(text, "Flavor")).first()
    if flavor is None:
        raise CommandError(
            f"Flavor with ID {text} does not exist. Use flavor-list to find out available flavor IDs."
        )
    return flavor


def find_volume_type(text: str) -> VolumeType:
    """Return the volume type of an id; raises ``CommandError``."""
    volume_type = VolumeType.objects.filter(pk=number(text, "Volume type")).first()
    if volume_type is None:
        raise CommandError(
            f"Volume type with ID {text} does not exist. "
            "Use volume-type-list to find out available volume type IDs."
        )
    return volume_type


def spec_texts(rows: Sequence[tuple[str, str]]) -> str:
    """Return specs as they are typed."""
    return ",".join(f"{key}={value}" for key, value in rows)
