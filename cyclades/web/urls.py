"""Routes of the pages, below ``ui/`` of CYCLADES_BASE_URL."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, re_path

from cyclades.web import console

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^machines/console/?$", console.show, name="cyclades-console"),
]
