"""Addresses that belong to the brand and the shell, from the root of the site (web contract 3)."""

from __future__ import annotations

from django.urls import URLPattern, path

from branding import views

urlpatterns: list[URLPattern] = [
    path("branding/theme.css", views.theme, name="branding-theme"),
    path("branding/manifest.webmanifest", views.manifest, name="branding-manifest"),
    path("_ui/close-notice", views.close_notice, name="branding-close-notice"),
    path("_ui/prefs", views.preferences, name="branding-preferences"),
]
