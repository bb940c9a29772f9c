"""The ledger of PostgreSQL: a commission is issued, or resolved, in one statement.

Several commissions a second want the same holding (a project's), so the time between lock and commit is
what limits the service; one round trip keeps it short. In READ COMMITTED a locking sub-select returns the
newest committed version of a row, so ``verdict`` judges current usage, and the UPDATE applies its deltas to
that same version.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from astakos.logic.ledger import CommissionRequest, HoldingState, Issued, Key, Resolved
from synnefo import clock
from synnefo.db import prepared
from synnefo.units import INF

_LOCKED = """
WITH wanted AS (
    SELECT * FROM unnest(%(holders)s::text[], %(sources)s::text[], %(resources)s::text[],
                         %(quantities)s::bigint[])
        WITH ORDINALITY AS w (holder, source, resource, quantity, position)
), locked AS (
    SELECT w.position, w.quantity, h.id, h.holder, h.source, h.resource, h."limit", h.usage_min, h.usage_max
      FROM wanted w
      JOIN astakos_holding h
        ON h.holder = w.holder AND h.resource = w.resource AND h.source IS NOT DISTINCT FROM w.source
     ORDER BY h.id
       FOR UPDATE OF h
), verdict AS (
    SELECT count(*) = %(count)s AND coalesce(bool_and(
               CASE WHEN quantity >= 0
                    THEN usage_max <= (
                        CASE WHEN %(force)s::boolean THEN %(infinite)s::bigint ELSE "limit" END) - quantity
                    ELSE usage_min >= -quantity END), true) AS ok
      FROM locked
)"""

_FOUND = """
SELECT l.position, l."limit", l.usage_min, l.usage_max, (SELECT serial FROM commission)
  FROM locked l
