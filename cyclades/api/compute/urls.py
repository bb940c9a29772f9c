"""URLs of the compute dialect, relative to its root."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
