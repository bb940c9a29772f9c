"""Routes of the graphs, below the path of STATS_BASE_URL (ganeti-backend contract 12.3)."""

from __future__ import annotations

from django.urls import URLPattern

from stats.api import graphs

urlpatterns: list[URLPattern] = graphs.patterns()
