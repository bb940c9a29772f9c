"""The pools of bridges and MAC prefixes: one row each, locked for every change (network contract 8)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from cyclades.logic.pools import (
    MAX_POOL_SIZE,
    BitPool,
    BridgeValues,
    InvalidValue,
    MacPrefixValues,
    PoolError,
    PoolExhausted,
    Values,
    is_mac_prefix,
    reserve_unusable_prefixes,
)
from cyclades.models import BridgePool, MacPrefixPool
from cyclades.models.pool import Pool
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_rows, retry_on_deadlock
from synnefo.errors import BadRequest, Conflict, NotFound, ServiceUnavailable

log = logging.getLogger(__name__)

BRIDGE, MAC_PREFIX = "bridge", "mac-prefix"
MODELS: dict[str, type[Pool]] = {BRIDGE: BridgePool, MAC_PREFIX: MacPrefixPool}
DEFAULT_MAC_BASE = "aa:00:0"


@dataclass(frozen=True)
class ValuePool:
    """A pool row with its maps decoded."""

    kind: str
    row: Pool
    bits: BitPool
    values: Values

    def save(self) -> None:
        """Write the maps and what describes them."""
        self.row.available_map = self.bits.available_map
        self.row.reserved_map = self.bits.reserved_map
        self.row.size = self.bits.size
        self.row.save()

    def index(self, value: str) -> int:
        """Return the place of *value*; raises ``BadRequest``."""
        try:
            index = self.values.index(value)
            self.bits.is_free(index)
        except InvalidValue as error:
            raise BadRequest(f"'{value}' is not a value of this {self.kind} pool") from error
        return index


def open_pool(kind: str, row: Pool) -> ValuePool:
    """Decode a pool row; an unused MAC prefix pool gets its unusable prefixes withheld."""
    bits = BitPool(row.size, row.available_map, row.reserved_map)
    values = _values(kind, row.base or "")
    if isinstance(values, MacPrefixValues) and not row.available_map:
        reserve_unusable_prefixes(bits, values)
    return ValuePool(kind, row, bits, values)


def _values(kind: str, base: str) -> BridgeValues | MacPrefixValues:
    return BridgeValues(base) if kind == BRIDGE else MacPrefixValues(base or DEFAULT_MAC_BASE)


def take_mac_prefix() -> str:
    """Hand out the lowest free MAC prefix in the caller's transaction; raises ``ServiceUnavailable``."""
    return _take(MAC_PREFIX)


def take_bridge() -> str:
    """Hand out the lowest free bridge in the caller's transaction; raises ``ServiceUnavailable``."""
    return _take(BRIDGE)


def give_back_mac_prefix(value: str) -> None:
    """Take a MAC prefix back, in the caller's transaction."""
    _give_back(MAC_PREFIX, value)


def give_back_bridge(value: str) -> None:
    """Take a bridge back, in the caller's transaction."""
    _give_back(BRIDGE, value)


def _locked(kind: str) -> ValuePool | None:
    rows = lock_rows(MODELS[kind]._default_manager.all())
    return open_pool(kind, rows[0]) if rows else None


def _take(kind: str) -> str:
    pool = _locked(kind)
    if pool is None:
        raise ServiceUnavailable(f"There is no {kind} pool; an administrator creates it with pool-create.")
    try:
        value = pool.values.value(pool.bits.take_first())
    except PoolExhausted as error:
        raise ServiceUnavailable(f"All values of the {kind} pool are in use.") from error
    pool.save()
    return value


def _give_back(kind: str, value: str) -> None:
    pool = _locked(kind)
    try:
        if pool is not None:
            pool.bits.give_back(pool.values.index(value))
            pool.save()
    except PoolError:
        # The pool was changed since: the value is nobody's concern any more.
        log.warning("%s %s does not belong to the pool", kind, value)


@retry_on_deadlock
def create(credentials: Credentials, *, kind: str, size: int, base: str | None, offset: int | None) -> Pool:
    """Create the pool of *kind*; raises ``Conflict`` when there is one, ``BadRequest`` for bad values."""
    base = _checked_base(kind, base, size)
    with atomic():
        if lock_rows(MODELS[kind]._default_manager.all()):
            raise Conflict(f"A {kind} pool already exists; there can be one only.")
        row = MODELS[kind](size=size, base=base, offset=offset)
        open_pool(kind, row).save()
        audit.record(credentials, "pool.create", f"{kind}-pool:{row.pk}", size=size, base=base)
    return row


