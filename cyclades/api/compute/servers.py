"""Servers: lists, creation, details, name, destruction, password (compute contract 4 to 6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse

from cyclades.api.changes_since import changes_since, parse_moment
from cyclades.api.compute.dialect import acting, next_page, page_limit, query_int, resource_url
from cyclades.api.compute.profile import Profile, profile_of
from cyclades.api.compute.server_body import parse_server_request
from cyclades.api.compute.server_rendering import (
    render_addresses,
    render_attachment,
    render_brief,
    render_detail,
    render_diagnostic,
)
from cyclades.logic import passwords, server_actions, server_create, server_lists, server_queries
from cyclades.logic import servers as server_logic
from cyclades.logic.network_visibility import seen_network
from cyclades.models import Server
from synnefo.api import empty_response, fields, json_response, read_object
from synnefo.errors import BadRequest

_MAX_TAGS = 50
Renderer = Callable[[Sequence[Server]], list[dict[str, Any]]]


def list_brief(request: HttpRequest) -> HttpResponse:
    """Answer with ids and names."""
    return _list(request, "servers", lambda servers: [render_brief(server) for server in servers])


def list_detail(request: HttpRequest) -> HttpResponse:
    """Answer with all fields."""
    return _list(
        request,
        "servers/detail",
        lambda servers: [render_detail(detail) for detail in server_queries.details(servers)],
    )


def _list(request: HttpRequest, path: str, render: Renderer) -> HttpResponse:
    page = server_lists.list_servers(acting(request), conditions=_conditions(request))
    body: dict[str, Any] = {"servers": render(page.servers)}
    if page.has_more:
        body["servers_links"] = next_page(request, path, page.servers[-1].pk)
    return json_response(body)


def _conditions(request: HttpRequest) -> server_lists.ServerFilter:
    query = request.GET
    before = query.get("changes-before")
    return server_lists.ServerFilter(
        changes_since=changes_since(request),
        changes_before=parse_moment(before, "changes-before") if before else None,
        name=query.get("name") or None,
        status=query.get("status", "").upper() or None,
        nova=profile_of(request) is Profile.NOVA,
        flavor_id=query_int(request, "flavor"),
        image_id=query.get("image") or None,
        project=query.get("project_id") or query.get("tenant_id") or None,
        user_id=query.get("user_id") or None,
        ipv4=query.get("ip") or None,
        ipv6=query.get("ip6") or None,
        tags=_words(query.get("tags")),
        tags_any=_words(query.get("tags-any")),
        not_tags=_words(query.get("not-tags")),
        not_tags_any=_words(query.get("not-tags-any")),
        sort_key=query.get("sort_key") or "id",
        descending=_descending(query.get("sort_dir")),
        marker=query_int(request, "marker"),
        limit=page_limit(request),
    )


def _words(text: str | None) -> list[str]:
    words = [word for word in (text or "").split(",") if word]
    if len(words) > _MAX_TAGS:
        raise BadRequest(f"At most {_MAX_TAGS} tags can be asked for at once")
    return words


def _descending(direction: str | None) -> bool:
    if direction not in (None, "", "asc", "desc"):
        raise BadRequest("'sort_dir' must be asc or desc")
    return direction == "desc"


def create(request: HttpRequest) -> HttpResponse:
    """Create a server and answer with it and its password."""
    wanted = parse_server_request(read_object(request), profile_of(request))
    new = server_create.create(acting(request), request=wanted)
    body = render_detail(server_queries.detail(new.server))
    body |= {"status": "BUILD", "adminPass": new.password}
    location = resource_url(f"servers/{new.server.pk}")
    return json_response({"server": body}, status=202, headers={"Location": location})


def show(request: HttpRequest, server_id: str) -> HttpResponse:
    """Answer with one server, also a deleted one."""
    server = _server(request, server_id)
    return json_response({"server": render_detail(server_queries.detail(server))})


def _server(request: HttpRequest, server_id: str) -> Server:
    return server_logic.get_server(acting(request), server_id=parse_server_id(server_id))


def parse_server_id(text: str) -> int:
    """Return the number in a path."""
    return fields.require_id(text, "server")


def rename(request: HttpRequest, server_id: str) -> HttpResponse:
    """Give a server another name; Nova's clients want to see it."""
    server = fields.require_object(read_object(request), "server")
    if "name" not in server:
        raise BadRequest("Malformed request. Missing attribute 'name'.")
    name = fields.require_str(server, "name", min_length=1)
    server_logic.rename(acting(request), server_id=parse_server_id(server_id), name=name)
    return show(request, server_id) if profile_of(request) is Profile.NOVA else empty_response(204)


def destroy(request: HttpRequest, server_id: str) -> HttpResponse:
    """Begin to destroy a server."""
    server_actions.destroy(acting(request), server_id=parse_server_id(server_id))
    return empty_response(204)


def show_password(request: HttpRequest, server_id: str) -> HttpResponse:
    """Answer with the password of a new server."""
    password = passwords.read(acting(request), server_id=parse_server_id(server_id))
    return json_response({"password": password})


def forget_password(request: HttpRequest, server_id: str) -> HttpResponse:
    """Drop the password of a new server."""
    passwords.forget(acting(request), server_id=parse_server_id(server_id))
    return empty_response(204)


def list_addresses(request: HttpRequest, server_id: str) -> HttpResponse:
    """Answer with a server's NICs and addresses."""
    server = _server(request, server_id)
    nics = server_queries.nics_of([server.pk]).get(server.pk, [])
    return json_response(
        {"addresses": render_addresses(nics), "attachments": [render_attachment(nic) for nic in nics]}
    )


def list_network_addresses(request: HttpRequest, server_id: str, network_id: str) -> HttpResponse:
    """Answer with a server's addresses on one network."""
    network = seen_network(acting(request), fields.require_id(network_id, "network"))
    server = _server(request, server_id)
    nics = server_queries.nics_of([server.pk]).get(server.pk, [])
    found = render_addresses(nics).get(str(network.pk))
    return json_response({"network": {} if found is None else {str(network.pk): found}})


def list_diagnostics(request: HttpRequest, server_id: str) -> HttpResponse:
    """Answer with the messages of a server's deployment, a bare list."""
    server = _server(request, server_id)
    return json_response([render_diagnostic(d) for d in server_queries.diagnostics_of(server)])
