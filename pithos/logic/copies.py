"""Copying and moving objects without touching their data (object-storage contract 8.3, 8.4)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pithos.logic import (
    deletes,
    metadata,
    permissions,
    possession,
    public_links,
    quota,
    statistics,
    versions,
)
from pithos.logic.batches import batches
from pithos.logic.metadata import USER_DOMAIN
from pithos.logic.nodes import (
    Address,
    find_container,
    find_current,
    find_version,
    later_than,
    latest_of,
    lock_containers,
)
from pithos.logic.objects import digests_of, etag_of, parse_serial, require_available
from pithos.logic.sharing import set_sharing
from pithos.logic.statistics import Delta
from pithos.logic.uploads import Wish, Written, written_of
from pithos.models import Availability, Cluster, Node, Version
from pithos.paths import check_object
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, retry_on_deadlock
from synnefo.errors import Forbidden, NotFound


@dataclass(frozen=True)
class _Job:
    """One object to copy or move inside the transaction."""

    source: Version
    target: Address
    wish: Wish


@retry_on_deadlock
def copy_object(
    credentials: Credentials,
    *,
    source: Address,
    target: Address,
    wish: Wish,
    serial: str | None = None,
    move: bool = False,
    delimiter: str = "",
    conditions_on_source: bool = True,
) -> Written:
    """Make ``target`` a copy of ``source``, or of its version ``serial``, or move it there.

    ``wish`` goes on top of what the source has; ``delimiter`` takes along all objects below the source.
    Conditions are those of the source or of the target. Raises Forbidden, NotFound, PreconditionFailed,
    OverLimit.
    """
    _require(credentials, source, target, wish, move=move)
    with atomic():
        places = lock_containers((source.account, source.container), (target.account, target.container))
        origin = places[source.account, source.container]
        goal = places[target.account, target.container]
        _require(credentials, source, target, wish, move=move)  # again, now that nobody changes it
        version = _source(source, serial)
        _check_conditions(wish, version, target, on_source=conditions_on_source)
        jobs = [_Job(version, target, wish)]
        if delimiter:
            jobs += _jobs_below(credentials, origin, source, target, delimiter)
        return _run(credentials, origin, goal, jobs, move=move)


def _require(credentials: Credentials, source: Address, target: Address, wish: Wish, *, move: bool) -> None:
    if move:
        permissions.require_owner(credentials, source.account)
    else:
        permissions.require_read(credentials, source)
    # Clients tell a missing target container from a forbidden one (contract 8.4).
    if find_container(target.account, target.container) is None:
        raise NotFound("The target container does not exist.")
    permissions.require_write(credentials, target)
    if wish.sharing is not None and not permissions.is_owner(credentials, target.account):
        raise Forbidden("Only the account's owner may share an object.")


def _source(source: Address, serial: str | None) -> Version:
    version = find_current(source) if serial is None else find_version(source, parse_serial(serial))
    if version is None:
        raise NotFound("The source object does not exist.")
    return version


def _check_conditions(wish: Wish, version: Version, target: Address, *, on_source: bool) -> None:
    if on_source:
        wish.conditions.check_write(etag_of(version))
    else:
        existing = find_current(target)
        wish.conditions.check_write(etag_of(existing) if existing else None)


def _jobs_below(
    credentials: Credentials, origin: Node, source: Address, target: Address, delimiter: str
) -> list[_Job]:
    prefix = source.name if source.name.endswith(delimiter) else source.name + delimiter
    beginning = target.name if prefix == source.name else target.name + delimiter
    below = deletes.current_in(origin).filter(deletes.below_condition(prefix))
    jobs = []
    for version in below.exclude(node__name=source.name):
        name = check_object(beginning + version.node.name[len(prefix) :])
        jobs.append(_Job(version, replace(target, name=name), Wish()))
    names = [job.source.node.name for job in jobs]
    permissions.require_all(credentials, source.account, source.container, names, write=False)
    names = [job.target.name for job in jobs]
    permissions.require_all(credentials, target.account, target.container, names, write=True)
    return jobs


def _run(credentials: Credentials, origin: Node, goal: Node, jobs: list[_Job], *, move: bool) -> Written:
    """Do all jobs as one change with one charge; the first is what the request names."""
    if not move:
        for job in jobs:
            require_available(job.source)
    made = versions.add_all(goal, _writes(goal, jobs, move=move), muser=_muser(credentials, goal))
    main = made.versions[0]
    if jobs[0].wish.sharing is not None:
        set_sharing(main.node, jobs[0].wish.sharing)
    public_links.set_public(main.node, jobs[0].wish.public)
    if origin.parent_id != goal.parent_id:
        assert goal.parent is not None
        possession.remember(goal.parent, _digests(jobs))
    statistics.apply(goal, made.delta, max(version.mtime for version in made.versions))
    gone = _delete_sources(credentials, origin, goal, jobs) if move else versions.Effect(Delta(), 0)
    grew = made.delta.current_bytes + (gone.delta.current_bytes if origin.pk == goal.pk else 0)
    quota.check_container(goal, grew=grew)
    quota.charge_moved(
        credentials,
        taken=_purse(goal),
        quantity=made.charge,
        given=_purse(origin),
        freed=-gone.charge,
        name=jobs[0].target.path,
    )
    return written_of(main, made.charge)


def _delete_sources(credentials: Credentials, origin: Node, goal: Node, jobs: list[_Job]) -> versions.Effect:
    """Delete what was moved away, unless something was moved into its place."""
    targets = {job.target.name for job in jobs} if origin.pk == goal.pk else set()
    chosen = [job.source for job in jobs if job.source.node.name not in targets]
    gone = deletes.delete_chosen(credentials, origin, chosen)
    statistics.apply(origin, gone.delta, later_than(None))
    return gone


def _writes(goal: Node, jobs: list[_Job], *, move: bool) -> list[versions.Write]:
    """Return what is to be made of the jobs' sources. Two queries for each batch of jobs."""
    writes = []
    for batch in batches(jobs):
        latest = latest_of(goal, [job.target.name for job in batch])
        items = metadata.of_versions(job.source.pk for job in batch)
        for job in batch:
            source, previous = job.source, latest.get(job.target.name)
            is_itself = (
                previous is not None
                and previous.cluster == Cluster.CURRENT
                and previous.node_id == source.node_id
            )
            state = replace(
                versions.state_of(source),
                uuid=source.uuid if move or is_itself else "",
                type=job.wish.content_type or source.type,
            )
            domains = items.get(source.pk, {})
            domains[USER_DOMAIN] = metadata.merged(domains.get(USER_DOMAIN, {}), job.wish.metadata)
            writes.append(versions.Write(job.target.name, previous, state, domains))
    return writes


def _digests(jobs: list[_Job]) -> set[bytes]:
    """Return the blocks of the sources, which an account that did not have them before then has."""
    ready = (job.source for job in jobs if job.source.available == Availability.READY)
    return {digest for source in ready for digest in digests_of(source)}


def _purse(container: Node) -> quota.Purse:
    assert container.parent is not None
    return container.parent.name, container.policy.project


def _muser(credentials: Credentials, container: Node) -> str:
    assert container.parent is not None
    return credentials.user_id or container.parent.name
