"""Where an image's bytes come from, by image id (ganeti-backend contract 7)."""

from __future__ import annotations

import http.client
import os
import stat
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any, Protocol

from gtools.osprovider.block_readers import open_reader
from gtools.osprovider.errors import DeployError
from gtools.osprovider.node_config import NodeConfig
from gtools.osprovider.pithos_map import PithosImage

PIECE_BYTES = 4 * 1024 * 1024
TIMEOUT_SECONDS = 60.0


class Source(Protocol):
    """An image as a sequence of pieces."""

    @property
    def size(self) -> int | None:
        """The number of bytes, None when unknown."""

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """Yield (length, data) in order: where data is shorter than length, zeros follow."""


def open_source(image_id: str, config: NodeConfig) -> Source | None:
    """Return the image's source, None for ``null``: the data is on the disk already. Raises `DeployError`."""
    scheme, _, rest = image_id.partition("://")
    if image_id == "null":
        return None
    if scheme == "pithosmap":
        name, _, size = rest.partition("/")
        if not size.isascii() or not size.isdigit() or len(size) > 18:
            raise DeployError("img_id must be pithosmap://MAP/SIZE")
        return PithosImage(open_reader(config), name, int(size), config.pithos_block_size)
    if scheme == "local":
        return LocalImage(config.image_dir, rest)
    if scheme in ("http", "https"):
        return HttpImage(image_id)
    raise DeployError(f"image ids of kind {scheme[:20]!r} are not supported")


class LocalImage:
    """A file of the node's image directory."""

    def __init__(self, directory: str, name: str) -> None:
        if not name or "/" in name or name.startswith("."):
            raise DeployError("a local image id must be the plain name of a file")
        try:
            self._descriptor = os.open(os.path.join(directory, name), os.O_RDONLY | os.O_NOFOLLOW)
        except OSError as error:
            raise DeployError(f"local image {name!r} in {directory}: {error.strerror}") from None
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(self._descriptor)
            raise DeployError(f"local image {name!r} is not a regular file")
        self.size: int | None = status.st_size

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """Yield the file's content, holes without reading them."""
        with os.fdopen(self._descriptor, "rb", buffering=0) as file:
            end, at = self.size or 0, 0
            while at < end:
                start = _next_data(file.fileno(), at, end)
                while at < start:
                    length = min(PIECE_BYTES, start - at)
                    yield length, b""
                    at += length
                data = os.pread(file.fileno(), min(PIECE_BYTES, end - at), at) if at < end else b""
                if at < end and not data:
                    raise DeployError("the local image became shorter")
                if data:
                    yield len(data), data
                at += len(data)


def _next_data(descriptor: int, at: int, end: int) -> int:
    try:
        return os.lseek(descriptor, at, os.SEEK_DATA)
    except OSError:
        # No data behind this point.
        return end


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class HttpImage:
    """An image on a web server that the administrator chose; redirections are not followed."""

    def __init__(self, url: str) -> None:
        self._host = urllib.parse.urlsplit(url).hostname or ""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
        try:
            self._response = opener.open(url, timeout=TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            raise DeployError(f"image on {self._host}: status {error.code}") from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise DeployError(f"image on {self._host}: {getattr(error, 'reason', error)}") from None
        length = self._response.headers.get("Content-Length", "")
        self.size: int | None = int(length) if length.isascii() and length.isdigit() else None

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """Yield the body as it arrives."""
        received = 0
        with self._response as response:
            while True:
                try:
                    data = response.read(PIECE_BYTES)
                except (OSError, http.client.HTTPException) as error:
                    raise DeployError(f"image on {self._host}: {error}") from None
                if not data:
                    break
                received += len(data)
                yield len(data), data
        if self.size is not None and received != self.size:
            raise DeployError(f"image on {self._host}: {received} of {self.size} bytes arrived")
