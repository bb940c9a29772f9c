"""Images in the object store, read block by block from its directory or from Ceph.

A map lists the digests of an object's blocks; a block is kept without its trailing NULs, so it is padded to
the block size and the whole is cut at the object's size. The store is shared, so nothing is trusted that
does not match its name.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from gtools.osprovider.block_readers import BlockReader
from gtools.osprovider.errors import DeployError

DIGEST_SIZE = 32
EMPTY_DIGEST = hashlib.sha256().digest()
READ_AHEAD = 4
MAP_NAME = re.compile(r"([0-9a-f]{64})(?:_([0-9]{1,10}))?")


class PithosImage:
    """An object of the store as a sequence of verified blocks."""

    def __init__(self, reader: BlockReader, map_name: str, size: int, block_size: int) -> None:
        self._reader = reader
        self._block_size = block_size
        self.size = size
        self._digests = self._read_map(map_name)

    def _read_map(self, name: str) -> list[bytes]:
        match = MAP_NAME.fullmatch(name)
        if not match:
            raise DeployError("the image's map has no valid name")
        count = -(-self.size // self._block_size)
        if match[2] is not None and int(match[2]) != count:
            raise DeployError(f"the image's map lists {match[2]} blocks, its size needs {count}")
        root = bytes.fromhex(match[1])
        if count == 1 and match[2] == "1":
            return [root]
        content = self._reader.read("maps", name)
        if content is None:
            if count == 1:
                return [root]
            raise DeployError("the image's map can't be read: it is not in the block store")
        digests = [content[at : at + DIGEST_SIZE] for at in range(0, len(content), DIGEST_SIZE)]
        if len(content) != count * DIGEST_SIZE or object_digest(digests) != root:
            raise DeployError("the image's map is damaged")
        return digests

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """Yield (length, data) for each block in order: data without trailing zeros, which length counts."""
        with ThreadPoolExecutor(2, thread_name_prefix="block") as pool:
            reading: deque[Future[bytes]] = deque()
            following = iter(range(len(self._digests)))
            try:
                for index in range(len(self._digests)):
                    while len(reading) < READ_AHEAD and (upcoming := next(following, None)) is not None:
                        reading.append(pool.submit(self._block, upcoming))
                    data = reading.popleft().result()
                    length = min(self._block_size, self.size - index * self._block_size)
                    yield length, data[:length]
            finally:
                for future in reading:
                    future.cancel()

    def _block(self, index: int) -> bytes:
        digest = self._digests[index]
        if digest == EMPTY_DIGEST:
            return b""
        data = self._reader.read("blocks", digest.hex())
        if data is None:
            raise DeployError(f"block {index} of the image can't be read: it is not in the block store")
        data = data.rstrip(b"\0")
        if len(data) > self._block_size or hashlib.sha256(data).digest() != digest:
            raise DeployError(f"block {index} of the image is damaged")
        return data


def object_digest(digests: Sequence[bytes]) -> bytes:
    """Return the root of the hash tree over block digests, padded with zero digests to a power of two."""
    if not digests:
        return EMPTY_DIGEST
    level = list(digests)
    while len(level) & (len(level) - 1):
        level.append(bytes(DIGEST_SIZE))
    while len(level) > 1:
        level = [hashlib.sha256(level[at] + level[at + 1]).digest() for at in range(0, len(level), 2)]
    return level[0]
