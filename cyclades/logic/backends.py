"""Administration of Ganeti clusters (Ganeti contract 1.4)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError

from cyclades.ganeti import clients, networks, refresh
from cyclades.logic.pools import BitPool
from cyclades.models import (
    MAX_BACKENDS,
    Backend,
    BackendNetwork,
    IPPool,
    Network,
    NetworkState,
    ProjectBackend,
    Server,
)
from synnefo import audit, clock, crypto
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one
from synnefo.errors import BadRequest, Conflict, NotFound, ServiceUnavailable

log = logging.getLogger(__name__)

HYPERVISORS = ("kvm", "xen-pvm", "xen-hvm", "fake", "lxc", "chroot")
#: Tag of the harmless dry run that proves write access.
_PROBE_TAG = "snf:backend:check"
_FEATURE = "instance-create-reqv1"
_LENGTHS = {"clustername": 128, "username": 64}


@dataclass(frozen=True)
class NetworkJob:
    """What came of making a public network available in a cluster."""

    network: Network
    row: BackendNetwork
    jobs: tuple[int, ...]
    error: str = ""


def check_credentials(*, clustername: str, port: int, username: str, password: str) -> None:
    """Raise unless the account may write to the cluster that really has this name.

    Raises ``BadRequest`` for wrong credentials or name, ``ServiceUnavailable`` for silence.
    """
    client = clients.new_client(clustername=clustername, port=port, username=username, password=password)
    try:
        with client as rapi:
            # A dry run needs write access like the real thing and changes nothing.
            rapi.AddClusterTags([_PROBE_TAG], dry_run=True)
            name = rapi.GetInfo().get("name")
            features = rapi.GetFeatures()
    except (clients.RapiUnavailable, clients.RapiUnknown) as error:
        if error.code in (401, 403):
            raise BadRequest(f"The cluster {clustername} refuses these credentials.") from error
        raise ServiceUnavailable(f"The cluster {clustername} does not answer: {error}") from error
    except clients.GanetiApiError as error:
        raise BadRequest(f"The cluster {clustername} refuses a test: {error}") from error
    if name != clustername:
        raise BadRequest(f"The cluster at {clustername} calls itself '{name}'; use that name.")
    if _FEATURE not in features:
        raise BadRequest(f"The RAPI of {clustername} lacks the feature {_FEATURE}.")


def add_backend(
    credentials: Credentials,
    *,
    clustername: str,
    username: str,
    password: str,
    port: int = 5080,
    hypervisor: str = "kvm",
    public: bool = True,
    check: bool = True,
) -> Backend:
    """Register a cluster, drained until an administrator opens it.

    Raises ``Conflict`` when it is registered already or there are 16, and what ``check_credentials``
    raises unless *check* is false.
    """
    _require_valid({"clustername": clustername, "port": port, "username": username, "hypervisor": hypervisor})
    if check:
        check_credentials(clustername=clustername, port=port, username=username, password=password)
    with atomic():
        if Backend.objects.filter(clustername=clustername).exists():
            raise Conflict(f"There is a backend {clustername} already.")
        backend = Backend(
            clustername=clustername,
            port=port,
            username=username,
            password_hash=crypto.encrypt(password, clients.PASSWORD_PURPOSE),
            index=_free_index(),
            drained=True,
            public=public,
            hypervisor=hypervisor,
            updated=clock.now(),
        )
        try:
            with atomic():
                backend.save(force_insert=True)
        except IntegrityError as error:
            raise Conflict("Another backend was added at the same time. Try again.") from error
        audit.record(credentials, "backend.add", f"backend:{backend.pk}", clustername=clustername)
    return backend


def _free_index() -> int:
    taken = set(Backend.objects.values_list("index", flat=True))
    for index in range(MAX_BACKENDS):
        if index not in taken:
            return index
    raise Conflict(f"There are {MAX_BACKENDS} backends, the most there can be.")


def _require_valid(values: Mapping[str, Any]) -> None:
    """Raise ``BadRequest`` for a value that can't be stored or used."""
    hypervisor = values.get("hypervisor", HYPERVISORS[0])
    if hypervisor not in HYPERVISORS:
        raise BadRequest(f"Unknown hypervisor '{hypervisor}'. Known: {', '.join(HYPERVISORS)}.")
    if not 0 < values.get("port", 1) < 65536:
        raise BadRequest(f"{values['port']} is no port")
    for name, longest in _LENGTHS.items():
        if len(values.get(name, "")) > longest:
            raise BadRequest(f"'{name}' must not be longer than {longest} characters")
    if not values.get("clustername", "x").strip():
        raise BadRequest("'clustername' must not be empty")


