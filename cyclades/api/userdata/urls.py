"""SSH keys as the web interface asks for them (compute contract 12.2)."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver

from astakos import public as astakos
from cyclades.api.compute.dialect import acting
from cyclades.logic import userdata_keys
from cyclades.models import PublicKeyPair
from synnefo.api import ApiService, json_response, read_object
from synnefo.api.fields import require_id
from synnefo.errors import BadRequest, SynnefoError, Unauthorized

_MAX_DOWNLOAD = 65536
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class UserdataService(ApiService):
    """The dialect: refused tokens get no body, bad keys a description by field."""

    def fault(self, request: HttpRequest, error: SynnefoError) -> HttpResponseBase:
        """Render *error*."""
        if isinstance(error, Unauthorized):
            return HttpResponse(status=401, content_type="application/json")
        if isinstance(error, userdata_keys.InvalidKey):
            body = {"errors": error.errors, "non_field_key": userdata_keys.WHOLE}
            return _json(body, status=422)
        return super().fault(request, error)


service = UserdataService("userdata", astakos.authenticate_request)


def _json(data: Any, status: int = 200) -> HttpResponse:
    """Return JSON with the plain content type of this dialect."""
    response = json_response(data, status=status)
    response["Content-Type"] = "application/json"
    return response


def _render(key: PublicKeyPair) -> dict[str, Any]:
    path = urlsplit(settings.CYCLADES_BASE_URL).path.rstrip("/")
    return {
        "id": key.pk,
        "name": key.name,
        "content": key.content,
        "fingerprint": key.fingerprint,
        "uri": f"{path}/userdata/keys/{key.pk}",
    }


def list_all(request: HttpRequest) -> HttpResponse:
    """Answer with the caller's keys, a bare list."""
    return _json([_render(key) for key in userdata_keys.list_keys(acting(request))])


def create(request: HttpRequest) -> HttpResponse:
    """Store a key."""
    body = read_object(request)
    key = userdata_keys.create_key(acting(request), name=body.get("name"), content=body.get("content"))
    return _json(_render(key))


def show(request: HttpRequest, key_id: str) -> HttpResponse:
    """Answer with one key."""
    key = userdata_keys.get_key(acting(request), key_id=require_id(key_id, "key"))
    return _json(_render(key))


def update(request: HttpRequest, key_id: str) -> HttpResponse:
    """Change a key's name or content; nothing else of the body counts."""
    body = read_object(request)
    values: dict[str, Any] = {name: body[name] for name in ("name", "content") if name in body}
    number = require_id(key_id, "key")
    key = userdata_keys.update_key(acting(request), key_id=number, values=values)
    return _json(_render(key))


def delete(request: HttpRequest, key_id: str) -> HttpResponse:
    """Delete a key; the interface's library wants JSON back."""
    userdata_keys.delete_key(acting(request), key_id=require_id(key_id, "key"))
    return _json("")


def generate(request: HttpRequest) -> HttpResponse:
    """Answer with a new pair of keys, of which nothing is kept."""
    private, public = userdata_keys.generate(acting(request))
    return _json({"private": private, "public": public})


def download(request: HttpRequest) -> HttpResponse:
    """Give the form's data back as a file to save."""
    if "data" not in request.POST:
        raise BadRequest("The form has no field 'data'")
    data, name = request.POST["data"], request.POST.get("name", "")
    if len(data) > _MAX_DOWNLOAD:
        raise BadRequest(f"'data' is longer than {_MAX_DOWNLOAD} characters")
    filename = _UNSAFE.sub("_", name)[:100].lstrip(".") or "key.pem"
    response = HttpResponse(data, content_type="application/x-pem-key")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


urlpatterns: list[URLPattern | URLResolver] = [
    service.route("keys/?", GET=list_all, POST=create),
    service.route("keys/generate/?", POST=generate),
    service.route("keys/download/?", POST=download),
    service.route(r"keys/(?P<key_id>\d+)/?", GET=show, PUT=update, DELETE=delete),
    service.catch_all(),
]
