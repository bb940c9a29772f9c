"""Django's handle on the application."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks

from synnefo import content_security


class BrandingConfig(AppConfig):
    """The look of all pages."""

    name = "branding"
    label = "branding"
    verbose_name = "Branding"

    def ready(self) -> None:
        """Register the checks, and the hosts that the brand's pictures and fonts come from."""
        from branding.checks import check_colors
        from branding.identity import outside_hosts

        checks.register(check_colors)
        content_security.allow_sources(outside_hosts)
