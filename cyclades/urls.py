"""Cyclades URLs, relative to CYCLADES_BASE_URL."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, re_path

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^compute(?:/|$)", include("cyclades.api.compute.urls")),
    re_path(r"^network(?:/|$)", include("cyclades.api.network.urls")),
    re_path(r"^image(?:/|$)", include("cyclades.api.image.urls")),
    re_path(r"^volume(?:/|$)", include("cyclades.api.volume.urls")),
    re_path(r"^vmapi(?:/|$)", include("cyclades.api.vmapi.urls")),
    re_path(r"^userdata(?:/|$)", include("cyclades.api.userdata.urls")),
    re_path(r"^admin(?:/|$)", include("cyclades.api.admin.urls")),
    re_path(r"^ui(?:/|$)", include("cyclades.web.urls")),
]
