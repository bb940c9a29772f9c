"""Routes of the pages, below ``ui/``, ``weblogin/`` and ``oauth2/`` of ASTAKOS_BASE_URL."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

#: Each module of pages contributes its own list.
urlpatterns: list[URLPattern | URLResolver] = []
