"""The action that moves a server to another project (compute contract 7.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse

from cyclades.logic import server_reassign
from synnefo.api import empty_response
from synnefo.api.fields import optional_bool, require_str
from synnefo.credentials import Credentials


def _reassign(credentials: Credentials, server_id: int, arguments: dict[str, Any]) -> HttpResponse:
    server_reassign.reassign(
        credentials,
        server_id=server_id,
        project=require_str(arguments, "project", min_length=1),
        shared_to_project=optional_bool(arguments, "shared_to_project"),
    )
    return empty_response(200)


ACTIONS: dict[str, Callable[[Credentials, int, dict[str, Any]], HttpResponse]] = {"reassign": _reassign}
