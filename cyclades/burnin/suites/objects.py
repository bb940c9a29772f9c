"""Objects: written, read, changed and deleted."""

from __future__ import annotations

import hashlib
import os

from defusedxml import ElementTree

from cyclades.burnin.failures import check, differs, same
from cyclades.burnin.ledger import DISKSPACE
from cyclades.burnin.suite import step
from cyclades.burnin.suites.pithos_account import StorageSuite

_TEXT = b"a text of some length for ranges\n" * 8


class ObjectsTestSuite(StorageSuite):
    """Objects: PUT, HEAD, GET with ranges and conditions, POST, manifests, publishing, DELETE."""

    name = "ObjectsTestSuite"

    def _store(self, name: str, data: bytes, before: int = 0, **options: object) -> str:
        path = f"{self.box}/{name}"
        with self.ledger.change(self.user_id, {DISKSPACE: len(data) - before}):
            self.store.put(path, data, **options)  # type: ignore[arg-type]
        return path

    @step("an object is stored with its type, disposition, sharing and Greek metadata")
    def put(self) -> None:
        self.box = self.store.create_container(self, "objects")
        headers = {
            "Content-Type": "text/plain",
            "Content-Disposition": 'attachment; filename="a.txt"',
            "X-Object-Sharing": f"read=u1,{self.user_id};write={self.user_id},{self.user_id}:GROUP",
            "X-Object-Meta-%CE%BA": "%CF%84",
        }
        self.path = self._store("text", _TEXT, headers=headers)
        facts = self.store.head(self.path)
        same("the type", facts["content-type"].partition(";")[0], "text/plain")
        same("the disposition", facts["content-disposition"], headers["Content-Disposition"])
        read, _, write = facts["x-object-sharing"].partition("; ")
        same("the readers", read, "read=u1")
        same(
            "the writers",
            set(write.removeprefix("write=").split(",")),
            {self.user_id, f"{self.user_id}:group"},
        )

    @step("empty objects and folders keep their type")
    def empty(self) -> None:
        for name, kind in (("empty", "application/x-burnin"), ("folder", "application/directory")):
            path = self._store(name, b"", headers={"Content-Type": kind})
            same("the type", self.store.head(path)["content-type"].partition(";")[0], kind)
            self.store.ask("DELETE", path, expect=204)

    @step("HEAD: versions and conditions")
    def head(self) -> None:
        facts = self.store.ask("HEAD", self.path).headers
        version, etag = facts["x-object-version"], facts["etag"]
        bad = self.store.ask("HEAD", self.path, params={"version": "-10"}, expect=None).status_code
        check(bad >= 400, f"version -10 answers {bad}")
        shown = self.store.ask("HEAD", self.path, params={"version": version}).headers
        same("the version", shown["x-object-version"], version)
        self.store.ask("HEAD", self.path, headers={"If-Match": etag})
        self.store.ask("HEAD", self.path, headers={"If-None-Match": etag}, expect=304)
        self.check_dates("HEAD", self.path)

    @step("GET: the data, ranges and conditions")
    def get(self) -> None:
        same("the data", self.store.get(self.path), _TEXT)

        def part(given: str, **headers: str) -> bytes:
            return self.store.get(self.path, headers={"Range": given, **headers}, expect=(200, 206))

        same("bytes 3-10", part("bytes=3-10"), _TEXT[3:11])
        same("the last 7 bytes", part("bytes=-7"), _TEXT[-7:])
        part("bytes=5", **{"If-Range": ""})
        etag = self.store.head(self.path)["etag"]
        self.store.get(self.path, headers={"If-Match": etag})
        self.store.ask("GET", self.path, headers={"If-None-Match": etag}, expect=304)
        self.check_dates("GET", self.path)

    @step("hashmaps in JSON and in XML agree, and repeated blocks come back in their places")
    def hashmap(self) -> None:
        size = int(self.store.head(self.box)["x-container-block-size"])
        data = b"".join(os.urandom(16).ljust(64, bytes([n % 3])) for n in range(42))
        data = b"".join(data[: 64 * (n % 3 + 1)].ljust(size // 8, b"\1") for n in range(42))
        path = f"{self.box}/blocks"
        with self.ledger.change(self.user_id, {DISKSPACE: len(data)}):
            self.store.upload(path, data)
        found = self.store.ask("GET", path, params={"hashmap": "", "format": "json"}).json()
        same("the keys of the hashmap", set(found), {"hashes", "block_size", "block_hash", "bytes"})
        xml = self.store.ask("GET", path, params={"hashmap": "", "format": "xml"}).text
        first = ElementTree.fromstring(xml).findtext("hash")
        same("the first hash in XML", first, found["hashes"][0])
        same("the data", hashlib.sha256(self.store.get(path)).digest(), hashlib.sha256(data).digest())
        with self.ledger.change(self.user_id, {DISKSPACE: -len(data)}):
            self.store.ask("DELETE", path, expect=204)

    @step("conditional writes and publishing")
    def conditions(self) -> None:
        etag = self.store.head(self.path)["etag"]
        data = _TEXT + b"!"
        self._store("text", data, len(_TEXT), headers={"If-Match": etag, "X-Object-Public": "true"})
        check("x-object-public" in self.store.head(self.path), "the object is not published")
        etag = self.store.head(self.path)["etag"]
        self.store.put(self.path, data, headers={"If-None-Match": etag}, expect=412)
        self.store.ask(
            "POST", self.path, params={"update": ""}, headers={"X-Object-Public": "false"}, expect=202
        )
        check("x-object-public" not in self.store.head(self.path), "the object is still published")
        self._store("text", _TEXT, len(data))

    @step("three uploads are three versions, and only the last is charged")
    def versions(self) -> None:
        path = f"{self.box}/versions"
        before = 0
        for length in (10, 30, 20):
            path = self._store("versions", b"v" * length, before)
            before = length
        found = self.store.ask("GET", path, params={"version": "list", "format": "json"}).json()["versions"]
        same("the number of versions", len(found), 3)

    @step("data is appended, overwritten and cut off")
    def update(self) -> None:
        path = self._store("update", b"0123456789", headers={"Content-Type": "text/plain"})

        def post(data: bytes, given: str, delta: int, **headers: str) -> None:
            kind = {"Content-Type": "application/octet-stream", "Content-Range": given, **headers}
            with self.ledger.change(self.user_id, {DISKSPACE: delta}):
                self.store.ask(
                    "POST", path, content=data, params={"update": ""}, headers=kind, expect=(202, 204)
                )

        post(b"abcde", "bytes */*", 5)
        same("after appending", self.store.get(path), b"0123456789abcde")
        post(b"XY", "bytes 2-3/*", 0)
        same("after overwriting", self.store.get(path), b"01XY456789abcde")
        post(b"0", "bytes 0-0/*", -10, **{"X-Object-Bytes": "5"})
        same("after cutting", self.store.get(path), b"01XY4")
        same("the type", self.store.head(path)["content-type"].partition(";")[0], "text/plain")

    @step("metadata, sharing and publishing by POST")
    def post(self) -> None:
        self.check_metadata(self.path, "Object", {"update": ""})

        def share(given: str) -> str:
            headers = {"X-Object-Sharing": given}
            self.store.ask("POST", self.path, params={"update": ""}, headers=headers, expect=202)
            return self.store.head(self.path).get("x-object-sharing", "")

        shown = share("read=u5;write=u4")
        check("read=u5" in shown and "write=u4" in shown, f"the sharing is {shown!r}")
        same("the sharing after its removal", share(""), "")
        etag = self.store.head(self.path)["etag"]
        headers = {"If-None-Match": etag, "X-Object-Meta-No": "1"}
        self.store.ask("POST", self.path, params={"update": ""}, headers=headers, expect=412)

    @step("a manifest is read as the sum of its parts")
    def manifest(self) -> None:
        for number in range(10):
            self._store(f"manifest/{number}", str(number).encode())
        headers = {"X-Object-Manifest": f"{self.box}/manifest/"}
        path = self._store("manifest", b"", headers=headers)
        same("the data", self.store.get(path), b"0123456789")

    @step("another object's bytes are spliced in; beyond its end is refused")
    def splice(self) -> None:
        source = self._store("source", b"hello")
        version = self.store.head(source)["x-object-version"]
        target = self._store("target", b"12345")

        def post(given: str, expect: tuple[int, ...], **more: str) -> None:
            headers = {
                "Content-Type": "application/octet-stream",
                "X-Source-Object": f"/{source}",
                "Content-Range": given,
                **more,
            }
            self.store.ask("POST", target, params={"update": ""}, headers=headers, expect=expect)

        post("bytes 10-12/*", (416,))
        with self.ledger.change(self.user_id, {}):
            post("bytes 1-3/*", (202, 204), **{"X-Source-Version": version})
        same("the data", self.store.get(target)[:1] + self.store.get(target)[4:], b"15")
        differs("the data", self.store.get(target), b"12345")

    @step("objects are deleted and no longer charged")
    def delete(self) -> None:
        self.store.ask("DELETE", self.path, params={"until": "1000000"}, expect=204)
        self.store.head(self.path)
        with self.ledger.change(self.user_id, {DISKSPACE: -len(_TEXT)}):
            self.store.ask("DELETE", self.path, expect=204)
        self.store.ask("GET", self.path, expect=404)
        left = sum(item["bytes"] for item in self.store.listing(self.box))
        with self.ledger.change(self.user_id, {DISKSPACE: -left}):
            self.store.ask("DELETE", self.box, params={"until": self.box, "delimiter": "/"}, expect=204)
