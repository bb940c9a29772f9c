"""Sending one intended job to Ganeti, once (see ``jobs`` for the steps and their crashes)."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.conf import settings

from cyclades.ganeti import clients, firewall, jobs, names, networks
from cyclades.ganeti.opcodes import ANY_END
from cyclades.logic import refusals, vmapi
from cyclades.models import Backend, IntentState, JobIntent, Network, Task
from synnefo import crypto, request_id
from synnefo.errors import ServiceUnavailable

log = logging.getLogger(__name__)

Body = dict[str, Any]
_VERSION_SECONDS = 600.0
_versions: dict[int, tuple[float, tuple[int, ...]]] = {}


def submit(intent_id: int, *, known_jobs: Mapping[str, int] | None = None) -> None:
    """Submit the intent if it is due and nobody else is at it; its row says how that ended.

    *known_jobs* maps request ids to the jobs of the intent's backend, for callers with many intents.
    """
    intent = jobs.claim(intent_id)
    if intent is None:
        return
    with request_id.bound(intent.request_id):
        if jobs.waits_for_build(intent) or not _predecessors_are_sent(intent):
            jobs.postpone(intent, "waits for an earlier job of the server", sent=False)
            return
        try:
            job_id = _find_or_send(intent, known_jobs)
        except ServiceUnavailable as error:
            log.warning("%s waits: %s", intent, error)
            jobs.postpone(intent, f"unavailable: {error}", sent=False)
        except clients.RapiUnknown as error:
            log.warning("%s: it is unknown whether Ganeti has it: %s", intent, error)
            jobs.postpone(intent, f"unknown: {error}", sent=True)
        except clients.RapiRefused as error:
            log.error("%s was refused: %s", intent, error)
            refusals.settle(intent, not_found=error.not_found, reason=str(error))
        else:
            if job_id is not None:
                log.info("%s is job %d of %s", intent, job_id, intent.backend.clustername)
                jobs.record_job(intent, job_id)


def _find_or_send(intent: JobIntent, known_jobs: Mapping[str, int] | None) -> int | None:
    """Return the intent's job, submitting it unless an earlier attempt did; ``None`` if none is needed."""
    with clients.rapi_for(intent.backend) as rapi:
        if intent.attempts > 1:
            found = (jobs_by_request(rapi) if known_jobs is None else known_jobs).get(intent.request_id)
            if found is not None:
                return found
            if intent.operation == Task.BUILD and instance_exists(rapi, intent.server_id):
                # The job was archived since; the instance proves that there was one.
                refusals.settle_built(intent)
                return None
    body = _body(intent)
    if not jobs.renew(intent):
        log.warning("%s took too long to prepare and is another process's now", intent)
        return None
    with clients.rapi_for(intent.backend) as rapi:
        send = SENDERS[intent.payload["action"]]
        name = names.instance_name(intent.server_id or 0)
        before = intent.payload.get("before")
        if before:
            # What the job needs done first; doing it twice does no harm.
            body["depends"] = [*body.get("depends", []), [rapi.ModifyInstance(name, before), ANY_END]]
        return send(rapi, name, body, intent.request_id)


def _predecessors_are_sent(intent: JobIntent) -> bool:
    """Send earlier changes of the same tags first: a tag that was deleted and given again must stay."""
    if intent.operation not in (jobs.TAGS_ADD, jobs.TAGS_DELETE):
        return True
    earlier = JobIntent.objects.filter(
        server=intent.server_id,
        operation__in=(jobs.TAGS_ADD, jobs.TAGS_DELETE),
        state=IntentState.PENDING,
        pk__lt=intent.pk,
    ).order_by("pk")
    tags = _tags(intent)
    related = [other.pk for other in earlier if tags & _tags(other)]
    for pk in related:
        submit(pk)
    return not JobIntent.objects.filter(pk__in=related, state=IntentState.PENDING).exists()


def _tags(intent: JobIntent) -> set[str]:
    return set(intent.payload.get("body", {}).get("tags") or ())


