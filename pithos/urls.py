"""Routes of object storage, below the path of PITHOS_BASE_URL (object-storage contract 1)."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from pithos.api import accounts, containers, objects, proxy, public_links, top
from pithos.api.places import VERSION, below
from pithos.api.service import optional_caller, service
from pithos.api.swift import routes as swift_routes
from pithos.api.user_content import public_service
from pithos.web import slashes, view

_PLACES = below()

_object_store = [
    *swift_routes.patterns,
    service.route(f"{VERSION}/?", GET=top.show, auth=optional_caller),
    service.route(_PLACES.account, HEAD=accounts.head, POST=accounts.update, GET=accounts.show),
    service.route(
        _PLACES.container,
        HEAD=containers.head,
        PUT=containers.put,
        POST=containers.update,
        DELETE=containers.delete,
        GET=containers.show,
    ),
    service.route(
        _PLACES.object,
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
    slashes.service.route(r"ui", GET=slashes.add, HEAD=slashes.add, auth=False),
    slashes.service.route(r"public", GET=slashes.add, HEAD=slashes.add, auth=False),
    view.service.route(below(version="ui/view/").object, GET=view.show, HEAD=view.show, auth=False),
    *proxy.patterns(),
]
