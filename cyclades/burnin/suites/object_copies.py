"""Objects copied and moved."""

from __future__ import annotations

import httpx

from cyclades.burnin.failures import check, differs, same
from cyclades.burnin.ledger import DISKSPACE
from cyclades.burnin.suite import step
from cyclades.burnin.suites.pithos_account import StorageSuite

_DATA = b"copied and moved\n"
_STRANGER = "00000000-0000-0000-0000-000000000000"


class ObjectCopiesTestSuite(StorageSuite):
    """COPY and MOVE, within and between containers, with their headers and conditions."""

    name = "ObjectCopiesTestSuite"

    @step("an object to copy is stored")
    def make(self) -> None:
        self.first = self.store.create_container(self, "copies 1")
        self.second = self.store.create_container(self, "copies 2")
        self.source = f"{self.first}/source"
        headers = {
            "Content-Type": "text/plain",
            "Content-Disposition": "inline",
            "X-Object-Meta-Old": "1",
            "X-Object-Meta-Same": "old",
            "X-Object-Sharing": "read=*",
        }
        with self.ledger.change(self.user_id, {DISKSPACE: len(_DATA)}):
            self.store.put(self.source, _DATA, headers=headers)
        self.facts = self.store.head(self.source)

    def _copied(self, target: str, delta: int = len(_DATA), **options: object) -> httpx.Headers:
        with self.ledger.change(self.user_id, {DISKSPACE: delta}):
            answer = self.store.copy(self.source, target, **options)  # type: ignore[arg-type]
        kind = answer.headers.get("content-type", "")
        same("the answer's type", kind, "application/json; charset=UTF-8")
        return self.store.head(target)

    @step("a copy merges metadata, keeps the disposition and shares nothing")
    def copy(self) -> None:
        headers = {"X-Object-Meta-Same": "new", "X-Object-Meta-New": "2"}
        facts = self._copied(f"{self.first}/copy", headers=headers)
        same("the hash", facts["x-object-hash"], self.facts["x-object-hash"])
        keys = [facts.get(f"x-object-meta-{name}") for name in ("old", "same", "new")]
        same("the metadata", keys, ["1", "new", "2"])
        same("the disposition", facts.get("content-disposition"), "inline")
        check("x-object-sharing" not in facts, "the copy is shared")

    @step("a copy to another container and back keeps the content")
    def across(self) -> None:
        facts = self._copied(f"{self.second}/copy")
        same("the hash", facts["x-object-hash"], self.facts["x-object-hash"])
        with self.ledger.change(self.user_id, {DISKSPACE: 0}):
            self.store.copy(f"{self.second}/copy", f"{self.first}/copy")
        same("the etag", self.store.head(f"{self.first}/copy")["etag"], self.facts["etag"])

    @step("a copy may have another type, and be published")
    def types(self) -> None:
        facts = self._copied(f"{self.first}/typed", headers={"Content-Type": "text/x-burnin"})
        same("the type", facts["content-type"].partition(";")[0], "text/x-burnin")
        facts = self._copied(f"{self.first}/published", headers={"X-Object-Public": "true"})
        check("x-object-public" in facts, "the copy is not published")
        headers = {"Content-Type": "text/x-no"}
        facts = self._copied(f"{self.first}/ignored", headers=headers, params={"ignore_content_type": ""})
        same("the type", facts["content-type"].partition(";")[0], "text/plain")

    @step("the answer's type follows 'format'")
    def formats(self) -> None:
        with self.ledger.change(self.user_id, {DISKSPACE: len(_DATA)}):
            answer = self.store.copy(self.source, f"{self.first}/xml", params={"format": "xml"})
        check("xml" in answer.headers.get("content-type", ""), "the answer's type is not that of XML")

    @step("conditions and unknown destinations are honoured")
    def conditions(self) -> None:
        etag = self.facts["etag"]
        self.store.copy(self.source, f"{self.first}/no", headers={"If-None-Match": etag}, expect=412)
        self._copied(f"{self.first}/matching", headers={"If-Match": etag})
        headers = {"Destination-Account": _STRANGER}
        self.store.copy(self.source, f"{self.first}/no", headers=headers, expect=404)
        self.store.move(self.source, f"{self.first}/no", headers=headers, expect=404)

    @step("a PUT copies from another object, and from no stranger's")
    def put_from(self) -> None:
        target = f"{self.first}/put"
        headers = {"X-Copy-From": f"/{self.source}", "Content-Length": "0"}
        with self.ledger.change(self.user_id, {DISKSPACE: len(_DATA)}):
            self.store.ask("PUT", target, headers=headers, expect=201)
        same("the hash", self.store.head(target)["x-object-hash"], self.facts["x-object-hash"])
        stranger = {"X-Move-From": f"/{self.source}", "X-Source-Account": _STRANGER, "Content-Length": "0"}
        self.store.ask("PUT", target, headers=stranger, expect=403)

    @step("a move keeps the content, costs nothing and leaves nothing behind")
    def move(self) -> None:
        with self.ledger.change(self.user_id, {DISKSPACE: 0}):
            self.store.move(f"{self.first}/typed", f"{self.first}/moved")
        self.store.ask("HEAD", f"{self.first}/typed", expect=404)
        same("the data", self.store.get(f"{self.first}/moved"), _DATA)

    @step("a move over an object of another container gives its space back")
    def overwrite(self) -> None:
        target = f"{self.second}/copy"
        with self.ledger.change(self.user_id, {DISKSPACE: -len(_DATA)}):
            self.store.move(f"{self.first}/moved", target)
        self.store.ask("HEAD", f"{self.first}/moved", expect=404)
        same("the data", self.store.get(target), _DATA)
        differs("the number of objects", len(self.store.listing(self.second)), 0)

    @step("everything is removed and nothing is charged")
    def remove(self) -> None:
        for box in (self.first, self.second):
            left = sum(item["bytes"] for item in self.store.listing(box))
            with self.ledger.change(self.user_id, {DISKSPACE: -left}):
                self.store.ask("DELETE", box, params={"delimiter": "/"}, expect=204)
