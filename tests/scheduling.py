"""Which tests stay together when several processes share the work, and which begin first.

A unit of work is a module, so that what it sets up is set up once. Modules that share a cluster are
one unit. Long units come first, with short ones between them: a long one that begins last would be waited for
alone, and several that begin at the same moment would slow each other down.

The units are decided here, not by marks of pytest-xdist, which newer versions of pytest leave without effect.
"""

from __future__ import annotations

from collections.abc import Iterable

from xdist.scheduler import LoadScopeScheduling

#: Beginnings of test ids, the long ones first, and the unit they belong to.
UNITS = {
    "tests/e2e/test_chaos": "chaos",
    "tests/e2e/test_kamaki": "chaos",
    "tests/e2e/test_pages": "browser",
    "tests/e2e/test_second_factor": "browser",
    "tests/e2e/test_account_pages": "browser",
    "tests/e2e/test_view_browser": "browser",
    "tests/e2e/": "clouds",
    "tests/docs/test_worked_example": "demo",
    "tests/cyclades/test_openstack_clients_e2e": "demo",
    "tests/cyclades/test_image_functional": "demo",
    "tests/cyclades/test_volume_clients": "demo",
    "tests/astakos/test_openstack_clients": "demo",
    "tests/contract/": "contract",
    "tests/gtools/test_real_ganeti": "contract",
    "tests/lab/test_cluster": "contract",
    "tests/lab/": "lab",
    "tests/faults/": "sites",
    "tests/synnefo/test_amqp_faults": "broker",
    "tests/synnefo/test_amqp_client": "broker",
    "tests/gtools/test_eventd_faults": "broker",
    "tests/cyclades/test_dispatcher_service": "broker",
    "tests/pithos/test_stores_contract": "ceph",
    "tests/pithos/test_rados_api": "ceph",
    "tests/pithos/test_migration_commands": "ceph",
}
#: Units that take minutes, the longest first.
LONG = (
    "contract",
    "clouds",
    "demo",
    "chaos",
    "broker",
    "browser",
    "sites",
    "tests/gtools/test_osprovider_deploy.py",
    "tests/security/test_route_table.py",
    "tests/cyclades/test_dispatcher_fault.py",
    "tests/pithos/test_swift_clients.py",
    "tests/benchmarks/test_benchmarks_smoke.py",
    "tests/pithos/test_kamaki_clients.py",
    "tests/cyclades/test_dispatcher_consumer.py",
    "ceph",
    "lab",
)
#: How many short units follow each long one.
BETWEEN = 5


def unit_of(nodeid: str) -> str:
    """Return the unit of work that a test belongs to."""
    for beginning, unit in UNITS.items():
        if nodeid.startswith(beginning):
            return unit
    return nodeid.split("::", 1)[0]


def order(units: Iterable[str]) -> dict[str, int]:
    """Return the place of each unit: two long ones, then short ones with a long one here and there."""
    given = list(dict.fromkeys(units))
    long = [unit for unit in LONG if unit in given]
    short = [unit for unit in given if unit not in LONG]
    places = long[:2]
    for unit in long[2:]:
        places += short[:BETWEEN]
        places.append(unit)
        del short[:BETWEEN]
    return {unit: place for place, unit in enumerate(places + short)}


class ByUnit(LoadScopeScheduling):
    """Gives each process one unit after another, in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
