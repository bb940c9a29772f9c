"""Lists of images: filters, order and pages (image contract 11)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.utils.dateparse import parse_datetime

from cyclades.api.compute.dialect import acting, page_limit, query_int
from cyclades.api.image.v2.rendering import render
from cyclades.logic import images as image_logic
from cyclades.logic import queued_images
from cyclades.logic.images import Image
from synnefo.api import json_response
from synnefo.errors import BadRequest

DEFAULT_PAGE = 25
_PATH = "/v2/images"
_SORT_KEYS = frozenset(
    {"id", "name", "status", "size", "disk_format", "container_format", "created_at", "updated_at"}
)
_NOT_FILTERS = frozenset({"limit", "marker", "sort", "sort_key", "sort_dir", "size_min", "size_max"})
_LISTS = frozenset({"id", "name", "status", "disk_format", "container_format"})
_MOMENTS = frozenset({"created_at", "updated_at"})
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "eq": lambda a, b: a == b,
    "neq": lambda a, b: a != b,
}

Document = dict[str, Any]
Test = Callable[[Document], bool]


def list_all(request: HttpRequest) -> HttpResponse:
    """List images, those of the caller that have no data yet included."""
    credentials = acting(request)
    tests = list(_tests(request, credentials.user_id))
    order = _order(request)
    found: list[Image] = [*queued_images.list_own(credentials), *image_logic.list_images(credentials)]
    documents = [render(image) for image in found]
    documents = [document for document in documents if all(test(document) for test in tests)]
    documents.sort(key=lambda document: str(document["id"]))
    images = {image.id: image for image in found}
    for key, is_descending in reversed(order):
        documents.sort(
            key=lambda document, k=key: _sort_value(document, images[document["id"]], k),  # type: ignore[misc]
            reverse=is_descending,
        )
    return json_response(_page(request, documents))


def _sort_value(document: Document, image: Image, key: str) -> tuple[bool, Any]:
    # Documents show whole seconds, in which several images may be made.
    value = getattr(image, key) if key in _MOMENTS else document[key]
    return (value is not None, "" if value is None else value)


def _page(request: HttpRequest, documents: list[Document]) -> Document:
    limit = page_limit(request) or DEFAULT_PAGE
    marker = request.GET.get("marker")
    if marker:
        places = [place for place, document in enumerate(documents) if document["id"] == marker]
        if not places:
            raise BadRequest("The 'marker' is none of the images")
        documents = documents[places[0] + 1 :]
    kept = [(name, value) for name in request.GET if name != "marker" for value in request.GET.getlist(name)]
    page: Document = {
        "images": documents[:limit],
        "first": f"{_PATH}?{urlencode(kept)}" if kept else _PATH,
        "schema": "/v2/schemas/images",
    }
    if len(documents) > limit:
        page["next"] = f"{_PATH}?{urlencode([*kept, ('marker', documents[limit - 1]['id'])])}"
    return page


def _order(request: HttpRequest) -> Sequence[tuple[str, bool]]:
    """Return the keys to sort by, most important first, and whether each descends."""
    query = request.GET
    if "sort" in query:
        pairs = [item.partition(":")[::2] for item in query["sort"].split(",")]
    else:
        keys, directions = query.getlist("sort_key") or ["created_at"], query.getlist("sort_dir")
        directions += [directions[-1] if directions else "desc"] * (len(keys) - len(directions))
        pairs = list(zip(keys, directions, strict=False))
    for key, direction in pairs:
        if key not in _SORT_KEYS:
            raise BadRequest(f"Invalid sort key '{key[:64]}'")
        if direction not in ("", "asc", "desc"):
            raise BadRequest(f"Invalid sort direction '{direction[:64]}'")
    return [(key, direction != "asc") for key, direction in pairs[: len(_SORT_KEYS)]]


def _tests(request: HttpRequest, caller: str) -> Iterable[Test]:
    query = request.GET
    low, high = query_int(request, "size_min"), query_int(request, "size_max")
    if low is not None or high is not None:
        yield lambda d: d["size"] is not None and (low or 0) <= d["size"] <= (2**63 if high is None else high)
    yield _truth_test("os_hidden", query.get("os_hidden") or "false")
    for name in query:
        if name not in _NOT_FILTERS and name != "os_hidden":
            for value in query.getlist(name):
                yield _test(name, value, caller)


def _test(name: str, value: str, caller: str) -> Test:
    if name == "visibility":
        return _visibility_test(value)
    if name == "tag":
        return lambda document: value in document["tags"]
    if name == "protected":
        return _truth_test(name, value)
    if name == "member_status":
        return _member_test(value, caller)
    if name in ("created_at", "updated_at"):
        return _moment_test(name, value)
    if name in _LISTS and value.startswith("in:"):
        wanted = {item.strip('"') for item in value[3:].split(",")}
        return lambda document: document[name] in wanted
    if name in ("min_disk", "min_ram"):
        return lambda document: str(document[name]) == value
    return lambda document: document.get(name) == value


def _visibility_test(value: str) -> Test:
    if value == "all":
        return lambda document: True
    if value not in ("public", "private", "shared", "community"):
        raise BadRequest("'visibility' must be all, public, private, shared or community")
    return lambda document: document["visibility"] == value


def _truth_test(name: str, value: str) -> Test:
    wanted = _TRUTH.get(value.lower())
    if wanted is None:
        raise BadRequest(f"'{name}' must be true or false")
    return lambda document: document[name] is wanted


def _member_test(value: str, caller: str) -> Test:
    """Every share counts as accepted, so other states have the caller's own images only."""
    if value not in ("accepted", "pending", "rejected", "all"):
        raise BadRequest("'member_status' must be accepted, pending, rejected or all")
    if value in ("accepted", "all"):
        return lambda document: True
    return lambda document: document["owner"] == caller or document["visibility"] != "shared"


def _moment_test(name: str, value: str) -> Test:
    operator, _, text = value.partition(":")
    compare = _COMPARISONS.get(operator)
    try:
        wanted = parse_datetime(text) if compare else None
    except ValueError:
        wanted = None
    if compare is None or wanted is None:
        raise BadRequest(f"'{name}' must be an operator (gt, gte, lt, lte, eq, neq), a colon and a time")
    moment = wanted if wanted.tzinfo else wanted.replace(tzinfo=dt.UTC)
    return lambda document: compare(dt.datetime.fromisoformat(document[name]), moment)
