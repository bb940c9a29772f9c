"""Calls to the object storage that several suites make."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import httpx

from cyclades.burnin.client import Status
from cyclades.burnin.failures import same
from cyclades.burnin.hashing import block_digest, blocks_of, tree_hash
from cyclades.burnin.suite import Suite

Headers = Mapping[str, str]


class Storage:
    """The account of the user; paths are ``container/object`` with percent-encoded names."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.account = suite.user_id

    def ask(self, method: str, path: str, *, expect: Status | None = 200, **options: Any) -> httpx.Response:
        """One request below the account; an empty path is the account itself."""
        target = f"{self.account}/{path}" if path else self.account
        return self.suite.client.ask("object-store", method, target, expect=expect, **options)

    def head(self, path: str, *, expect: Status = (200, 204), **options: Any) -> httpx.Headers:
        """The headers of an account, a container or an object."""
        return self.ask("HEAD", path, expect=expect, **options).headers

    def listing(self, container: str = "", **parameters: Any) -> list[Any]:
        """The JSON listing of the account or of a container."""
        answer = self.ask("GET", container, params={"format": "json", **parameters}, expect=(200, 204))
        found: list[Any] = answer.json() if answer.content else []
        return found

    def create_container(self, suite: Suite, what: str) -> str:
        """Create a container that goes away with the suite; returns its name."""
        name = suite.label(what).replace(" ", "-")
        self.ask("PUT", name, expect=(201, 202))
        suite.on_cleanup(f"container {name}", lambda: self.purge(name))
        return name

    def purge(self, container: str) -> None:
        """Remove a container with everything in it and its history."""
        if self.ask("HEAD", container, expect=None).status_code == 404:
            return
        self.ask("DELETE", container, params={"delimiter": "/"}, expect=204)
        # A time with a fraction means: really, with the history.
        self.ask("DELETE", container, params={"until": f"{time.time():.4f}"}, expect=204)

    def put(
        self,
        path: str,
        data: bytes,
        *,
        expect: Status | None = 201,
        headers: Headers = MappingProxyType({}),
        **options: Any,
    ) -> httpx.Response:
        """Store an object."""
        kind = {"Content-Type": "application/octet-stream"}
        return self.ask("PUT", path, content=data, headers={**kind, **headers}, expect=expect, **options)

    def get(self, path: str, *, expect: Status = 200, **options: Any) -> bytes:
        """The data of an object."""
        return self.ask("GET", path, expect=expect, **options).content

    def copy(
        self, source: str, target: str, *, expect: Status | None = 201, **options: Any
    ) -> httpx.Response:
        """Copy an object; the target is not percent-encoded yet."""
        return self._transfer("COPY", source, target, expect, options)

    def move(
        self, source: str, target: str, *, expect: Status | None = 201, **options: Any
    ) -> httpx.Response:
        """Move an object; the target is not percent-encoded yet."""
        return self._transfer("MOVE", source, target, expect, options)

    def _transfer(
        self, method: str, source: str, target: str, expect: Status | None, options: dict[str, Any]
    ) -> httpx.Response:
        headers = {"Destination": f"/{quote(target)}", **options.pop("headers", {})}
        return self.ask(method, source, headers=headers, expect=expect, **options)

    def delete_quietly(self, path: str) -> None:
        """Remove an object that may be gone already."""
        self.ask("DELETE", path, expect=(204, 404))

    def upload(self, path: str, data: bytes, *, headers: Headers = MappingProxyType({})) -> httpx.Response:
        """Upload by hashmap: only blocks that the storage lacks are sent."""
        container = path.partition("/")[0]
        facts = self.head(container)
        size, algorithm = int(facts["x-container-block-size"]), facts["x-container-block-hash"]
        blocks = {block_digest(block, algorithm).hex(): block for block in blocks_of(data, size)}
        order = [block_digest(block, algorithm).hex() for block in blocks_of(data, size)]
        body = {"bytes": len(data), "hashes": order}
        parameters = {"format": "json", "hashmap": "True"}
        answer = self.ask(
            "PUT", path, json=body, params=parameters, headers=_octets(headers), expect=(201, 409)
        )
        if answer.status_code == 409:
            for digest in answer.json():
                self._send_block(container, digest, blocks[digest])
            answer = self.ask("PUT", path, json=body, params=parameters, headers=_octets(headers), expect=201)
        return answer

    def _send_block(self, container: str, digest: str, block: bytes) -> None:
        headers = {"Content-Type": "application/octet-stream"}
        parameters = {"update": "", "format": "json"}
        answer = self.ask("POST", container, content=block, params=parameters, headers=headers, expect=202)
        same("the hash of a sent block", answer.json(), [digest])

    def hash_of(self, container: str, data: bytes) -> str:
        """The hash that the storage must show for an object with this content."""
        facts = self.head(container)
        size, algorithm = int(facts["x-container-block-size"]), facts["x-container-block-hash"]
        return tree_hash([block_digest(block, algorithm) for block in blocks_of(data, size)], algorithm)


def _octets(headers: Headers) -> dict[str, str]:
    return {"Content-Type": "application/octet-stream", **headers}


def asctime(moment: datetime.datetime) -> str:
    """A date as older clients write it."""
    return moment.strftime("%a %b %d %H:%M:%S %Y")
