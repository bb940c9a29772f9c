"""Resizing as Nova's clients know it: from a running server too, and to be confirmed (contract 22.1).

A resize of a running server takes three jobs: stop, change, start. Between them there is no memory but the
server and its ``ServerResize``: whoever sees the server idle does what is still missing (``advance``). That
is the process that ended the job before, or the repair task when that process died.

What the way may need is charged before it begins and given back when it ends (``quota.size_of``): nobody
can take it meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from cyclades.ganeti import requests
from cyclades.logic import flavors, quota, server_change, server_charges, server_outcomes
from cyclades.logic.server_actions import check_resize, resize_change, simple_change
from cyclades.logic.server_change import JobChange
from cyclades.logic.server_state import require_allowed, require_writable
from cyclades.logic.servers import get_server, lock_server
from cyclades.models import Flavor, JobIntent, Server, ServerResize, ServerState, Task
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, OverLimit, SynnefoError, WrongState

log = logging.getLogger(__name__)

_BATCH = 100


@locks.retry_on_deadlock
def resize(credentials: Credentials, *, server_id: int, flavor_id: int) -> JobIntent | None:
    """Give a running or stopped server another flavor; it is confirmed or taken back afterwards.

    Returns the intent of the first job. Raises what the resize of a stopped server raises, and
    ``WrongState`` while an earlier resize is not confirmed.
    """
    seen = server_change.seen_server(credentials, server_id)
    flavor = flavors.for_resize(credentials, flavor_id=flavor_id, project=seen.project)
    with locks.atomic():
        server = lock_server(credentials, server_id=server_id)
        runs = server.operstate == ServerState.STARTED
        require_allowed(credentials, server, Task.STOP if runs else Task.RESIZE)
        if server.resize_id is not None:
            raise WrongState("An earlier resize of this server must be confirmed or reverted first.")
        check_resize(server, flavor)
        before = quota.usage(server)
        plan = ServerResize.objects.create(old_flavor=server.flavor, flavor=flavor, restart=runs)
        server.resize = plan
        server.save(update_fields=["resize", "updated"])
        quota.charge_now(
            server.userid,
            quota.difference(server, before, quota.usage(server)),
            name=f"client: api, resource: server {server_id}, action: RESIZE",
            force=credentials.force_quota,
        )
        intent = _step(server, plan)
        audit.record(credentials, "server.resize", f"server:{server_id}", flavor=flavor.pk)
    return intent


@locks.retry_on_deadlock
def confirm(credentials: Credentials, *, server_id: int) -> None:
    """Agree with the flavor that a server has got; nothing happens to one that was not resized.

    Raises ``WrongState`` while a task of the server or its resize is under way.
    """
    with locks.atomic():
        server = lock_server(credentials, server_id=server_id)
        require_writable(credentials, server)
        plan = server.resize
        if server.task or (plan is not None and not plan.settled):
            raise WrongState("Cannot confirm the resize while a task of the server is pending.")
        if plan is not None:
            forget(server)
            audit.record(credentials, "server.resize-confirm", f"server:{server_id}")


@locks.retry_on_deadlock
def revert(credentials: Credentials, *, server_id: int) -> JobIntent | None:
    """Give a server its earlier flavor back; raises ``WrongState`` unless a resize waits for that."""
    get_server(credentials, server_id=server_id)
    with locks.atomic():
        server = lock_server(credentials, server_id=server_id)
        plan = server.resize
        if plan is None or not plan.settled:
            raise WrongState("No resize of this server waits to be confirmed or reverted.")
        runs = server.operstate == ServerState.STARTED
        require_allowed(credentials, server, Task.STOP if runs else Task.RESIZE)
        plan.reverting, plan.settled, plan.restart = True, False, runs
        plan.save(update_fields=["reverting", "settled", "restart"])
        intent = _step(server, plan)
        audit.record(credentials, "server.resize-revert", f"server:{server_id}")
    return intent


@locks.retry_on_deadlock
def keep_stopped(credentials: Credentials, *, server_id: int) -> bool:
    """Take away the start that a resize owes to a server it has stopped; false where it owes none."""
    with locks.atomic():
        server = lock_server(credentials, server_id=server_id)
        if not is_between(server) or server.resize is None:
            return False
        _start_no_more(server, server.resize)
        audit.record(credentials, "server.resize-keep-stopped", f"server:{server_id}")
    return True


def is_between(server: Server) -> bool:
    """Tell whether *server* is stopped for its resize only: it is charged and will be started again."""
    return server.operstate == ServerState.STOPPED and quota.is_online(server)


@contextmanager
def _giving_back(server: Server) -> Iterator[None]:
    """Stop charging what the locked *server* does not need any more after the block."""
    before = quota.usage(server)
    yield
    deltas = quota.difference(server, before, quota.usage(server))
    server_charges.charge(server, server.userid, deltas, cause="action: RESIZE")


def _target(plan: ServerResize) -> Flavor:
    return plan.old_flavor if plan.reverting else plan.flavor


def _has_target(server: Server, plan: ServerResize) -> bool:
    """Tell whether *server* is as big as it is to be; a flavor may have a twin that was deleted."""
    target = _target(plan)
    return (server.flavor.cpu, server.flavor.ram) == (target.cpu, target.ram)


def _step(server: Server, plan: ServerResize) -> JobIntent | None:
    """Promise the next job of the idle, locked *server*; ``None`` when its resize has come to an end."""
    if not _has_target(server, plan):
        if server.operstate == ServerState.STARTED:
            return server_change.promise(server, _power(Task.STOP))
        return server_change.promise(server, resize_change(_target(plan)))
    if plan.restart and server.operstate == ServerState.STOPPED:
        # Asked for once: a server that does not start is its user's to look at.
        _start_no_more(server, plan)
        # What was charged until now is free for this commission and for no other.
        return server_change.promise(server, _power(Task.START), force=True)
    if plan.reverting:
        forget(server)
    else:
        plan.settled = True
        plan.save(update_fields=["settled"])
        # The job's end was told before: whoever asked since then has to hear of this as well.
        server.save(update_fields=["updated"])
    return None


def _start_no_more(server: Server, plan: ServerResize) -> None:
    with _giving_back(server):
        plan.restart = False
        plan.save(update_fields=["restart"])


def _power(task: Task) -> JobChange:
    payload = requests.startup_payload() if task == Task.START else requests.shutdown_payload()
    return simple_change(task, payload)


def forget(server: Server) -> None:
    """End the resize of the locked *server*, wherever it is."""
    plan_id = server.resize_id
    if plan_id is not None:
        with _giving_back(server):
            server.resize = None
        # Lists of what changed show the server's new status, too.
        server.save(update_fields=["resize", "updated"])
        ServerResize.objects.filter(pk=plan_id).delete()


@locks.retry_on_deadlock
def advance(server_id: int, *, ended: str = "", succeeded: bool = True) -> JobIntent | None:
    """Do what is missing of a resize while the server is idle; *ended* is the task that has just ended.

    What can't be done is taken back, and what can't be taken back is left as it is.
    """
    with locks.atomic():
        rows = Server.objects.select_related("flavor__volume_type", "backend").filter(pk=server_id)
        server = locks.lock_one(rows)
        plan = server.resize
        if plan is None or plan.settled or server.task:
            return None
        if server.deleted or server.operstate not in (ServerState.STARTED, ServerState.STOPPED):
            forget(server)
            return None
        if ended == Task.RESIZE:
            succeeded = _has_target(server, plan)
        if ended in (Task.STOP, Task.RESIZE) and not succeeded and not _turn_back(server, plan):
            return None
        return _step_or_settle(server, plan)


def _step_or_settle(server: Server, plan: ServerResize) -> JobIntent | None:
    """Do the first step that the books allow: on, back, or none; each is tried once."""
    while True:
        try:
            with transaction.atomic():
                return _step(server, plan)
        except (OverLimit, BadRequest) as error:
            # The owner has left the project, or an administrator resized it beyond what was charged.
            log.warning("the resize of server %d does not go on: %s", server.pk, error)
            plan.refresh_from_db(fields=["restart"])
        if _has_target(server, plan):
            _start_no_more(server, plan)
        elif not _turn_back(server, plan):
            return None


def _turn_back(server: Server, plan: ServerResize) -> bool:
    """Go for the old flavor; false when that was what failed."""
    server_outcomes.add_diagnostic(server, source="resize", message="The server could not be resized.")
    if plan.reverting:
        forget(server)
        return False
    plan.reverting = True
    plan.save(update_fields=["reverting"])
    return True


def run_due() -> int:
    """Go on with resizes that nobody goes on with; return how many there were.

    Those of clusters that are offline wait, and are not in the way of the others.
    """
    waiting = Server.objects.filter(resize__settled=False, task="", backend__offline=False)
    ids = list(waiting.order_by("resize__created").values_list("pk", flat=True)[:_BATCH])
    for server_id in ids:
        try:
            advance(server_id)
        except SynnefoError as error:
            log.warning("the resize of server %d waits: %s", server_id, error)
        except Exception:
            # Found again in every round, it must not keep the others from going on.
            log.exception("the resize of server %d can't go on", server_id)
    return len(ids)
