"""Routes of Swift's dialect, below ``object-store/`` (object-storage contract 22.1)."""

from __future__ import annotations

from django.urls import URLPattern

from pithos.api.places import below
from pithos.api.swift import accounts, containers, cors, info, objects, writes
from pithos.api.swift.service import service

_SWIFT = below(lead="AUTH_")

#: Swift's dialect of the same data.
patterns: list[URLPattern] = [
    service.route(r"info/?", GET=info.show, auth=False),
    service.route(
        _SWIFT.account,
        HEAD=accounts.head,
        GET=accounts.show,
        POST=accounts.post,
        PUT=accounts.put,
        DELETE=accounts.delete,
    ),
    service.route(
        _SWIFT.container,
        HEAD=containers.head,
        GET=containers.show,
        PUT=containers.put,
        POST=containers.post,
        DELETE=containers.delete,
        OPTIONS=cors.preflight,
    ),
    service.route(
        _SWIFT.object,
        HEAD=objects.head,
        GET=objects.show,
        PUT=writes.put,
        COPY=writes.copy,
        MOVE=writes.move,
        POST=objects.post,
        DELETE=objects.delete,
        OPTIONS=cors.preflight,
    ),
]
