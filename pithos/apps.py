"""The object storage application."""

from django.apps import AppConfig


class PithosConfig(AppConfig):
    """Object storage: accounts, containers, objects, blocks."""

    name = "pithos"
    label = "pithos"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Object storage"

    def register_in_shell(self) -> None:
        """Tell the shell around all pages what object storage has to say."""
        from pithos.web import shell

        shell.register()
