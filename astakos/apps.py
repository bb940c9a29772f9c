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
        """Tell the kernel's commands how to translate user ids, the shell about the account's pages."""
        from astakos.logic import login_checks
        from astakos.public import user_catalog
        from astakos.web import navigation, shell

        users.provide_catalog(user_catalog)
        navigation.register()
        shell.register()
        login_checks.register()
