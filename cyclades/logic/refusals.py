"""What happens to a server when its job will never run (Ganeti contract 3.1)."""

from __future__ import annotations

from datetime import timedelta

from cyclades.ganeti import jobs, names
from cyclades.ganeti.opcodes import Opcode
from cyclades.logic import news, ports, server_disks, server_events, server_outcomes, tag_events
from cyclades.models import IntentState, JobIntent, Port, PortState, Server, Task
from synnefo import clock
from synnefo.db.locks import atomic

REFUSED = "Failed to send job to Ganeti."


def settle(intent: JobIntent, *, not_found: bool, reason: str) -> None:
    """End *intent*, which Ganeti refused: a build fails, anything else is as if never asked.

    The removal of what Ganeti does not have is done. Locks the server, then the intent; *reason* is for
    operators only.
    """
    with atomic():
        locked = jobs.locked_pending(intent)
        if locked is None:
            return
        server, stored = locked
        if stored.operation == Task.DESTROY and not_found:
            _replay(server, stored, Opcode.INSTANCE_REMOVE)
            return
        jobs.mark_failed(stored, f"refused: {reason}")
        _undo(server, stored)


def _undo(server: Server, intent: JobIntent) -> None:
    # Holdings come before address pools in the lock order.
    if server.task == intent.operation and server.task_job_id is None:
        server_outcomes.end_task(server, succeeded=False)
    if intent.operation == Task.BUILD:
        server_outcomes.fail_build(server)
        server.backendlogmsg = REFUSED
    elif intent.operation == Task.CONNECT:
        ports.delete_port_rows(_ports_to_add(server, intent), "refused by the cluster")
    elif intent.operation in server_events.VOLUME_TASKS:
        server_disks.settle_unreported(server, intent.operation)
    if intent.operation != Task.BUILD:
        news.server_refused(server)
    tag_events.undo(server, intent)
    server_outcomes.add_diagnostic(
        server, source="ganeti-refusal", message=f"The cluster refused the operation {intent.operation}."
    )
    server.save()


def _ports_to_add(server: Server, intent: JobIntent) -> list[Port]:
    changes = intent.payload.get("body", {}).get("nics") or []
    ids = [names.port_id_of(change[2].get("name")) for change in changes if change[0] == "add"]
    wanted = [pk for pk in ids if pk is not None]
    return list(Port.objects.filter(machine=server, pk__in=wanted).exclude(state=PortState.ACTIVE))


def settle_built(intent: JobIntent) -> None:
    """End the creation *intent*, whose job is archived, as the success that its instance proves."""
    with atomic():
        locked = jobs.locked_pending(intent)
        if locked is not None:
            server, stored = locked
            _replay(server, stored, Opcode.INSTANCE_CREATE)


def _replay(server: Server, intent: JobIntent, opcode: Opcode) -> None:
    """Apply the success of *opcode* that no event told; job 0 stands for the unknown one."""
    intent.job_id = server.task_job_id = 0
    intent.state = IntentState.DONE
    intent.save(update_fields=["job_id", "state", "updated"])
    # The cluster's clock may run ahead of ours; this is known to be newer than anything applied.
    moment = clock.now()
    if server.backendtime is not None:
        moment = max(moment, server.backendtime + timedelta(microseconds=1))
    server_events.apply(server, server_events.simulated(server, opcode=opcode, moment=moment))
