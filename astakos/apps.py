"""Django's handle on the application."""

from __future__ import annotations

from django.apps import AppConfig

from synnefo import users


class AstakosConfig(AppConfig):
    """Identity, quota and projects."""

    name = "astakos"
    label = "astakos"
    verbose_name = "Astakos"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the kernel's commands how to translate user ids, and Django what to check."""
        from astakos.logic import login_checks
        from astakos.public import user_catalog

        users.provide_catalog(user_catalog)
        login_checks.register()

    def register_in_shell(self) -> None:
        """Tell the shell around all pages about the account's pages, projects and news."""
        from astakos.web import navigation, shell

        navigation.register()
        shell.register()