def update_status(backend: Backend) -> None:
    """Read free resources and disk templates of *backend*; raises ``ServiceUnavailable``."""
    try:
        refresh.refresh_all(backend)
    except clients.GanetiApiError as error:
        raise ServiceUnavailable(f"The backend {backend.clustername} refuses: {error}") from error


def provide_public_networks(backend: Backend) -> list[NetworkJob]:
    """Create and connect every public network in *backend*; one that fails does not stop the others."""
    results = []
    public = Network.objects.filter(public=True, deleted=False).prefetch_related("subnets").order_by("pk")
    for network in public:
        row = networks.backend_network(backend, network)
        try:
            jobs = networks.ensure_network_active(backend, network)
            results.append(NetworkJob(network, row, tuple(jobs)))
        except (ServiceUnavailable, clients.GanetiApiError) as error:
            log.error("network %d in backend %s: %s", network.pk, backend.clustername, error)
            results.append(NetworkJob(network, row, (), str(error)))
    return results


def public_addresses(backend: Backend) -> tuple[int, int]:
    """Return how many public IPv4 addresses servers of *backend* can still get, and how many there are.

    Drained networks have none to give.
    """
    free = total = 0
    pools = IPPool.objects.filter(
        subnet__deleted=False,
        subnet__network__public=True,
        subnet__network__deleted=False,
        subnet__network__backend_networks__backend=backend,
        subnet__network__backend_networks__deleted=False,
    ).select_related("subnet__network")
    for row in pools:
        pool = BitPool(row.size, row.available_map, row.reserved_map)
        total += pool.size
        free += 0 if row.subnet.network.drained else pool.count_free()
    return free, total


def wait_for_job(backend: Backend, job_id: int, *, timeout: float = 600.0) -> Mapping[str, Any]:
    """Wait up to *timeout* seconds for a job of *backend* and return it; raises ``ServiceUnavailable``."""
    try:
        with clients.rapi_for(backend) as rapi:
            return rapi.WaitForJobCompletion(job_id, timeout=timeout)
    except clients.GanetiApiError as error:
        raise ServiceUnavailable(f"Job {job_id} can't be followed: {error}") from error


def get_backend(*, backend_id: int | str) -> Backend:
    """Return a backend by id or cluster name; raises ``NotFound``."""
    text = str(backend_id)
    is_id = text.isascii() and text.isdigit() and len(text) < 19
    lookup = {"pk": int(text)} if is_id else {"clustername": text}
    found = Backend.objects.filter(**lookup).first()
    if found is None:
        raise NotFound(
            f"Backend with ID {text} does not exist. Use backend-list to find out available backend IDs."
        )
    return found


def _lock(backend: Backend) -> Backend:
    try:
        return lock_one(Backend.objects.filter(pk=backend.pk))
    except Backend.DoesNotExist as error:
        raise NotFound(f"Backend {backend.clustername} was removed meanwhile.") from error


