"""A RADOS cluster for block store tests: one for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from pithos.blocks.rados import RadosStore
from synnefo.rados_client import Cluster
from tests.conftest import started
from tests.lab.ceph import Ceph

_numbers = count(1)


@pytest.fixture(scope="session")
def ceph() -> Iterator[Ceph]:
    """A running cluster."""
    cluster = started(Ceph)
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def rados_cluster(ceph: Ceph) -> Iterator[Cluster]:
    """A connection to it."""
    cluster = Cluster(ceph.conf, client="client.admin", connect_seconds=10, operation_seconds=10, create=True)
    for pool in ("blocks", "maps"):
        empty(cluster, pool)
    yield cluster
    cluster.close()


@pytest.fixture
def rados_store(rados_cluster: Cluster) -> Iterator[RadosStore]:
    """A store of blocks of 4096 bytes, emptied afterwards."""
    store = RadosStore(
        rados_cluster, blocks="blocks", maps="maps", block_size=4096, algorithm="sha256", verify="always"
    )
    yield store
    empty(rados_cluster, "blocks")
    empty(rados_cluster, "maps")


@pytest.fixture
def rados_settings(settings, ceph: Ceph, rados_cluster: Cluster) -> Iterator[Cluster]:
    """Object storage over RADOS."""
    settings.PITHOS_BACKEND_STORAGE = "rados"
    settings.PITHOS_RADOS_CEPH_CONF = ceph.conf
    settings.PITHOS_RADOS_CONNECT_TIMEOUT = 5
    settings.PITHOS_RADOS_OPERATION_TIMEOUT = 2
    settings.PITHOS_BACKEND_BLOCK_SIZE = 8
    yield rados_cluster
    empty(rados_cluster, "blocks")
    empty(rados_cluster, "maps")


def names(cluster: Cluster, pool: str) -> list[str]:
    """What a pool holds."""
    return sorted(cluster.run(pool, lambda context: [item.key for item in context.list_objects()]))


def overwrite(cluster: Cluster, pool: str, name: str, content: bytes) -> None:
    """Damage an object."""
    cluster.run(pool, lambda context: context.write_full(name, content))


def remove(cluster: Cluster, pool: str, name: str) -> None:
    """Lose an object."""
    cluster.run(pool, lambda context: context.remove_object(name))


def empty(cluster: Cluster, pool: str) -> None:
    """Remove everything."""
    for name in names(cluster, pool):
        remove(cluster, pool, name)
