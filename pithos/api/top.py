"""The top level: who shares with me, and the old way to log in (object-storage contract 3)."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from astakos import public as astakos
from pithos.api import parameters
from pithos.api.headers import encode_value
from pithos.api.rendering import dumps, iso, lines, reply, reply_format, xml_document, xml_record
from pithos.logic.accounts import list_sharing_accounts
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Unauthorized


def show(request: HttpRequest) -> HttpResponseBase:
    """List the accounts that share something with the caller; without a token, log in by X-Auth-Key."""
    credentials: Credentials | None = request.credentials  # type: ignore[attr-defined]
    if credentials is None:
        return _login(request)
    accounts = list_sharing_accounts(
        credentials, marker=parameters.text(request, "marker"), limit=parameters.limit(request)
    )
    kind = reply_format(request, default="text")
    if kind == "text":
        return reply(kind, lines(item.name for item in accounts), status=200 if accounts else 204)
    records = [{"name": item.name, "last_modified": iso(item.modified)} for item in accounts]
    if kind == "xml":
        return reply(
            kind, xml_document("accounts", {}, [xml_record("account", item) for item in records]), status=200
        )
    return reply(kind, dumps(records), status=200)


def _login(request: HttpRequest) -> HttpResponseBase:
    user, key = request.META.get("HTTP_X_AUTH_USER"), request.META.get("HTTP_X_AUTH_KEY")
    if not user or not key:
        raise BadRequest("X-Auth-Token, or X-Auth-User and X-Auth-Key, are required.")
    if user != astakos.authenticate(key).user_id:
        raise Unauthorized("The key is not that of the user.")
    response = reply("json", status=204)
    response["X-Auth-Token"] = key
    response["X-Storage-Token"] = key
    response["X-Storage-Url"] = encode_value(
        request.build_absolute_uri(request.path.rstrip("/") + "/AUTH_") + user
    )
    return response
