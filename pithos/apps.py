"""The object storage application."""

from django.apps import AppConfig


class PithosConfig(AppConfig):
    """Object storage: accounts, containers, objects, blocks."""

    name = "pithos"
    label = "pithos"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Object storage"
