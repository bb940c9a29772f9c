"""Comparing pools with what is in use (network contract 8)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from cyclades.logic import value_pools
from cyclades.logic.address_pools import AddressPool
from cyclades.logic.network_flavors import MAC_FILTERED, PHYSICAL_VLAN
from cyclades.logic.pools import BitPool, InvalidValue, Values
from cyclades.models import IPAddress, IPPool, Network
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one, lock_rows, retry_on_deadlock


class Problem(StrEnum):
    """What can be wrong with a value of a pool."""

    DUPLICATE = "in use more than once"
    UNUSED = "handed out but not in use"
    UNMARKED = "in use but not handed out"


@dataclass(frozen=True)
class Finding:
    """A value of a pool that is not as it should be; duplicates can't be mended."""

    pool: str
    value: str
    problem: Problem
    fixed: bool


def reconcile(credentials: Credentials, *, fix: bool) -> list[Finding]:
    """Compare every pool with what is in use and, with *fix*, write what was handed out anew.

    A pool that seems to differ is locked in a transaction of its own while it is compared. What
    administrators withhold is left alone.
    """
    findings = []
    for kind in value_pools.MODELS:
        findings += _reconcile_values(credentials, kind, fix)
    for network_id in _suspects():
        findings += _reconcile_network(credentials, network_id, fix)
    return findings


def _suspects() -> list[int]:
    """Return the networks whose pools differ from what is in use, as seen without a lock in two queries."""
    in_use: dict[int, list[str]] = defaultdict(list)
    addresses = IPAddress.objects.filter(deleted=False, ipversion=4, network__deleted=False)
    for network_id, address in addresses.order_by().values_list("network_id", "address"):
        in_use[network_id].append(address)
    rows = IPPool.objects.filter(subnet__deleted=False, subnet__network__deleted=False)
    found = set()
    for row in rows.select_related("subnet"):
        pool, network_id = AddressPool(row), row.subnet.network_id
        if _compare("", pool.bits, pool.values, in_use[network_id], fix=False):
            found.add(network_id)
    return sorted(found)


@retry_on_deadlock
def _reconcile_values(credentials: Credentials, kind: str, fix: bool) -> list[Finding]:
    with atomic():
        rows = lock_rows(value_pools.MODELS[kind]._default_manager.all())
        if not rows:
            return []
        pool = value_pools.open_pool(kind, rows[0])
        name = f"{kind}-pool:{pool.row.pk}"
        findings = _compare(name, pool.bits, pool.values, _values_in_use(kind), fix)
        if fix and findings:
            pool.save()
            audit.record(credentials, "pool.reconcile", name, findings=len(findings))
    return findings


def _values_in_use(kind: str) -> list[str]:
    networks = Network.objects.filter(deleted=False)
    if kind == value_pools.BRIDGE:
        found = networks.filter(flavor=PHYSICAL_VLAN.name).values_list("link", flat=True)
    else:
        found = networks.filter(flavor=MAC_FILTERED.name).values_list("mac_prefix", flat=True)
    return [value for value in found if value]


@retry_on_deadlock
def _reconcile_network(credentials: Credentials, network_id: int, fix: bool) -> list[Finding]:
    findings = []
    with atomic():
        lock_one(Network.objects.filter(pk=network_id))
        rows = lock_rows(
            IPPool.objects.filter(subnet__network_id=network_id, subnet__deleted=False).select_related(
                "subnet"
            )
        )
        in_use = list(
            IPAddress.objects.filter(network_id=network_id, deleted=False, ipversion=4).values_list(
                "address", flat=True
            )
        )
        for row in rows:
            pool = AddressPool(row)
            name = f"ip-pool:{row.pk} (network {network_id})"
            found = _compare(name, pool.bits, pool.values, in_use, fix)
            if fix and found:
                pool.save()
                audit.record(credentials, "pool.reconcile", f"ip-pool:{row.pk}", findings=len(found))
            findings += found
    return findings


def _compare(name: str, bits: BitPool, values: Values, in_use: Iterable[str], fix: bool) -> list[Finding]:
    """Return what differs, with *fix* after mending it in *bits*; values outside the pool are ignored."""
    counts = Counter(
        index for index in (_index(bits, values, value) for value in in_use) if index is not None
    )
    marked = bits.used_indexes()
    findings = [
        Finding(name, values.value(index), Problem.DUPLICATE, False)
        for index, count in sorted(counts.items())
        if count > 1
    ]
    for index in sorted(marked - set(counts)):
        findings.append(Finding(name, values.value(index), Problem.UNUSED, fix))
        if fix:
            bits.give_back(index)
    for index in sorted(set(counts) - marked):
        findings.append(Finding(name, values.value(index), Problem.UNMARKED, fix))
        if fix:
            bits.mark_used(index)
    return findings


def _index(bits: BitPool, values: Values, value: str) -> int | None:
    try:
        index = values.index(value)
        bits.is_available(index)
    except InvalidValue:
        return None
    return index
