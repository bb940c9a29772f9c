"""Helper servers: spare, stopped servers on every backend (Ganeti contract 10.7).

The original handled detached volumes through them; here nothing depends on them (decision 7).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from cyclades.ganeti import clients, waiting
from cyclades.logic import server_actions, server_create
from cyclades.logic.server_create import ServerRequest
from cyclades.models import Backend, Flavor, JobIntent, Server, ServerState
from synnefo.credentials import Credentials
from synnefo.errors import Conflict, SynnefoError

log = logging.getLogger(__name__)

DEFAULT_NAME = "Helper VM"
_SETTLE_SECONDS = 120.0
_POLL_SECONDS = 0.5
Say = Callable[[str], None]


@dataclass(frozen=True)
class HelperPlan:
    """What every suitable backend shall have: so many ``copies`` of a helper like ``request``."""

    request: ServerRequest
    flavor: Flavor
    copies: int = 1
    wait: bool = True


def suitable_backends(flavor: Flavor, *, backend: Backend | None = None) -> list[Backend]:
    """Return the online backends (or *backend*) that offer the flavor's disk template."""
    backends = [backend] if backend is not None else list(Backend.objects.order_by("pk"))
    return [b for b in backends if not b.offline and flavor.volume_type.template in b.disk_templates]


def synchronise(credentials: Credentials, *, backend: Backend, plan: HelperPlan, say: Say) -> list[str]:
    """Create the helpers that *backend* lacks and stop those that run; return what went wrong."""
    problems = []
    for server, intent in _created(credentials, backend, plan):
        say(f"Created helper server {server.pk} on {backend.clustername}.")
        try:
            if plan.wait:
                _wait(server, intent)
        except (SynnefoError, clients.GanetiApiError) as error:
            problems.append(f"helper server {server.pk}: {error}")
    if plan.wait:
        problems += _stop_running(credentials, backend, plan.flavor, say)
    return problems


def helpers_of(backend: Backend, flavor: Flavor) -> list[Server]:
    """Return the helpers of *backend* with the disk template of *flavor*."""
    helpers = Server.objects.filter(backend=backend, helper=True, deleted=False).order_by("pk")
    return list(
        helpers.filter(flavor__volume_type__disk_template=flavor.volume_type.disk_template).select_related(
            "flavor__volume_type"
        )
    )


def _created(
    credentials: Credentials, backend: Backend, plan: HelperPlan
) -> Iterator[tuple[Server, JobIntent]]:
    missing = plan.copies - len(helpers_of(backend, plan.flavor))
    for _ in range(missing):
        request = replace(plan.request, helper=True, backend_id=backend.pk, flavor_id=plan.flavor.pk)
        server = server_create.create(credentials, request=request).server
        yield server, JobIntent.objects.select_related("backend").filter(server=server).earliest("pk")


def _wait(server: Server, intent: JobIntent) -> None:
    """Wait for a job and for its event; raises ``Conflict`` when either fails."""
    job = waiting.wait_for_intent(intent)
    if job.get("status") != "success":
        raise Conflict(f"job {intent.job_id} ended with {job.get('status')}")
    deadline = time.monotonic() + _SETTLE_SECONDS
    while Server.objects.filter(pk=server.pk).exclude(task="").exists():
        if time.monotonic() > deadline:
            raise Conflict("its job has ended but no dispatcher noticed")
        time.sleep(_POLL_SECONDS)


def _stop_running(credentials: Credentials, backend: Backend, flavor: Flavor, say: Say) -> list[str]:
    problems = []
    for server in helpers_of(backend, flavor):
        if server.operstate == ServerState.STOPPED:
            continue
        try:
            intent = server_actions.stop(Credentials.administrator(), server_id=server.pk)
            _wait(server, intent)
            say(f"Stopped helper server {server.pk}.")
        except (SynnefoError, clients.GanetiApiError) as error:
            problems.append(f"helper server {server.pk} was not stopped: {error}")
    return problems
