"""Many objects at once."""

from __future__ import annotations

import os
import secrets
from concurrent.futures import ThreadPoolExecutor

from cyclades.burnin.failures import same
from cyclades.burnin.ledger import DISKSPACE
from cyclades.burnin.suite import step
from cyclades.burnin.suites.pithos_account import StorageSuite


class UploadsTestSuite(StorageSuite):
    """Objects of random sizes, uploaded in parallel, compared with what is listed, and downloaded."""

    name = "UploadsTestSuite"

    @step("a small object is uploaded, charged and downloaded")
    def small(self) -> None:
        self.box = self.store.create_container(self, "uploads")
        data = os.urandom(1000)
        with self.ledger.change(self.user_id, {DISKSPACE: len(data)}):
            self.store.upload(f"{self.box}/small", data)
        same("the data", self.store.get(f"{self.box}/small"), data)

    @step("objects are uploaded in parallel and charged exactly")
    def many(self) -> None:
        low, high = self.options.object_min_size, self.options.object_max_size
        sizes = [low + secrets.randbelow(high - low + 1) for _ in range(self.options.object_count)]
        self.sizes = dict(zip((f"object-{n}" for n in range(len(sizes))), sizes, strict=True))
        self.hashes: dict[str, str] = {}
        with self.ledger.change(self.user_id, {DISKSPACE: sum(sizes)}), ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(self._upload, name, size) for name, size in self.sizes.items()]:
                future.result()

    def _upload(self, name: str, size: int) -> None:
        data = os.urandom(size)
        self.hashes[name] = self.store.hash_of(self.box, data)
        self.store.upload(f"{self.box}/{name}", data)

    @step("the listing shows the hashes that were computed here")
    def listed(self) -> None:
        shown = {item["name"]: item for item in self.store.listing(self.box)}
        for name, digest in self.hashes.items():
            same(f"the hash of {name}", shown[name]["x_object_hash"], digest)
            same(f"the size of {name}", shown[name]["bytes"], self.sizes[name])

    @step("a download has the same content")
    def download(self) -> None:
        name = next(iter(self.hashes))
        data = self.store.get(f"{self.box}/{name}")
        same(f"the hash of {name}", self.store.hash_of(self.box, data), self.hashes[name])

    @step("the objects are deleted and no longer charged")
    def delete(self) -> None:
        left = sum(item["bytes"] for item in self.store.listing(self.box))
        with self.ledger.change(self.user_id, {DISKSPACE: -left}):
            self.store.ask("DELETE", self.box, params={"delimiter": "/"}, expect=204)
