"""Which rows have a status that clients see, for lists (compute contract 14.2 and 22.3).

The same rules as ``server_state.api_status`` and, for Nova's clients, as the rendering of their servers.
"""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q

from cyclades.logic.server_state import UNFINISHED_JOB
from cyclades.models import JobIntent, ServerState, Task

_LIVE = Q(deleted=False)
_STARTED = _LIVE & Q(operstate=ServerState.STARTED)
_STOPPED = _LIVE & Q(operstate=ServerState.STOPPED)
_REBOOTING = Q(task=Task.REBOOT) | Q(
    backendopcode="OP_INSTANCE_REBOOT", backendjobstatus__in=sorted(UNFINISHED_JOB)
)
_CHANGING_SIZE = Q(task=Task.RESIZE)
_COMMON: dict[str, Q] = {
    "BUILD": _LIVE & Q(operstate=ServerState.BUILD),
    "ERROR": _LIVE & Q(operstate=ServerState.ERROR),
    "UNKNOWN": _LIVE & Q(operstate=ServerState.RESIZE),
    "DELETED": Q(deleted=True) | Q(operstate=ServerState.DESTROYED),
}
#: Nova's words mean the same here.
_CYCLADES: dict[str, Q] = _COMMON | {
    "STOPPED": _STOPPED,
    "SHUTOFF": _STOPPED,
    "ACTIVE": _STARTED & ~_REBOOTING,
    "REBOOT": _STARTED & _REBOOTING,
    "HARD_REBOOT": _STARTED & _REBOOTING,
    "RESIZE": _STOPPED & _CHANGING_SIZE,
    "RESCUE": _STARTED & Q(rescue=True),
}


def _hard() -> Exists:
    """Match servers whose last reboot did not wait for the guest; see ``nova_facts.hard_reboots``."""
    reboots = JobIntent.objects.filter(operation=Task.REBOOT)
    later = reboots.filter(server=OuterRef("server"), pk__gt=OuterRef("pk"))
    hard = reboots.filter(server=OuterRef("pk"), payload__body__shutdown_timeout=0)
    return Exists(hard.exclude(Exists(later)))


def _nova() -> dict[str, Q]:
    # A resize that is not confirmed hides every other status but these.
    resized = _LIVE & ~Q(operstate__in=(ServerState.ERROR, ServerState.DESTROYED))
    without = {name: condition & Q(resize=None) for name, condition in _NOVA_IDLE.items()}
    return without | {
        "ERROR": _COMMON["ERROR"],
        "DELETED": _COMMON["DELETED"],
        "REBOOT": without["REBOOT"] & ~Q(_hard()),
        "HARD_REBOOT": without["REBOOT"] & Q(_hard()),
        "RESIZE": without["RESIZE"] | (resized & Q(resize__settled=False, resize__reverting=False)),
        "VERIFY_RESIZE": resized & Q(resize__settled=True),
        "REVERT_RESIZE": resized & Q(resize__settled=False, resize__reverting=True),
    }


_NOVA_IDLE: dict[str, Q] = _CYCLADES | {
    "STOPPED": _STOPPED & ~_CHANGING_SIZE,
    "SHUTOFF": _STOPPED & ~_CHANGING_SIZE,
    "ACTIVE": _STARTED & ~_REBOOTING & Q(rescue=False),
    "RESCUE": _STARTED & ~_REBOOTING & Q(rescue=True),
}
_NOVA = _nova()


def with_status(status: str, *, nova: bool) -> Q | None:
    """Return the condition that servers are shown as *status*, ``None`` for one that nothing has."""
    return (_NOVA if nova else _CYCLADES).get(status)
