"""``POST /servers/<id>/action`` (compute contract 7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from cyclades.api.compute import (
    access_actions,
    console_actions,
    image_actions,
    nova_actions,
    project_actions,
    rescue_actions,
)
from cyclades.api.compute.dialect import acting
from cyclades.api.compute.profile import Profile, profile_of
from cyclades.api.compute.server_body import flavor_id
from cyclades.api.compute.servers import parse_server_id
from cyclades.logic import server_actions
from cyclades.logic import servers as server_logic
from synnefo.api import empty_response, read_object
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Forbidden

Arguments = dict[str, Any]
Action = Callable[[Credentials, int, Arguments], HttpResponse | None]


def perform(request: HttpRequest, server_id: str) -> HttpResponse:
    """Do the one action that the body names; it is accepted, its job follows."""
    action, arguments = _parse(read_object(request), nova=profile_of(request) is Profile.NOVA)
    number = parse_server_id(server_id)
    # Whoever may not see the server must not learn more from the action's own checks.
    server_logic.get_server(acting(request), server_id=number)
    return action(acting(request), number, arguments) or empty_response(202)


def _parse(body: dict[str, Any], *, nova: bool) -> tuple[Action, Arguments]:
    """Return the action and its arguments; keys that are no action may stand beside it."""
    known = [key for key in body if key in ACTIONS]
    if not body:
        raise BadRequest("Malformed request: the body names no action")
    if not known:
        raise BadRequest(f"Action {next(iter(body))[:60]} not supported")
    if len(known) > 1:
        raise BadRequest(f"Malformed request: several actions: {', '.join(sorted(known))}")
    arguments = body[known[0]]
    for sibling in SIBLINGS.get(known[0], ()):
        if sibling in body and (arguments is None or isinstance(arguments, dict)):
            arguments = {sibling: body[sibling], **(arguments or {})}
    if arguments is not None and not isinstance(arguments, dict):
        raise BadRequest(f"Malformed request: the argument of '{known[0]}' must be an object")
    actions = ACTIONS | nova_actions.IN_NOVAS_WAY if nova else ACTIONS
    return actions[known[0]], arguments or {}


def _start(credentials: Credentials, server_id: int, arguments: Arguments) -> None:
    server_actions.start(credentials, server_id=server_id)


def _stop(credentials: Credentials, server_id: int, arguments: Arguments) -> None:
    server_actions.stop(credentials, server_id=server_id)


def _reboot(credentials: Credentials, server_id: int, arguments: Arguments) -> None:
    kind = arguments.get("type", "SOFT")
    if not isinstance(kind, str):
        raise BadRequest("'type' must be SOFT or HARD")
    server_actions.reboot(credentials, server_id=server_id, kind=kind.upper())


def _resize(credentials: Credentials, server_id: int, arguments: Arguments) -> None:
    server_actions.resize(credentials, server_id=server_id, flavor_id=flavor_id(arguments))


def _suspend(credentials: Credentials, server_id: int, arguments: Arguments) -> None:
    raise Forbidden("User is not allowed to suspend his server")


#: Arguments that a client writes beside the action instead of into it (compute contract 7).
SIBLINGS = {"rescue": ("rescue_image_ref",)}

ACTIONS: dict[str, Action] = {
    "start": _start,
    "os-start": _start,
    "shutdown": _stop,
    "os-stop": _stop,
    "reboot": _reboot,
    "resize": _resize,
    "suspend": _suspend,
    **nova_actions.ACTIONS,
    **access_actions.ACTIONS,
    **project_actions.ACTIONS,
    **rescue_actions.ACTIONS,
    **image_actions.ACTIONS,
    **console_actions.ACTIONS,
}
