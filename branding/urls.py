"""Addresses that belong to the brand and the shell, from the root of the site (web contract 3)."""

from __future__ import annotations

from django.apps import apps
from django.urls import URLPattern, path

from branding import shell_views, views

urlpatterns: list[URLPattern] = [
    path("branding/theme.css", views.theme, name="branding-theme"),
    path("branding/manifest.webmanifest", views.manifest, name="branding-manifest"),
    path("_ui/close-notice", views.close_notice, name="branding-close-notice"),
    path("_ui/prefs", views.preferences, name="branding-preferences"),
    path("_ui/search", shell_views.find, name="branding-search"),
    path("_ui/notifications", shell_views.notes, name="branding-notifications"),
    path("_ui/notifications/read", shell_views.mark_read, name="branding-notifications-read"),
    path("_ui/events", shell_views.events, name="branding-events"),
    path("_ui/shortcuts", shell_views.shortcuts, name="branding-shortcuts"),
]


def _ask_services() -> None:
    """Let each service tell the shell what it adds; only here, as programs without pages load none of it."""
    for application in apps.get_app_configs():
        register = getattr(application, "register_in_shell", None)
        if register is not None:
            register()


_ask_services()
