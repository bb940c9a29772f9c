"""URLs of the image dialect, relative to its root (image contract 1)."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, re_path

from cyclades.api.image import images, members
from cyclades.api.image.dialect import list_versions, service

route = service.route

_IMAGE = r"images/(?P<image_id>[\w-]+)"
_MEMBER = r"(?P<member>[\w@.:-]+)"


def _versioned(*, wrapped: bool) -> list[URLPattern | URLResolver]:
    """Return the routes of a version; lists are bare arrays unless *wrapped*."""
    return [
        route("images/?", GET=images.list_handler(wrapped=wrapped, detail=False), POST=images.register),
        route("images/detail/?", GET=images.list_handler(wrapped=wrapped, detail=True)),
        route(rf"{_IMAGE}/?", GET=images.download, HEAD=images.show, PUT=images.update, DELETE=images.delete),
        route(rf"{_IMAGE}/members/?", GET=members.list_all, PUT=members.replace),
        route(rf"{_IMAGE}/members/{_MEMBER}/?", PUT=members.add, DELETE=members.remove),
        route(rf"shared-images/{_MEMBER}/?", GET=members.list_shared),
    ]


urlpatterns: list[URLPattern | URLResolver] = [
    route("(?:versions/?)?", auth=False, GET=list_versions),
    re_path(r"^v1\.0/", include(_versioned(wrapped=False))),
    re_path(r"^v1/", include(_versioned(wrapped=True))),
    re_path(r"^v2/", include("cyclades.api.image.v2.urls")),
    service.catch_all(),
]
