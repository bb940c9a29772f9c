"""The block store that the settings describe, opened once per process."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings

from pithos.blocks import BlockStore
from pithos.blocks.directory import DirectoryStore
from pithos.blocks.rados import RadosStore
from synnefo.rados_client import Cluster


def block_store() -> BlockStore:
    """Return the configured store."""
    return store_of_kind(settings.PITHOS_BACKEND_STORAGE)


def store_of_kind(kind: str) -> BlockStore:
    """Return the store of a kind, ``nfs`` or ``rados``, configured or not: migration needs both."""
    if kind == "rados":
        return _rados(
            settings.PITHOS_RADOS_CEPH_CONF,
            client=settings.PITHOS_RADOS_CLIENT,
            connect_seconds=float(settings.PITHOS_RADOS_CONNECT_TIMEOUT),
            operation_seconds=float(settings.PITHOS_RADOS_OPERATION_TIMEOUT),
            blocks=settings.PITHOS_RADOS_POOL_BLOCKS,
            maps=settings.PITHOS_RADOS_POOL_MAPS,
            block_size=settings.PITHOS_BACKEND_BLOCK_SIZE,
            algorithm=settings.PITHOS_BACKEND_HASH_ALGORITHM,
            verify=settings.PITHOS_BACKEND_BLOCK_VERIFY,
        )
    return _directory(
        settings.PITHOS_BACKEND_BLOCK_PATH,
        block_size=settings.PITHOS_BACKEND_BLOCK_SIZE,
        algorithm=settings.PITHOS_BACKEND_HASH_ALGORITHM,
        umask=settings.PITHOS_BACKEND_BLOCK_UMASK,
        fsync=settings.PITHOS_BACKEND_BLOCK_FSYNC,
        verify=settings.PITHOS_BACKEND_BLOCK_VERIFY,
    )


@lru_cache(maxsize=8)
def _directory(
    root: str, *, block_size: int, algorithm: str, umask: int, fsync: str | bool, verify: str
) -> BlockStore:
    return DirectoryStore(
        root, block_size=block_size, algorithm=algorithm, umask=umask, fsync=fsync, verify=verify
    )


@lru_cache(maxsize=8)
def _rados(
    conf: str,
    *,
    client: str,
    connect_seconds: float,
    operation_seconds: float,
    blocks: str,
    maps: str,
    block_size: int,
    algorithm: str,
    verify: str,
) -> BlockStore:
    cluster = _cluster(conf, client, connect_seconds, operation_seconds)
    return RadosStore(
        cluster, blocks=blocks, maps=maps, block_size=block_size, algorithm=algorithm, verify=verify
    )


@lru_cache(maxsize=8)
def _cluster(conf: str, client: str, connect_seconds: float, operation_seconds: float) -> Cluster:
    return Cluster(
        conf,
        client=client,
        connect_seconds=connect_seconds,
        operation_seconds=operation_seconds,
        create=True,
    )