def _checked_base(kind: str, base: str | None, size: int) -> str:
    if not 0 < size <= MAX_POOL_SIZE:
        raise BadRequest(f"The size of a pool is 1 to {MAX_POOL_SIZE}, not {size}")
    if kind == BRIDGE:
        if not base or len(base) > 24:
            raise BadRequest("A bridge pool needs a base of 1 to 24 characters, such as prv")
        return base
    base = base or DEFAULT_MAC_BASE
    if not is_mac_prefix(base):
        raise BadRequest(f"'{base}' is not a MAC prefix such as {DEFAULT_MAC_BASE}")
    try:
        MacPrefixValues(base).value(size - 1)
    except InvalidValue as error:
        raise BadRequest(f"There are less than {size} MAC prefixes from {base}") from error
    return base


def get(kind: str, pool_id: int) -> ValuePool:
    """Return the pool *pool_id* of *kind*; raises ``NotFound``."""
    row = MODELS[kind]._default_manager.filter(pk=pool_id).first()
    if row is None:
        raise NotFound(f"{kind} pool with ID {pool_id} does not exist. Use pool-list to find out pool IDs.")
    return open_pool(kind, row)


def list_pools(kind: str) -> list[ValuePool]:
    """Return every pool of *kind*."""
    return [open_pool(kind, row) for row in MODELS[kind]._default_manager.order_by("pk")]


@retry_on_deadlock
def modify(
    credentials: Credentials,
    *,
    kind: str,
    pool_id: int,
    size: int | None = None,
    base: str | None = None,
    offset: int | None = None,
    add_reserved: Sequence[str] = (),
    remove_reserved: Sequence[str] = (),
) -> None:
    """Resize, rename or withhold values of a pool.

    Raises ``NotFound``, ``BadRequest`` for values outside the pool and ``Conflict`` when a size would
    drop a value in use, or a base rename one.
    """
    with atomic():
        pool = _locked_one(kind, pool_id)
        if size is not None:
            _checked_base(kind, base or pool.row.base, size)
            _resize(pool, size)
        if base is not None and base != pool.row.base:
            pool = _renamed(pool, base)
        if offset is not None:
            pool.row.offset = offset
        for value in add_reserved:
            pool.bits.reserve(pool.index(value))
        for value in remove_reserved:
            pool.bits.unreserve(pool.index(value))
        pool.save()
        audit.record(credentials, "pool.modify", f"{kind}-pool:{pool_id}", size=size, base=base)


def _resize(pool: ValuePool, size: int) -> None:
    before = pool.bits.size
    try:
        pool.bits.resize(size)
    except PoolError as error:
        raise Conflict(f"The pool can't have {size} values: {error}") from error
    if isinstance(pool.values, MacPrefixValues):
        reserve_unusable_prefixes(pool.bits, pool.values, before)


def _renamed(pool: ValuePool, base: str) -> ValuePool:
    """Return the unused *pool* with other values, of which none is withheld but what is unusable."""
    if pool.bits.used_indexes():
        raise Conflict(f"The {pool.kind} pool has values in use, which can't be renamed.")
    pool.row.base = _checked_base(pool.kind, base, pool.bits.size)
    pool.row.size, pool.row.available_map, pool.row.reserved_map = pool.bits.size, "", ""
    return open_pool(pool.kind, pool.row)


@retry_on_deadlock
def remove(credentials: Credentials, *, kind: str, pool_id: int) -> None:
    """Remove a pool of which nothing is in use; raises ``NotFound`` and ``Conflict``."""
    with atomic():
        pool = _locked_one(kind, pool_id)
        if "X" in pool.bits.available_text():
            raise Conflict(f"The {kind} pool is in use and can't be removed.")
        pool.row.delete()
        audit.record(credentials, "pool.remove", f"{kind}-pool:{pool_id}")


def _locked_one(kind: str, pool_id: int) -> ValuePool:
    rows = lock_rows(MODELS[kind]._default_manager.filter(pk=pool_id))
    if not rows:
        raise NotFound(f"{kind} pool with ID {pool_id} does not exist. Use pool-list to find out pool IDs.")
    return open_pool(kind, rows[0])
