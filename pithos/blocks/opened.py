"""The block store that the settings describe, opened once per process."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings

from pithos.blocks import BlockStore
from pithos.blocks.directory import DirectoryStore


def block_store() -> BlockStore:
    """Return the configured store."""
    return _open(
        settings.PITHOS_BACKEND_BLOCK_PATH,
        block_size=settings.PITHOS_BACKEND_BLOCK_SIZE,
        algorithm=settings.PITHOS_BACKEND_HASH_ALGORITHM,
        umask=settings.PITHOS_BACKEND_BLOCK_UMASK,
        fsync=settings.PITHOS_BACKEND_BLOCK_FSYNC,
        verify=settings.PITHOS_BACKEND_BLOCK_VERIFY,
    )


@lru_cache(maxsize=8)
def _open(root: str, *, block_size: int, algorithm: str, umask: int, fsync: bool, verify: str) -> BlockStore:
    return DirectoryStore(
        root, block_size=block_size, algorithm=algorithm, umask=umask, fsync=fsync, verify=verify
    )
