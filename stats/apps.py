"""Django's handle on the application."""

from __future__ import annotations

from django.apps import AppConfig


class StatsConfig(AppConfig):
    """Pictures of what servers use."""

    name = "stats"
    label = "stats"
    verbose_name = "Graphs"

    def ready(self) -> None:
        """Make the checks of the configuration known."""
        from stats import checks

        checks.register_checks()
