"""What ``snf-manage check`` says about the configuration as a whole."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from synnefo import settings_registry


def check_ignored_settings(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Warn of settings that older releases had and that change nothing here."""
    named = {name: None for name in dir(settings) if name.isupper()}
    return [
        Warning(f"The setting {name} is ignored: {reason}.", hint="Remove it.", id="synnefo.W001")
        for name, reason in settings_registry.ignored(named).items()
    ]


def check_sample_secrets(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Refuse the secrets that a fresh installation has; part of ``check --deploy``."""
    declared = settings_registry.declared()
    return [
        Error(
            f"{name} has the value that this program comes with.",
            hint="Choose one with openssl rand -base64 36.",
            id="synnefo.E001",
        )
        for name in ("SECRET_KEY", "SECRET_ENCRYPTION_KEY")
        if getattr(settings, name) == declared[name].default and not settings.DEBUG
    ]


def register_checks() -> None:
    """Make the checks known; called once Django has started."""
    register(check_ignored_settings)
    register(check_sample_secrets, deploy=True)
