"""Asking again for an instance that found all suitable nodes busy (Ganeti contract 9.3, step 1)."""

from __future__ import annotations

import logging

from cyclades.ganeti import jobs
from cyclades.ganeti.opcodes import Opcode
from cyclades.models import IntentState, JobIntent, Server, Task
from synnefo import clock
from synnefo.messages import OpStatus

log = logging.getLogger(__name__)

_BUSY = "temp_insufficient_resources"


def resubmit_without_opportunism(server: Server, event: OpStatus) -> bool:
    """Intend the build of *server* once more if *event* says that only locks were in its way.

    Returns whether the event is dealt with. The server stays in BUILD with a new job to come, and what
    is asked for is what we intended, not the failed job's own input: that holds Ganeti's choices.
    """
    if not _found_nodes_busy(event):
        return False
    if server.backendjobid not in (None, event.job_id):
        return True
    intent = JobIntent.objects.filter(
        server=server, operation=Task.BUILD, job_id=event.job_id, state=IntentState.SUBMITTED
    ).first()
    if intent is None or not intent.payload.get("body", {}).get("opportunistic_locking"):
        return False
    intent.state = IntentState.DONE
    intent.save(update_fields=["state", "updated"])
    payload = intent.payload | {"body": intent.payload["body"] | {"opportunistic_locking": False}}
    server.backendjobid = None
    server.backendjobstatus = ""
    server.backendlogmsg = "All suitable nodes were busy; asked again."
    server.backendtime = event.event_datetime
    server.updated = clock.now()
    server.save()
    again = jobs.intend(server=server, operation=Task.BUILD, payload=payload)
    log.warning("server %d: job %d found the nodes busy, %s asks again", server.pk, event.job_id, again)
    return True


def _found_nodes_busy(event: OpStatus) -> bool:
    if event.operation != Opcode.INSTANCE_CREATE or event.status != "error":
        return False
    result = event.result
    # Usually ["OpPrereqError", [text, code]], but killed jobs give plain text.
    is_typed = isinstance(result, list | tuple) and len(result) == 2 and isinstance(result[1], list | tuple)
    return is_typed and len(result[1]) > 1 and result[1][1] == _BUSY
