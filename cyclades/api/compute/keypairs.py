"""SSH keys (compute contract 12.1)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from cyclades.api.compute.dialect import acting
from cyclades.logic import keypairs as keypair_logic
from cyclades.models import PublicKeyPair
from synnefo.api import empty_response, fields, json_response, read_object
from synnefo.errors import BadRequest

_MAX_KEY = 1 << 20


def _render(keypair: PublicKeyPair) -> dict[str, Any]:
    return {
        "name": keypair.name,
        "fingerprint": keypair.fingerprint,
        "SNF:fingerprint_sha256": keypair_logic.fingerprint_sha256(keypair.content),
        "public_key": keypair.content,
    }


def list_all(request: HttpRequest) -> HttpResponse:
    """Answer with the caller's keys."""
    found = keypair_logic.list_keypairs(acting(request))
    return json_response({"keypairs": [{"keypair": _render(keypair)} for keypair in found]})


def create(request: HttpRequest) -> HttpResponse:
    """Store a key, or make a pair and answer with its private half."""
    body = fields.require_object(read_object(request), "keypair")
    if "name" not in body:
        raise BadRequest("Malformed request. Missing attribute 'name'.")
    new = keypair_logic.create_keypair(
        acting(request),
        name=fields.require_str(body, "name"),
        public_key=fields.optional_str(body, "public_key", max_length=_MAX_KEY),
    )
    answer = _render(new.keypair)
    if new.private_key is not None:
        answer["private_key"] = new.private_key
    return json_response({"keypair": answer}, status=201)


def show(request: HttpRequest, name: str) -> HttpResponse:
    """Answer with one key."""
    keypair = keypair_logic.get_keypair(acting(request), name=name)
    answer = _render(keypair) | {
        "id": keypair.pk,
        "created_at": keypair.created_at.replace(tzinfo=None).isoformat(),
        "updated_at": keypair.updated_at.replace(tzinfo=None).isoformat(),
        "deleted": False,
        "deleted_at": None,
    }
    return json_response({"keypair": answer})


def delete(request: HttpRequest, name: str) -> HttpResponse:
    """Delete one key."""
    keypair_logic.delete_keypair(acting(request), name=name)
    return empty_response(204)
