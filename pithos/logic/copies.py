"""Copying and moving objects without touching their data (object-storage contract 8.3, 8.4)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pithos.logic import deletes, metadata, permissions, quota, statistics, versions
from pithos.logic.metadata import USER_DOMAIN, Domains
from pithos.logic.nodes import (
    Address,
    find_container,
    find_current,
    find_version,
    later_than,
    latest_in,
    lock_containers,
)
from pithos.logic.objects import digests_of, etag_of, parse_serial, require_available
from pithos.logic.statistics import Delta
from pithos.logic.uploads import Wish, Written, finish_write
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
    with atomic():
        places = lock_containers((source.account, source.container), (target.account, target.container))
        origin = places[source.account, source.container]
        goal = places[target.account, target.container]
        version = _source(source, serial)
        _check_conditions(wish, version, target, on_source=conditions_on_source)
        jobs = [_Job(version, target, wish)]
        if delimiter:
            jobs += _jobs_below(credentials, origin, source, target, delimiter)
        return _run(credentials, origin, goal, jobs, move=move)


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
    jobs = []
    for version in deletes.current_in(origin).filter(deletes.below_condition(prefix)):
        if version.node.name == source.name:
            continue
        name = check_object(beginning + version.node.name[len(prefix) :])
        if not permissions.is_owner(credentials, source.account):
            permissions.require_read(credentials, replace(source, name=version.node.name))
        place = replace(target, name=name)
        permissions.require_write(credentials, place)
        jobs.append(_Job(version, place, Wish()))
    return jobs


def _run(credentials: Credentials, origin: Node, goal: Node, jobs: list[_Job], *, move: bool) -> Written:
    """Do all jobs; a move inside one project of one account is charged as one change."""
    combined = move and _purse(origin) == _purse(goal)
    foreign = origin.parent_id != goal.parent_id
    results = [
        _copy(credentials, goal, job, move=move, charged=not combined, foreign=foreign) for job in jobs
    ]
    if move:
        freed = _delete_sources(credentials, origin, goal, jobs)
        if combined:
            freed += sum(written.charge for written in results)
        _charge(credentials, origin, freed)
    return results[0]


def _delete_sources(credentials: Credentials, origin: Node, goal: Node, jobs: list[_Job]) -> int:
    """Delete what was moved away, unless something was moved into its place; return the charge."""
    targets = {(goal.pk, job.target.name) for job in jobs}
    charge, delta = 0, Delta()
    for job in jobs:
        if (origin.pk, job.source.node.name) not in targets:
            change, freed = deletes.delete_one(credentials, origin, job.source)
            delta, charge = delta + change, charge + freed
    statistics.apply(origin, delta, later_than(None))
    return charge


def _copy(
    credentials: Credentials, goal: Node, job: _Job, *, move: bool, charged: bool, foreign: bool
) -> Written:
    """Make one target's next version; ``foreign``: it comes from another account."""
    source, target, wish = job.source, job.target, job.wish
    if not move:
        require_available(source)
    previous = latest_in(goal, target.name)
    current = previous if previous is not None and previous.cluster == Cluster.CURRENT else None
    domains: Domains = metadata.of_version(source)
    domains[USER_DOMAIN] = metadata.merged(domains.get(USER_DOMAIN, {}), wish.metadata)
    state = replace(
        versions.state_of(source),
        uuid=source.uuid if move else (current.uuid if current and current.node_id == source.node_id else ""),
        type=wish.content_type or source.type,
    )
    blocks = digests_of(source) if foreign and source.available == Availability.READY else []
    return finish_write(
        credentials,
        container=goal,
        address=target,
        previous=previous,
        state=state,
        domains=domains,
        wish=wish,
        blocks=blocks,
        charged=charged,
    )


def _purse(container: Node) -> tuple[int | None, str]:
    return container.parent_id, container.policy.project


def _charge(credentials: Credentials, container: Node, quantity: int) -> None:
    assert container.parent is not None
    quota.charge(
        credentials,
        holder=container.parent.name,
        project=container.policy.project,
        quantity=quantity,
        name=f"{container.parent.name}/{container.name}",
    )
