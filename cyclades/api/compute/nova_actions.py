"""Server actions that only Nova's clients ask for, and those that are not offered (compute contract 22.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse

from cyclades.api.compute.server_body import flavor_id
from cyclades.logic import nova_resize, server_actions
from synnefo.api import empty_response, json_response
from synnefo.credentials import Credentials
from synnefo.errors import NotImplementedFault

Arguments = dict[str, Any]
Action = Callable[[Credentials, int, Arguments], HttpResponse | None]


def _force_delete(credentials: Credentials, server_id: int, arguments: Arguments) -> None:
    server_actions.destroy(credentials, server_id=server_id)


def _console_output(credentials: Credentials, server_id: int, arguments: Arguments) -> HttpResponse:
    """Answer with no output: guests' consoles are not recorded."""
    return json_response({"output": ""})


def _resize(credentials: Credentials, server_id: int, arguments: Arguments) -> None:
    nova_resize.resize(credentials, server_id=server_id, flavor_id=flavor_id(arguments))


def _confirm_resize(credentials: Credentials, server_id: int, arguments: Arguments) -> HttpResponse:
    nova_resize.confirm(credentials, server_id=server_id)
    return empty_response(204)


def _revert_resize(credentials: Credentials, server_id: int, arguments: Arguments) -> None:
    nova_resize.revert(credentials, server_id=server_id)


def _not_offered(name: str) -> Action:
    def refuse(credentials: Credentials, server_id: int, arguments: Arguments) -> None:
        raise NotImplementedFault(f"Action {name} is not implemented")

    return refuse


#: Nova's actions that this service knows of and does not offer.
NOT_OFFERED = (
    "os-getSPICEConsole",
    "os-getRDPConsole",
    "os-getSerialConsole",
    "os-getMKSConsole",
    "createBackup",
    "changePassword",
    "rebuild",
    "evacuate",
    "pause",
    "unpause",
    "resume",
    "lock",
    "unlock",
    "restore",
    "shelve",
    "shelveOffload",
    "unshelve",
    "addSecurityGroup",
    "removeSecurityGroup",
    "addFixedIp",
    "removeFixedIp",
    "resetNetwork",
    "injectNetworkInfo",
    "trigger_crash_dump",
    "os-resetState",
    "os-migrateLive",
    "migrate",
)

ACTIONS: dict[str, Action] = {
    "forceDelete": _force_delete,
    "os-getConsoleOutput": _console_output,
    "confirmResize": _confirm_resize,
    "revertResize": _revert_resize,
    **{name: _not_offered(name) for name in NOT_OFFERED},
}

#: Actions of both profiles that mean more in Nova's.
IN_NOVAS_WAY: dict[str, Action] = {"resize": _resize}
