"""What ``snf-manage check`` says about the configuration of graphs."""

from __future__ import annotations

import shutil
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from stats.logic import rrd

#: What older releases came with.
_KNOWN_SECRETS = ("secret_key", "secret key")
_SECRETS = ("STATS_SECRET_KEY", "CYCLADES_STATS_SECRET_KEY")
_SMALLEST_BAR = 4


def check_secrets(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Refuse secrets that everybody knows, and two that do not fit together."""
    values = {name: getattr(settings, name) for name in _SECRETS}
    found: list[CheckMessage] = [
        Error(
            f"{name} has the value that older releases came with.",
            hint="Choose a long random one; leave it empty where compute and graphs are one project.",
            id="stats.E001",
        )
        for name, value in values.items()
        if value in _KNOWN_SECRETS and not settings.DEBUG
    ]
    if all(values.values()) and len(set(values.values())) > 1:
        found.append(
            Error(
                "STATS_SECRET_KEY and CYCLADES_STATS_SECRET_KEY differ: no graph would be shown.",
                hint="Set one of them only.",
                id="stats.E002",
            )
        )
    return found


def check_sizes(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Refuse sizes that no bar fits into, and colours that are none."""
    found: list[CheckMessage] = []
    if min(settings.HEIGHT, settings.WIDTH) < _SMALLEST_BAR or settings.IMAGE_WIDTH < settings.WIDTH:
        hint = f"HEIGHT and WIDTH are {_SMALLEST_BAR} at least, IMAGE_WIDTH is not less than WIDTH."
        found.append(Error("The sizes of bars do not fit.", hint=hint, id="stats.E003"))
    for name in ("BAR_BORDER_COLOR", "BAR_BG_COLOR"):
        color = getattr(settings, name)
        if len(color) != 3 or not all(isinstance(part, int) and 0 <= part <= 255 for part in color):
            found.append(Error(f"{name} is not three numbers from 0 to 255.", id="stats.E004"))
    return found


def check_place(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Refuse an address without a path where there is more on the host than graphs."""
    services = settings.SYNNEFO_SERVICES
    if "stats" not in services or len(services) == 1 or urlsplit(settings.STATS_BASE_URL).path.strip("/"):
        return []
    hint = "Give it a path such as /stats, or name only stats in SYNNEFO_SERVICES of the host that draws."
    text = "STATS_BASE_URL has no path: the service of graphs would answer for every address of this host."
    return [Error(text, hint=hint, id="stats.E005")]


def check_program(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Warn where nothing could draw; part of ``check --deploy``, since a host may do without graphs."""
    if shutil.which(rrd.PROGRAM):
        return []
    hint = "Install the package rrdtool, or leave stats out of SYNNEFO_SERVICES."
    return [Warning("The program rrdtool is not installed: no graphs.", hint=hint, id="stats.W001")]


def register_checks() -> None:
    """Make the checks known; called once Django has started."""
    register(check_secrets)
    register(check_sizes)
    register(check_place)
    register(check_program, deploy=True)
