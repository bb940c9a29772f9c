"""Routes of Glance's second dialect, relative to ``v2/`` (image contract 11)."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

from cyclades.api.image.dialect import service
from cyclades.api.image.v2 import data, images, lists, members, schemas

route = service.route

_IMAGE = r"images/(?P<image_id>[\w-]+)"
_MEMBER = r"(?P<member>[\w@.:-]+)"

urlpatterns: list[URLPattern | URLResolver] = [
    route("images/?", GET=lists.list_all, POST=images.create),
    route(rf"{_IMAGE}/?", GET=images.show, PATCH=images.patch, DELETE=images.delete),
    route(rf"{_IMAGE}/file/?", GET=data.download, PUT=data.upload),
    route(rf"{_IMAGE}/tags/(?P<tag>[^/]+)/?", PUT=images.add_tag, DELETE=images.remove_tag),
    route(rf"{_IMAGE}/members/?", GET=members.list_all, POST=members.add),
    route(rf"{_IMAGE}/members/{_MEMBER}/?", GET=members.show, PUT=members.update, DELETE=members.remove),
    route(rf"{_IMAGE}/actions/(?P<action>[a-z]+)/?", POST=images.not_offered),
    route(rf"{_IMAGE}/import/?", POST=images.not_offered),
    route(rf"{_IMAGE}/stage/?", PUT=images.not_offered),
    route("schemas/(?P<name>[a-z]+)/?", GET=schemas.show),
    *(
        route(f"{name}(?:/.*)?", GET=images.refuse_unknown, POST=images.refuse_unknown)
        for name in images.NOT_OFFERED
    ),
]
