"""Answers of v2.0 in the form of Nova: statuses, ids as text, links, servers (compute contract 22.1)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from cyclades.api.compute.dialect import acting
from cyclades.api.compute.nova_faults import nova_fault
from cyclades.api.compute.nova_servers import by_label, nova_attachments, nova_servers
from cyclades.api.compute.profile import Profile, Translation, base_url
from cyclades.logic import nova_facts
from cyclades.logic import servers as server_logic
from synnefo.api import empty_response, json_response
from synnefo.errors import Deleted, NotFound, NotModified, SynnefoError

_OURS, _NOVAS = f"/compute/{Profile.CYCLADES}/", f"/compute/{Profile.NOVA}/"
_HEADERS = {"OpenStack-API-Version": "compute 2.1", "X-OpenStack-Nova-API-Version": "2.1"}
_VARY = "X-Auth-Token, OpenStack-API-Version, X-OpenStack-Nova-API-Version"
_SUFFIX = re.compile(r"(?:\.json|\.xml)?/?\Z")
_SERVER = r"servers/\d+"

#: Where a success has another status than in v2.0: verb, path below the root, status.
_STATUSES: tuple[tuple[str, re.Pattern[str], int], ...] = tuple(
    (verb, re.compile(path + r"\Z"), status)
    for verb, path, status in (
        ("POST", rf"{_SERVER}/metadata", 200),
        ("PUT", rf"{_SERVER}/metadata/.+", 200),
        ("POST", rf"{_SERVER}/os-volume_attachments", 200),
        ("POST", r"images/[\w-]+/metadata", 200),
        ("PUT", r"images/[\w-]+/metadata/.+", 200),
        ("POST", "os-keypairs", 200),
        ("DELETE", "os-keypairs/.+", 202),
    )
)
_ONE_SERVER = re.compile(_SERVER + r"\Z")
_TAGS = re.compile(r"servers/(\d+)/tags\Z")
_ID_KEYS = re.compile(r"(?:.*_)?id\Z|(?:volume|server|image)Id\Z|SNF:volume_type\Z")
#: What holds users' own words.
_OPAQUE = frozenset({"metadata", "meta", "extra_specs", "SNF:port_forwarding"})


class NovaTranslation(Translation):
    """From v2.0 to v2.1."""

    def answer(self, request: HttpRequest, path: str, response: HttpResponseBase) -> HttpResponseBase:
        """Return *response* with Nova's status, headers and body; 404 for a deleted server."""
        path = _SUFFIX.sub("", path)
        if not isinstance(response, HttpResponse):
            return response
        if response.content and response.headers.get("Content-Type", "").startswith("application/json"):
            body = self._body(request, path, json.loads(response.content))
            response.content = json_response(body).content
        if 200 <= response.status_code < 300:
            response.status_code = _status(request.method or "", path, response.status_code)
        if response.headers.get("Location"):
            response["Location"] = _link(response["Location"])
        for header, value in _HEADERS.items():
            response.setdefault(header, value)
        response["Vary"] = _VARY
        return response

    def _body(self, request: HttpRequest, path: str, body: Any) -> Any:
        if not isinstance(body, dict):
            return stringified(body)
        if request.method == "GET" and _ONE_SERVER.match(path) and body["server"].get("deleted"):
            raise Deleted("Server has been deleted.")
        for key, translate in _BODIES.items():
            if key in body:
                body = translate(request, body)
        return stringified(body)

    def error(self, request: HttpRequest, path: str, error: SynnefoError) -> SynnefoError | HttpResponseBase:
        """Return Nova's error; an empty list where v2.0 says that nothing changed."""
        path = _SUFFIX.sub("", path)
        if isinstance(error, NotModified):
            return json_response({path.split("/")[0].replace("os-floating-ips", "floating_ips"): []})
        tags = _TAGS.match(path)
        if tags and request.method == "DELETE" and isinstance(error, NotFound):
            # There is nothing to remove, which is what was asked for, if there is a server.
            try:
                server_logic.get_server(acting(request), server_id=int(tags[1]))
            except SynnefoError:
                return nova_fault(error)
            return empty_response(204)
        return nova_fault(error)


def _status(verb: str, path: str, status: int) -> int:
    return next((s for v, pattern, s in _STATUSES if v == verb and pattern.match(path)), status)


def _servers(request: HttpRequest, body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "servers": nova_servers(body["servers"])}


def _server(request: HttpRequest, body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "server": nova_servers([body["server"]])[0]}


def _addresses(request: HttpRequest, body: dict[str, Any]) -> dict[str, Any]:
    names = nova_facts.network_names([int(pk) for pk in body["addresses"]])
    return {**body, "addresses": by_label(body["addresses"], names)}


def _keypair(request: HttpRequest, body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "keypair": _with_owner(request, body["keypair"])}


def _keypairs(request: HttpRequest, body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "keypairs": [_keypair(request, item) for item in body["keypairs"]]}


def _with_owner(request: HttpRequest, keypair: dict[str, Any]) -> dict[str, Any]:
    return {**keypair, "user_id": acting(request).user_id, "type": "ssh"}


def _tags(request: HttpRequest, body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != "statuses"}


def _attachment(request: HttpRequest, body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "volumeAttachment": nova_attachments([body["volumeAttachment"]])[0]}


def _attachments(request: HttpRequest, body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "volumeAttachments": nova_attachments(body["volumeAttachments"])}


#: By the key that the body has.
_BODIES: dict[str, Callable[[HttpRequest, dict[str, Any]], dict[str, Any]]] = {
    "servers": _servers,
    "server": _server,
    "addresses": _addresses,
    "keypair": _keypair,
    "keypairs": _keypairs,
    "statuses": _tags,
    "volumeAttachment": _attachment,
    "volumeAttachments": _attachments,
}


def stringified(value: Any) -> Any:
    """Return *value* with ids as text and links into Nova's root."""
    if isinstance(value, list):
        return [stringified(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: item if key in _OPAQUE else _member(key, item) for key, item in value.items()}


def _member(key: str, item: Any) -> Any:
    if key == "href" and isinstance(item, str):
        return _link(item)
    if key == "volumes" and isinstance(item, list):
        return [str(pk) if isinstance(pk, int) else stringified(pk) for pk in item]
    if isinstance(item, int) and not isinstance(item, bool) and _ID_KEYS.match(key):
        return str(item)
    return stringified(item)


def _link(address: str) -> str:
    root = base_url()
    return address.replace(f"{root}{_OURS}", f"{root}{_NOVAS}", 1)
