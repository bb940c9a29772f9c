"""``POST /servers/<id>/action`` (compute contract 7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from cyclades.api.compute.dialect import acting
from cyclades.api.compute.server_body import flavor_id
from cyclades.api.compute.servers import parse_server_id
from cyclades.logic import server_actions
from cyclades.logic import servers as server_logic
from synnefo.api import empty_response, read_object
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Forbidden, NotImplementedFault

Arguments = dict[str, Any]
Action = Callable[[Credentials, int, Arguments], HttpResponse | None]


def perform(request: HttpRequest, server_id: str) -> HttpResponse:
    """Do the one action that the body names; it is accepted, its job follows."""
    action, arguments = _parse(read_object(request))
    number = parse_server_id(server_id)
    # Whoever may not see the server must not learn more from the action's own checks.
    server_logic.get_server(acting(request), server_id=number)
    return action(acting(request), number, arguments) or empty_response(202)


def _parse(body: dict[str, Any]) -> tuple[Action, Arguments]:
    """Return the action and its arguments; keys that are no action may stand beside it."""
    known = [key for key in body if key in ACTIONS]
    if not body:
        raise BadRequest("Malformed request: the body names no action")
    if not known:
        raise BadRequest(f"Action {next(iter(body))[:60]} not supported")
    if len(known) > 1:
        raise BadRequest(f"Malformed request: several actions: {', '.join(sorted(known))}")
    arguments = body[known[0]]
    if arguments is not None and not isinstance(arguments, dict):
        raise BadRequest(f"Malformed request: the argument of '{known[0]}' must be an object")
    return ACTIONS[known[0]], arguments or {}


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


def _not_offered(name: str) -> Action:
    def refuse(credentials: Credentials, server_id: int, arguments: Arguments) -> None:
        raise NotImplementedFault(f"Action {name} is not implemented")

    return refuse


#: Nova's actions that this service knows of and does not offer (compute contract 22.4).
NOT_OFFERED = (
    "os-getSPICEConsole",
    "os-getRDPConsole",
    "createImage",
    "changePassword",
    "rebuild",
    "confirmResize",
    "revertResize",
    "pause",
    "unpause",
    "resume",
    "lock",
    "unlock",
    "shelve",
    "unshelve",
    "addSecurityGroup",
    "removeSecurityGroup",
    "os-resetState",
    "os-migrateLive",
    "migrate",
)

ACTIONS: dict[str, Action] = {
    "start": _start,
    "os-start": _start,
    "shutdown": _stop,
    "os-stop": _stop,
    "reboot": _reboot,
    "resize": _resize,
    "suspend": _suspend,
    **{name: _not_offered(name) for name in NOT_OFFERED},
}
