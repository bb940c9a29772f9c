"""Django's handle on the application."""

from __future__ import annotations

from django.apps import AppConfig


class AstakosConfig(AppConfig):
    """Identity, quota and projects."""

    name = "astakos"
    label = "astakos"
    verbose_name = "Astakos"
    default_auto_field = "django.db.models.BigAutoField"
