"""Routes of Swift's dialect, below ``object-store/`` (object-storage contract 22.1)."""

from __future__ import annotations

from django.urls import URLPattern

from pithos.api.swift import accounts, containers, cors, info, objects, writes
from pithos.api.swift.service import service

_SWIFT = r"AUTH_(?P<account>[^/]+)"
_SWIFT_CONTAINER = rf"{_SWIFT}/(?P<container>[^/]+)"
_SWIFT_OBJECT = rf"{_SWIFT_CONTAINER}/(?P<name>[\s\S]+)"

#: Swift's dialect of the same data.
patterns: list[URLPattern] = [
    service.route(r"info/?", GET=info.show, auth=False),
    service.route(
        rf"v1(?:\.0)?/{_SWIFT}/?",
        HEAD=accounts.head,
        GET=accounts.show,
        POST=accounts.post,
        PUT=accounts.put,
        DELETE=accounts.delete,
    ),
    service.route(
        rf"v1(?:\.0)?/{_SWIFT_CONTAINER}/?",
        HEAD=containers.head,
        GET=containers.show,
        PUT=containers.put,
        POST=containers.post,
        DELETE=containers.delete,
        OPTIONS=cors.preflight,
    ),
    service.route(
        rf"v1(?:\.0)?/{_SWIFT_OBJECT}",
        HEAD=objects.head,
        GET=objects.show,
        PUT=writes.put,
        COPY=writes.copy,
        POST=objects.post,
        DELETE=objects.delete,
        OPTIONS=cors.preflight,
    ),
]