def jobs_by_request(rapi: clients.RapiClient) -> dict[str, int]:
    """Return the cluster's jobs by every text of their reason trails."""
    return reasons_of(rapi.GetJobs(bulk=True))


def reasons_of(ganeti_jobs: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the given jobs by every text of their reason trails."""
    found: dict[str, int] = {}
    for job in ganeti_jobs:
        for op in job.get("ops") or []:
            for entry in op.get("reason") or []:
                if len(entry) > 1 and isinstance(entry[1], str) and entry[1]:
                    found.setdefault(entry[1], int(job["id"]))
    return found


def instance_exists(rapi: clients.RapiClient, server_id: int | None) -> bool:
    """Tell whether the cluster has the instance of a server."""
    try:
        rapi.GetInstance(names.instance_name(server_id or 0))
    except clients.RapiRefused as error:
        if error.not_found:
            return False
        raise
    return True


def _body(intent: JobIntent) -> Body:
    """Return the request with what only this moment knows: networks, one-time URL, hotplug."""
    payload = intent.payload
    body: Body = copy.deepcopy(payload.get("body") or {})
    depends = _network_jobs(intent.backend, payload.get("networks") or [])
    if depends:
        body["depends"] = [*body.get("depends", []), *([job, ANY_END] for job in depends)]
    if payload.get("vmapi"):
        key = crypto.decrypt(payload["vmapi"], jobs.VMAPI_KEY_PURPOSE)
        vmapi.renew(key)
        body.setdefault("osparams", {})["config_url"] = vmapi.url_for(key)
    if payload.get("hotplug"):
        body |= hotplug_flag(intent.backend)
    return body


def _network_jobs(backend: Backend, network_ids: Iterable[int]) -> list[int]:
    rows = Network.objects.filter(pk__in=list(network_ids)).prefetch_related("subnets").order_by("pk")
    return [job for network in rows for job in networks.ensure_network_active(backend, network)]


def hotplug_flag(backend: Backend) -> Body:
    """Return the key that lets a running instance change: its name depends on Ganeti's version."""
    if backend.hypervisor != "kvm" or not settings.GANETI_USE_HOTPLUG:
        return {}
    return {"hotplug": True} if software_version(backend) >= (3, 1) else {"hotplug_if_possible": True}


def software_version(backend: Backend) -> tuple[int, ...]:
    """Return the cluster's Ganeti version, such as (3, 0, 2), asked at most every ten minutes."""
    known = _versions.get(backend.pk)
    if known is not None and known[0] > time.monotonic():
        return known[1]
    with clients.rapi_for(backend) as rapi:
        text = str(rapi.GetInfo().get("software_version", ""))
    parts = text.partition("~")[0].split(".")
    version = tuple(int(part) for part in parts if part.isdigit())
    _versions[backend.pk] = (time.monotonic() + _VERSION_SECONDS, version)
    return version


Sender = Callable[[clients.RapiClient, str, Body, str], int]

#: How each action of a payload is sent: client, instance name, body, request id for the reason trail.
SENDERS: dict[str, Sender] = {
    "create": lambda rapi, name, body, reason: rapi.CreateInstance(body, reason=reason),
    "delete": lambda rapi, name, body, reason: rapi.DeleteInstance(name, **body, reason=reason),
    "startup": lambda rapi, name, body, reason: rapi.StartupInstance(name, **body, reason=reason),
    "shutdown": lambda rapi, name, body, reason: rapi.ShutdownInstance(name, **body, reason=reason),
    "reboot": lambda rapi, name, body, reason: rapi.RebootInstance(name, **body, reason=reason),
    "modify": lambda rapi, name, body, reason: rapi.ModifyInstance(name, body, reason=reason),
    "firewall": firewall.send,
    "grow-disk": lambda rapi, name, body, reason: rapi.GrowInstanceDisk(name, **body, reason=reason),
    "tags-add": lambda rapi, name, body, reason: rapi.AddInstanceTags(name, body["tags"], reason=reason),
    "tags-delete": lambda rapi, name, body, reason: rapi.DeleteInstanceTags(
        name, body["tags"], reason=reason
    ),
}