def modify_backend(
    credentials: Credentials,
    *,
    backend_id: int | str,
    changes: Mapping[str, Any],
    check: bool = True,
) -> Backend:
    """Change a backend; ``changes`` may hold clustername, port, username, password, drained, offline,
    public and hypervisor.

    New credentials are tried before they are stored. Raises ``NotFound``, ``BadRequest``, ``Conflict``
    and ``ServiceUnavailable``.
    """
    backend = get_backend(backend_id=backend_id)
    _require_valid(changes)
    if check and {"clustername", "port", "username", "password"} & set(changes):
        check_credentials(
            clustername=changes.get("clustername", backend.clustername),
            port=changes.get("port", backend.port),
            username=changes.get("username", backend.username),
            password=changes.get("password")
            or crypto.decrypt(backend.password_hash, clients.PASSWORD_PURPOSE),
        )
    with atomic():
        backend = _lock(backend)
        for name, value in changes.items():
            if name == "password":
                backend.password_hash = crypto.encrypt(value, clients.PASSWORD_PURPOSE)
            else:
                setattr(backend, name, value)
        clash = Backend.objects.filter(clustername=backend.clustername).exclude(pk=backend.pk)
        if clash.exists():
            raise Conflict(f"There is a backend {backend.clustername} already.")
        backend.save()
        shown = {name: value for name, value in changes.items() if name != "password"}
        audit.record(credentials, "backend.modify", f"backend:{backend.pk}", **shown)
    return backend


def remove_backend(credentials: Credentials, *, backend_id: int | str) -> list[str]:
    """Forget a cluster without servers and take our networks out of it; return what could not be.

    Raises ``NotFound``, and ``Conflict`` while servers live there or jobs are under way.
    """
    backend = get_backend(backend_id=backend_id)
    present = list(
        Network.objects.filter(backend_networks__backend=backend).exclude(
            backend_networks__operstate=NetworkState.DELETED
        )
    )
    with atomic():
        _lock(backend)
        count = Server.objects.filter(backend=backend, deleted=False).count()
        if count:
            raise Conflict(f"Backend {backend} has {count} servers that are not deleted.")
        Server.objects.filter(backend=backend).update(backend=None)
        BackendNetwork.objects.filter(backend=backend).delete()
        backend.intents.all().delete()
        audit.record(credentials, "backend.remove", f"backend:{backend.pk}", clustername=backend.clustername)
        Backend.objects.filter(pk=backend.pk).delete()
    return _withdraw(backend, present)


def _withdraw(backend: Backend, present: Sequence[Network]) -> list[str]:
    problems = []
    for network in present:
        try:
            networks.delete_network(backend, network)
        except (ServiceUnavailable, clients.GanetiApiError) as error:
            problems.append(f"network {network.pk} stays in {backend.clustername}: {error}")
    return problems


def add_project_backend(credentials: Credentials, *, project: str, backend_id: int | str) -> ProjectBackend:
    """Reserve a backend for a project; raises ``NotFound`` or ``Conflict``."""
    backend = get_backend(backend_id=backend_id)
    with atomic():
        mapping, created = ProjectBackend.objects.get_or_create(project=project, backend=backend)
        if not created:
            raise Conflict(f"Project {project} is mapped to backend {backend} already.")
        audit.record(credentials, "backend.reserve", f"backend:{backend.pk}", project=project)
    return mapping


def remove_project_backends(
    credentials: Credentials,
    *,
    mapping_id: int | None = None,
    project: str | None = None,
    backend_id: int | str | None = None,
) -> int:
    """Remove the mapping with an id, or all of a project and/or backend; return how many.

    Raises ``BadRequest`` when nothing is given and ``NotFound`` when nothing matches.
    """
    conditions: dict[str, Any] = {}
    if mapping_id is not None:
        conditions["pk"] = mapping_id
    if project is not None:
        conditions["project"] = project
    if backend_id is not None:
        conditions["backend"] = get_backend(backend_id=backend_id)
    if not conditions:
        raise BadRequest("Name the mapping, a project or a backend.")
    with atomic():
        count, _ = ProjectBackend.objects.filter(**conditions).delete()
        if not count:
            raise NotFound("There is no such mapping.")
        audit.record(
            credentials, "backend.release", f"project:{project or '*'}", count=count, mapping=mapping_id
        )
    return count
