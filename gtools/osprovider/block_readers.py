"""Where this node reads the object store's maps and blocks from: a directory, or Ceph's RADOS."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from gtools.osprovider.errors import DeployError
from gtools.osprovider.node_config import NodeConfig
from synnefo.rados_client import Cluster, RadosError, RadosNotFound

Kind = Literal["blocks", "maps"]
_PIECE_BYTES = 8 * 1024 * 1024
_CONNECT_SECONDS = 30.0
_OPERATION_SECONDS = 60.0


class BlockReader(Protocol):
    """Reads what is stored under a name."""

    def read(self, kind: Kind, name: str) -> bytes | None:
        """Return the content, None if there is none; raise `DeployError` naming the trouble."""


class DirectoryReader:
    """The store's directory, mounted on this node."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    def read(self, kind: Kind, name: str) -> bytes | None:
        """Return a file's content."""
        try:
            return (self._root / kind / name[0:2] / name[2:4] / name[4:6] / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DeployError(f"{self._root}: {error.strerror}") from None


class RadosReader:
    """Two pools of a Ceph cluster, which are never made here."""

    def __init__(self, conf: str, *, client: str, blocks: str, maps: str) -> None:
        self._pools: dict[Kind, str] = {"blocks": blocks, "maps": maps}
        self._cluster = Cluster(
            conf,
            client=client,
            connect_seconds=_CONNECT_SECONDS,
            operation_seconds=_OPERATION_SECONDS,
            create=False,
        )

    def read(self, kind: Kind, name: str) -> bytes | None:
        """Return an object's content."""
        content = b""
        try:
            while True:
                piece = self._cluster.run(self._pools[kind], partial(_read_piece, name, len(content)))
                content += piece
                if len(piece) < _PIECE_BYTES:
                    return content
        except RadosNotFound:
            return None
        except RadosError as error:
            raise DeployError(f"the block store in Ceph: {error}") from None


def _read_piece(name: str, offset: int, pool: Any) -> bytes:
    return bytes(pool.read(name, _PIECE_BYTES, offset))


def open_reader(config: NodeConfig) -> BlockReader:
    """Return the reader that the node's settings describe."""
    if config.pithos_storage == "rados":
        return RadosReader(
            config.pithos_rados_ceph_conf,
            client=config.pithos_rados_client,
            blocks=config.pithos_rados_pool_blocks,
            maps=config.pithos_rados_pool_maps,
        )
    return DirectoryReader(config.pithos_block_path)
