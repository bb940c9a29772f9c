"""The options that describe a rescue image, for the commands that make and change one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic.rescue_images import ImageValues
from cyclades.models import RescueImage
from synnefo.management.base import strict_bool

_TEXTS = {
    "name": "Name; that of the location by default.",
    "location": "URL, or file below RESCUE_IMAGE_PATH on the Ganeti nodes.",
    "os-family": "Family of the system on the image, such as linux.",
    "os": "System on the image, such as grml.",
    "target-os-family": "Family of systems that the image can rescue; chosen by it.",
    "target-os": "System that the image can rescue; chosen by it, within its family.",
}


def add_values(parser: CommandParser, *, location_required: bool) -> None:
    """Add the options of every property."""
    for name, text in _TEXTS.items():
        parser.add_argument(f"--{name}", help=text, required=location_required and name == "location")
    parser.add_argument(
        "--location-type",
        choices=RescueImage.LocationType.values,
        help="What --location is; file by default.",
    )
    parser.add_argument(
        "--default",
        type=strict_bool,
        metavar="True|False",
        help="Whether it is for all servers that no image suits; there is one such image.",
    )
    parser.add_argument("-n", "--dry-run", action="store_true", help="Check the values and change nothing.")


def values_of(options: Mapping[str, Any]) -> ImageValues:
    """Return what the options say."""
    texts = {name.replace("-", "_"): options[name.replace("-", "_")] for name in _TEXTS}
    return ImageValues(
        **texts,
        location_type=options["location_type"],
        is_default=options["default"],
        deleted=options.get("deleted"),
    )


def shown(image: RescueImage) -> dict[str, Any]:
    """Return what commands print of an image."""
    return {
        "id": image.pk,
        "name": image.name,
        "location_type": image.location_type,
        "location": image.location,
        "os_family": image.os_family,
        "os": image.os,
        "target_os_family": image.target_os_family,
        "target_os": image.target_os,
        "deleted": image.deleted,
        "is_default": image.is_default,
    }
