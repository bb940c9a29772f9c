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
        """Make the checks of the configuration known."""
        from cyclades import checks

        checks.register_checks()

    def register_in_shell(self) -> None:
        """Tell the shell around all pages what compute has to say."""
        from cyclades.web import shell

        shell.register()
