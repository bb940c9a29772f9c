"""What ``snf-manage check`` says about the configuration as a whole."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

from synnefo import settings_registry


def check_ignored_settings(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Warn of settings that older releases had and that change nothing here."""
    named = {name: None for name in dir(settings) if name.isupper()}
    return [
        Warning(f"The setting {name} is ignored: {reason}.", hint="Remove it.", id="synnefo.W001")
        for name, reason in settings_registry.ignored(named).items()
    ]


def register_checks() -> None:
    """Make the checks known; called once Django has started."""
    register(check_ignored_settings)