UNION ALL
SELECT 0, 0, 0, 0, serial FROM commission
"""

_ISSUE = f"""{_LOCKED}, commission AS (
    INSERT INTO astakos_commission (name, clientkey, issue_datetime)
    SELECT %(name)s::text, %(clientkey)s::text, %(issue_time)s::timestamptz FROM verdict WHERE ok
    RETURNING serial
), changed AS (
    UPDATE astakos_holding h
       SET usage_min = h.usage_min + least(l.quantity, 0), usage_max = h.usage_max + greatest(l.quantity, 0)
      FROM locked l, verdict v
     WHERE h.id = l.id AND v.ok
), provisions AS (
    INSERT INTO astakos_provision (commission_id, holding_id, quantity)
    SELECT c.serial, l.id, l.quantity FROM commission c, locked l ORDER BY l.position
){_FOUND}"""  # noqa: S608  (put together of constants of this module)

_ISSUE_AND_ACCEPT = f"""{_LOCKED}, commission AS (
    SELECT nextval(pg_get_serial_sequence('astakos_commission', 'serial')) AS serial FROM verdict WHERE ok
), changed AS (
    UPDATE astakos_holding h
       SET usage_min = h.usage_min + l.quantity, usage_max = h.usage_max + l.quantity
      FROM locked l, verdict v
     WHERE h.id = l.id AND v.ok
), logged AS (
    INSERT INTO astakos_provision_log (serial, name, issue_time, log_time, holder, source, resource, "limit",
                                       usage_min, usage_max, delta_quantity, reason)
    SELECT c.serial, %(name)s::text, %(issue_time)s::timestamptz, %(now)s::timestamptz, l.holder, l.source,
           l.resource, l."limit", l.usage_min + l.quantity, l.usage_max + l.quantity, l.quantity,
           left('ACCEPT:' || %(name)s::text, 255)
      FROM commission c, locked l ORDER BY l.position
){_FOUND}"""  # noqa: S608  (put together of constants of this module)

_RESOLVE = """
WITH mine AS (
    SELECT serial, name, issue_datetime, serial = ANY (%(accept)s::bigint[]) AS accepted
      FROM astakos_commission
     WHERE clientkey = %(clientkey)s AND serial = ANY (%(wanted)s::bigint[])
     ORDER BY serial
       FOR UPDATE
), parts AS (
    SELECT p.id, p.holding_id, p.quantity, m.serial, m.name, m.issue_datetime, m.accepted,
           CASE WHEN (p.quantity >= 0) = m.accepted THEN abs(p.quantity) ELSE 0 END AS low,
           CASE WHEN (p.quantity >= 0) = m.accepted THEN 0 ELSE -abs(p.quantity) END AS high
      FROM mine m
      JOIN astakos_provision p ON p.commission_id = m.serial
), deltas AS (
    SELECT holding_id, sum(low)::bigint AS low, sum(high)::bigint AS high FROM parts GROUP BY holding_id
), locked AS (
    SELECT h.id, d.low, d.high
      FROM deltas d
      JOIN astakos_holding h ON h.id = d.holding_id
     ORDER BY h.id
       FOR UPDATE OF h
), changed AS (
    UPDATE astakos_holding h
       SET usage_min = h.usage_min + l.low, usage_max = h.usage_max + l.high
      FROM locked l
     WHERE h.id = l.id
    RETURNING h.id, h.holder, h.source, h.resource, h."limit", h.usage_min, h.usage_max
), logged AS (
    INSERT INTO astakos_provision_log (serial, name, issue_time, log_time, holder, source, resource, "limit",
                                       usage_min, usage_max, delta_quantity, reason)
    SELECT p.serial, p.name, p.issue_datetime, %(now)s::timestamptz, c.holder, c.source, c.resource,
           c."limit", c.usage_min, c.usage_max, p.quantity,
           left(CASE WHEN p.accepted THEN 'ACCEPT:' ELSE 'REJECT:' END || p.name, 255)
      FROM parts p
      JOIN changed c ON c.id = p.holding_id
     ORDER BY p.id
), emptied AS (
    DELETE FROM astakos_provision p USING mine m WHERE p.commission_id = m.serial
), removed AS (
    DELETE FROM astakos_commission c USING mine m WHERE c.serial = m.serial
)
SELECT serial, accepted FROM mine ORDER BY serial
"""


def issue(request: CommissionRequest, first: Sequence[prepared.Statement] = ()) -> Issued:
    """Issue *request* if every holding admits it; runs in the caller's transaction, after *first*."""
    provisions = request.provisions
    parameters: dict[str, Any] = {
        "holders": [provision.holder for provision in provisions],
        "sources": [provision.source for provision in provisions],
        "resources": [provision.resource for provision in provisions],
        "quantities": [provision.quantity for provision in provisions],
        "count": len(provisions),
        "force": request.force,
        "infinite": INF,
        "name": request.name,
        "clientkey": request.clientkey,
        "issue_time": request.issue_time,
        "now": request.issue_time,
    }
    statement = _ISSUE_AND_ACCEPT if request.auto_accept else _ISSUE
    rows = prepared.execute_all(*first, (statement, parameters))
    holdings: dict[Key, HoldingState] = {}
    serial: int | None = None
    for position, limit, usage_min, usage_max, found_serial in rows:
        serial = found_serial
        if position:
            holdings[provisions[position - 1].key] = HoldingState(limit, usage_min, usage_max)
    return Issued(serial, holdings)


def resolve(*, clientkey: str, accept: Collection[int], reject: Collection[int]) -> Resolved:
    """Accept and reject those of the disjoint serials that are pending; runs in the caller's transaction."""
    parameters: dict[str, Any] = {
        "clientkey": clientkey,
        "accept": list(accept),
        "wanted": [*accept, *reject],
        "now": clock.now(),
    }
    rows = prepared.fetch_all(_RESOLVE, parameters)
    return Resolved(
        accepted=tuple(serial for serial, accepted in rows if accepted),
        rejected=tuple(serial for serial, accepted in rows if not accepted),
    )
