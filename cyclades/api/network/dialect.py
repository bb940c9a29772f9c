"""The network dialect: authentication, links, bodies and lists (network contract 1 and 17)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse

from astakos import public as astakos
from cyclades.api.changes_since import changes_since
from cyclades.api.compute.dialect import base_url, page_limit
from synnefo import clock
from synnefo.api import ApiService, json_response, read_object
from synnefo.api.fields import optional_bool, require_id, require_object, require_str
from synnefo.errors import BadRequest, NotModified

service = ApiService("network", astakos.authenticate_request, plain_addresses=True)

VERSION = "v2.0"
#: What kamaki and Neutron's clients call the project that pays for something new.
PROJECT_NAMES = ("project", "project_id", "tenant_id")
M = TypeVar("M", bound=Model)
Filter = Callable[[str], Q]


def root_url(path: str = "") -> str:
    """Return the public address of *path* below the network root."""
    return f"{base_url()}/network/{path}"


def resource_links(collection: str, resource_id: int) -> list[dict[str, str]]:
    """Return the links of a resource to itself."""
    url = root_url(f"{VERSION}/{collection}/{resource_id}")
    return [{"rel": "self", "href": url}, {"rel": "bookmark", "href": url}]


def text_id(value: int | None) -> str | None:
    """Return an id as this dialect writes it."""
    return None if value is None else str(value)


def read_resource(request: HttpRequest, name: str) -> dict[str, Any]:
    """Return the object *name* of the request's body; raises ``BadRequest``."""
    return require_object(read_object(request), name)


def require_attribute(body: Mapping[str, Any], name: str) -> Any:
    """Return ``body[name]``; raises ``BadRequest`` in the words that clients know."""
    if body.get(name) is None:
        raise BadRequest(f"Malformed request. Missing attribute '{name}'.")
    return body[name]


@dataclass(frozen=True)
class Reassignment:
    """The argument of the action ``reassign``."""

    project: str
    shared_to_project: bool


def read_reassignment(request: HttpRequest) -> Reassignment:
    """Return the only action there is from the request's body; raises ``BadRequest``."""
    body = read_object(request)
    if len(body) != 1:
        raise BadRequest("Malformed request: exactly one action is expected")
    action = next(iter(body))
    if action != "reassign":
        raise BadRequest(f"Action {action[:64]} not supported.")
    arguments = require_object(body, "reassign")
    require_attribute(arguments, "project")
    return Reassignment(
        require_str(arguments, "project", min_length=1), optional_bool(arguments, "shared_to_project")
    )


@dataclass(frozen=True)
class Collection:
    """How a collection is listed: its filters by query parameter, and the columns it sorts by.

    ``polling`` lists understand ``changes-since`` and have a ``deleted`` column.
    """

    name: str
    render: Callable[[Any], dict[str, Any]]
    filters: Mapping[str, Filter]
    sort_keys: Mapping[str, str]
    polling: bool = True

    def answer(self, request: HttpRequest, rows: QuerySet[M]) -> HttpResponse:
        """Return the list that *request* asks for out of all visible *rows*.

        Raises ``BadRequest`` for malformed parameters, ``NotModified`` when nothing changed.
        """
        since = changes_since(request) if self.polling else None
        if since is not None:
            rows = rows.filter(updated__gte=since)
        elif self.polling:
            rows = rows.filter(deleted=False)
        page, more = self._page(request, self._filtered(request, rows))
        if since is not None and not page:
            raise NotModified
        document: dict[str, Any] = {self.name: [self._selected(request, row) for row in page]}
        if more:
            document[f"{self.name}_links"] = self._next(request, page[-1].pk)
        return json_response(document)

    def _filtered(self, request: HttpRequest, rows: QuerySet[M]) -> QuerySet[M]:
        for parameter, condition in self.filters.items():
            values = request.GET.getlist(parameter)
            if any("\0" in value for value in values):
                raise BadRequest(f"'{parameter}' has characters that no name can have")
            if values:
                alternatives = Q(pk__in=[])
                for value in values:
                    alternatives |= condition(value)
                rows = rows.filter(alternatives)
        return rows

    def _page(self, request: HttpRequest, rows: QuerySet[M]) -> tuple[list[M], bool]:
        """Return the rows of the wanted page, and whether more follow."""
        key = request.GET.get("sort_key", "id")
        if key not in self.sort_keys:
            raise BadRequest(f"Invalid 'sort_key': use one of {', '.join(self.sort_keys)}")
        direction = request.GET.get("sort_dir", "asc")
        if direction not in ("asc", "desc"):
            raise BadRequest("Invalid 'sort_dir': use asc or desc")
        sign, lookup = ("", "gt") if direction == "asc" else ("-", "lt")
        column = self.sort_keys[key]
        marker = request.GET.get("marker")
        if marker:
            rows = rows.filter(self._after(rows, require_id(marker, "marker"), column, lookup))
        ordered = rows.order_by(f"{sign}{column}", *([] if column == "pk" else [f"{sign}pk"]))
        limit = page_limit(request)
        if limit is None:
            return list(ordered), False
        page = list(ordered[: limit + 1])
        return page[:limit], len(page) > limit

    @staticmethod
    def _after(rows: QuerySet[M], marker: int, column: str, lookup: str) -> Q:
        if column == "pk":
            return Q(**{f"pk__{lookup}": marker})
        found = rows.model._default_manager.filter(pk=marker).values_list(column, flat=True)
        value = found.first()
        if value is None:
            raise BadRequest("The 'marker' does not exist")
        return Q(**{f"{column}__{lookup}": value}) | Q(**{column: value, f"pk__{lookup}": marker})

    def _selected(self, request: HttpRequest, row: M) -> dict[str, Any]:
        rendered = self.render(row)
        wanted = request.GET.getlist("fields")
        return {k: v for k, v in rendered.items() if k in wanted} if wanted else rendered

    def _next(self, request: HttpRequest, marker: int) -> list[dict[str, str]]:
        items = [(k, v) for k, vs in request.GET.lists() for v in vs if k != "marker"]
        query = urlencode([*items, ("marker", str(marker))])
        return [{"rel": "next", "href": root_url(f"{VERSION}/{self.name}?{query}")}]


def by_column(column: str) -> Filter:
    """Return the filter that compares a text column."""
    return lambda value: Q(**{column: value})


def by_id(column: str) -> Filter:
    """Return the filter that compares ids; text that is no id matches nothing."""

    def condition(value: str) -> Q:
        try:
            return Q(**{column: require_id(value, column)})
        except BadRequest:
            return Q(pk__in=[])

    return condition


def by_flag(column: str) -> Filter:
    """Return the filter that compares a boolean."""
    return lambda value: Q(**{column: value.lower() in ("true", "1", "yes")})


def moments(created: Any, updated: Any) -> dict[str, str]:
    """Return the times of a resource under the names of both dialects."""
    created_text, updated_text = clock.isoformat(created), clock.isoformat(updated)
    return {
        "created": created_text,
        "updated": updated_text,
        "created_at": created_text,
        "updated_at": updated_text,
    }
