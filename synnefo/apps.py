"""Django's handle on the kernel."""

from __future__ import annotations

from django.apps import AppConfig


class SynnefoConfig(AppConfig):
    """What all services share."""

    name = "synnefo"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the checks of the configuration known."""
        from synnefo import checks

        checks.register_checks()
