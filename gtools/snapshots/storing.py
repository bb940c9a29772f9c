"""From a disk into the block store: only blocks that are not there yet are written, holes are not read."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

from gtools.osprovider.node_config import NodeConfig
from gtools.snapshots.errors import SnapshotError
from pithos.blocks import BlockStore, BlockStoreError
from pithos.blocks.directory import DirectoryStore
from pithos.blocks.rados import RadosStore
from synnefo.rados_client import Cluster

#: Told now and then which part of the disk is stored, from 0 to 1; may raise to end the copy.
Progress = Callable[[float], None]

_ALGORITHM = "sha256"
#: Blocks are for the object store's own users, too: its directory hands its group on.
_UMASK = 0o007
_IN_FLIGHT = 4
_CONNECT_SECONDS, _OPERATION_SECONDS = 30.0, 60.0


def open_store(config: NodeConfig) -> BlockStore:
    """Return the object store's blocks and maps, which the node's settings describe."""
    if config.pithos_storage == "rados":
        cluster = Cluster(
            config.pithos_rados_ceph_conf,
            client=config.pithos_rados_client,
            connect_seconds=_CONNECT_SECONDS,
            operation_seconds=_OPERATION_SECONDS,
            create=False,
        )
        return RadosStore(
            cluster,
            blocks=config.pithos_rados_pool_blocks,
            maps=config.pithos_rados_pool_maps,
            block_size=config.pithos_block_size,
            algorithm=_ALGORITHM,
            verify="never",
        )
    return DirectoryStore(
        config.pithos_block_path,
        block_size=config.pithos_block_size,
        algorithm=_ALGORITHM,
        umask=_UMASK,
        fsync="rename",
        verify="never",
    )


def store_disk(store: BlockStore, path: str, size: int, progress: Progress) -> str:
    """Store ``size`` bytes of a file or device and return the name of the map that lists the blocks.

    Raises `SnapshotError` if the disk is shorter or the store refuses; what is stored by then is collected
    some day, or found by the next attempt.
    """
    try:
        with open(path, "rb") as disk:
            if disk.seek(0, os.SEEK_END) < size:
                raise SnapshotError(f"{path} has less than {size} bytes")
            digests = _store_blocks(store, disk, size, progress)
        mapfile = store.put_map(digests)
    except OSError as error:
        raise SnapshotError(f"{path}: {error.strerror}") from error
    except BlockStoreError as error:
        raise SnapshotError(f"the block store: {error}") from error
    if mapfile is None:
        raise SnapshotError("the disk has no bytes")
    return mapfile


def _store_blocks(store: BlockStore, disk: BinaryIO, size: int, progress: Progress) -> list[bytes]:
    """Return the digests of the disk's blocks in order; a few blocks are in memory at a time."""
    digests: list[bytes] = []
    pending: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(_IN_FLIGHT, thread_name_prefix="snapshot-blocks") as executor:
        for block in _blocks(disk, size, store.block_size):
            progress(len(digests) * store.block_size / size)
            if len(pending) >= _IN_FLIGHT:
                digests.append(pending.popleft().result())
            pending.append(executor.submit(store.put, block))
        digests.extend(future.result() for future in pending)
    return digests


def _blocks(disk: BinaryIO, size: int, block_size: int) -> Iterator[bytes]:
    """Yield the blocks; one that lies in a hole of the file is empty, which means zeros to the store."""
    data_from = 0
    for offset in range(0, size, block_size):
        length = min(block_size, size - offset)
        if data_from <= offset:
            data_from = _next_data(disk, offset, size)
        if data_from >= offset + length:
            yield b""
            continue
        disk.seek(offset)
        block = disk.read(length)
        if len(block) < length:
            raise SnapshotError("the disk ended early")
        yield block


def _next_data(disk: BinaryIO, offset: int, size: int) -> int:
    """Return where data begins at or after an offset; where holes can't be told, everything is data."""
    try:
        return os.lseek(disk.fileno(), offset, os.SEEK_DATA)
    except OSError as error:
        return size if error.errno == errno.ENXIO else offset
