"""All suites, in the order in which they run."""

from __future__ import annotations

from cyclades.burnin.suite import Suite
from cyclades.burnin.suites.containers import ContainersTestSuite
from cyclades.burnin.suites.flavors import FlavorsTestSuite
from cyclades.burnin.suites.identity import AstakosTestSuite
from cyclades.burnin.suites.images import ImagesTestSuite
from cyclades.burnin.suites.keypairs import KeypairsTestSuite
from cyclades.burnin.suites.networks import NetworkTestSuite
from cyclades.burnin.suites.object_copies import ObjectCopiesTestSuite
from cyclades.burnin.suites.objects import ObjectsTestSuite
from cyclades.burnin.suites.pithos_account import AccountTestSuite
from cyclades.burnin.suites.projects import QuotasTestSuite
from cyclades.burnin.suites.servers import ServerTestSuite
from cyclades.burnin.suites.snapshots import SnapshotsTestSuite
from cyclades.burnin.suites.stale import (
    StaleFloatingIPsTestSuite,
    StaleKeypairsTestSuite,
    StaleNetworksTestSuite,
    StaleServersTestSuite,
    StaleVolumesTestSuite,
)
from cyclades.burnin.suites.uploads import UploadsTestSuite
from cyclades.burnin.suites.volumes import VolumeTestSuite

SUITES: tuple[type[Suite], ...] = (
    AstakosTestSuite,
    FlavorsTestSuite,
    ImagesTestSuite,
    AccountTestSuite,
    ContainersTestSuite,
    ObjectsTestSuite,
    ObjectCopiesTestSuite,
    UploadsTestSuite,
    KeypairsTestSuite,
    ServerTestSuite,
    NetworkTestSuite,
    VolumeTestSuite,
    SnapshotsTestSuite,
    QuotasTestSuite,
)
#: What earlier runs left; servers go first because they hold the rest.
STALE: tuple[type[Suite], ...] = (
    StaleServersTestSuite,
    StaleFloatingIPsTestSuite,
    StaleNetworksTestSuite,
    StaleVolumesTestSuite,
    StaleKeypairsTestSuite,
)


def describe() -> str:
    """What each suite verifies, for ``--list-tests``."""
    lines = []
    for suite in (*STALE, *SUITES):
        part = f" (part of {suite.group})" if suite.group else ""
        lines.append(f"{suite.name}{part}: {(suite.__doc__ or '').strip().splitlines()[0]}")
        lines += [f"    {getattr(suite, name).step_text}" for name in suite.steps()]
    return "\n".join(lines)
