"""What Ganeti itself says about a server, for administrators (administrator's contract 4.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cyclades.ganeti import clients, names
from cyclades.models import Server
from synnefo.errors import ServiceUnavailable

Json = Mapping[str, Any]


@dataclass(frozen=True)
class LiveServer:
    """An instance as RAPI shows it, and the jobs that were about it."""

    instance: Json
    jobs: Sequence[Json] = field(default_factory=tuple)


def inspect(*, server: Server, with_jobs: bool = False) -> LiveServer | None:
    """Return what the server's cluster knows, ``None`` when it has no such instance.

    Raises ``ServiceUnavailable`` when the cluster is away or refuses to tell.
    """
    if server.backend is None:
        return None
    name = names.instance_name(server.pk)
    try:
        with clients.rapi_for(server.backend) as rapi:
            instance = rapi.GetInstance(name)
            jobs = [job for job in rapi.GetJobs(bulk=True) if _is_about(job, name)] if with_jobs else []
    except clients.RapiRefused as error:
        if error.not_found:
            return None
        raise ServiceUnavailable(f"The cluster refused to tell: {error}") from error
    except clients.GanetiApiError as error:
        raise ServiceUnavailable(f"The cluster did not answer: {error}") from error
    return LiveServer(instance, jobs)


def _is_about(job: Json, name: str) -> bool:
    ops = [op for op in job.get("ops") or () if isinstance(op, Mapping)]
    # Jobs about tags name what they are about in another way.
    return any(
        name in (op.get("instance_name"), op.get("kind") == "instance" and op.get("name")) for op in ops
    )
