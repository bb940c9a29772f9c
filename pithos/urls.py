"""Routes of object storage, below the path of PITHOS_BASE_URL (object-storage contract 1)."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from pithos.api import accounts, containers, objects, proxy, public_links, top
from pithos.api.service import optional_caller, service
from pithos.api.swift import routes as swift_routes
from pithos.api.user_content import public_service
from pithos.web import view

_ACCOUNT = r"(?P<account>[^/]+)"
_CONTAINER = rf"{_ACCOUNT}/(?P<container>[^/]+)"
_OBJECT = rf"{_CONTAINER}/(?P<name>[\s\S]+)"

_object_store = [
    *swift_routes.patterns,
    service.route(r"v1(?:\.0)?/?", GET=top.show, auth=optional_caller),
    service.route(rf"v1(?:\.0)?/{_ACCOUNT}/?", HEAD=accounts.head, POST=accounts.update, GET=accounts.show),
    service.route(
        rf"v1(?:\.0)?/{_CONTAINER}/?",
        HEAD=containers.head,
        PUT=containers.put,
        POST=containers.update,
        DELETE=containers.delete,
        GET=containers.show,
    ),
    service.route(
        rf"v1(?:\.0)?/{_OBJECT}",
        HEAD=objects.head,
        GET=objects.show,
        PUT=objects.put,
        COPY=objects.copy,
        MOVE=objects.move,
        POST=objects.update,
        DELETE=objects.delete,
    ),
    service.catch_all(),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("object-store/", include(_object_store)),
    public_service.route(
        r"public/(?P<public_id>[^/]+)/?", HEAD=public_links.head, GET=public_links.show, auth=False
    ),
    view.service.route(rf"ui/view/{_OBJECT}", GET=view.show, HEAD=view.show, auth=False),
    *proxy.patterns(),
]
