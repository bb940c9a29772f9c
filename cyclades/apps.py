"""Django's handle on the application."""

from __future__ import annotations

from django.apps import AppConfig


class CycladesConfig(AppConfig):
    """Servers, networks, volumes and images."""

    name = "cyclades"
    label = "cyclades"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Compute"

    def ready(self) -> None:
        """Make the checks of the configuration known, and what compute says in the shell around all pages."""
        from cyclades import checks
        from cyclades.web import shell

        checks.register_checks()
        shell.register()
