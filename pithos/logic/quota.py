"""Charging projects for bytes, and the quota of a container (object-storage contract 17)."""

from __future__ import annotations

from collections.abc import Sequence

from astakos import public as astakos
from pithos.models import Node
from synnefo.credentials import Credentials
from synnefo.db import prepared
from synnefo.errors import OverLimit, RequestTooLarge

CLIENT_KEY = "pithos"
RESOURCE = "pithos.diskspace"


#: Whom bytes are charged to: the account's owner and the container's project.
Purse = tuple[str, str]


class ProjectOverLimit(OverLimit):
    """A project's or member's disk space is exhausted; clients know this answer as ``fault``."""

    name = "fault"


def charge(
    credentials: Credentials,
    *,
    holder: str,
    project: str,
    quantity: int,
    name: str,
    first: Sequence[prepared.Statement] = (),
) -> None:
    """Charge (or with a negative quantity free) bytes of a project in the caller's transaction.

    ``holder`` is the account's owner, ``name`` the path, for the commission; the statements ``first`` are
    executed before, in the same round trip. Raises ProjectOverLimit and
    NotFound for an unknown project. Nothing is issued for no bytes.
    """
    if quantity:
        commit(credentials, astakos.charge(holder, project, {RESOURCE: quantity}), name=name, first=first)
    elif first:
        prepared.execute_all(*first)


def charge_moved(
    credentials: Credentials, *, taken: Purse, quantity: int, given: Purse, freed: int, name: str
) -> None:
    """Charge one purse and free bytes of another, all or nothing; equal purses are charged the sum.

    One commission for both, so that two opposite moves take the holdings in one order. Raises like
    ``charge``.
    """
    if taken == given:
        quantity, freed = quantity - freed, 0
    provisions = astakos.charge(*taken, {RESOURCE: quantity}) if quantity else []
    if freed:
        provisions += astakos.charge(*given, {RESOURCE: -freed})
    if provisions:
        commit(credentials, provisions, name=name)


def reassign(
    credentials: Credentials, *, holder: str, source: str, target: str, size: int, name: str
) -> None:
    """Move the charge of ``size`` bytes from one project to another, all or nothing.

    It is issued even for no bytes, because that is what refuses an unknown project (object-storage
    contract 17.3).
    """
    provisions = [
        *astakos.charge(holder, source, {RESOURCE: -size}),
        *astakos.charge(holder, target, {RESOURCE: size}),
    ]
    commit(credentials, provisions, name=name)


def commit(
    credentials: Credentials,
    provisions: list[astakos.Provision],
    *,
    name: str,
    first: Sequence[prepared.Statement] = (),
) -> None:
    """Issue and accept one commission in the caller's transaction, after the statements ``first``."""
    try:
        astakos.issue_commission(
            clientkey=CLIENT_KEY,
            name=name[:255],
            provisions=provisions,
            force=credentials.force_quota,
            auto_accept=True,
            first=first,
        )
    except OverLimit as error:
        raise ProjectOverLimit("Resource limit exceeded for your account.", details=error.message) from error


def has_limit(container: Node) -> bool:
    """Tell whether the container has a quota of its own."""
    return bool(container.policy.quota > 0)


def check_container(container: Node, *, grew: int, used: int) -> None:
    """Raise RequestTooLarge if a container that just grew by ``grew`` bytes to ``used`` is over its quota."""
    quota = container.policy.quota
    if quota > 0 and grew > 0 and used > quota:
        raise RequestTooLarge(
            f"The container would hold {used} bytes; its quota policy, which you can raise, is {quota}."
        )
