"""Containers of the object storage."""

from __future__ import annotations

import os
import time
from urllib.parse import quote

from cyclades.burnin.failures import check, same
from cyclades.burnin.ledger import DISKSPACE
from cyclades.burnin.suite import step
from cyclades.burnin.suites.pithos_account import StorageSuite

_BIG = (100 << 20) + 17


class ContainersTestSuite(StorageSuite):
    """Containers: policies, metadata, listings, deletion with and without history."""

    name = "ContainersTestSuite"

    @step("containers and objects are made and charged")
    def make(self) -> None:
        self.box = self.store.create_container(self, "containers")
        self.paths = ("a.txt", "b.txt", "folder/c.txt", "folder/d.txt")
        for name in self.paths:
            with self.ledger.change(self.user_id, {DISKSPACE: 4}):
                self.store.put(f"{self.box}/{name}", b"data", headers={"X-Object-Meta-Kind": "text"})

    @step("HEAD shows the container, and nothing of a time before it")
    def head(self) -> None:
        headers = self.store.ask("HEAD", self.box, expect=204).headers
        check("kind" in headers["x-container-object-meta"].lower(), "X-Container-Object-Meta lacks a key")
        same("X-Container-Object-Count", headers["x-container-object-count"], str(len(self.paths)))
        self.store.ask("HEAD", self.box, params={"until": "1000000"}, expect=404)
        self.check_dates("HEAD", self.box)

    @step("listings: prefix, pages, delimiter, path, metadata, shared")
    def listings(self) -> None:
        def names(**parameters: object) -> list[str]:
            return [
                item.get("name", item.get("subdir")) for item in self.store.listing(self.box, **parameters)
            ]

        same("all names", names(), list(self.paths))
        same("names with a prefix", names(prefix="folder/"), list(self.paths[2:]))
        same("a page of one", names(limit=1), [self.paths[0]])
        same("names after a marker", names(marker=self.paths[1]), list(self.paths[2:]))
        check(len(names(prefix="", delimiter=".")) < 5, "'delimiter' has no effect")
        same(
            "names of the root folder", [n for n in names(path="/") if n in self.paths], list(self.paths[:2])
        )
        check(names(meta="Kind"), "no names by metadata")
        self.store.ask(
            "POST",
            f"{self.box}/a.txt",
            params={"update": ""},
            headers={"X-Object-Sharing": "read=*"},
            expect=202,
        )
        same("shared names", names(shared=""), ["a.txt"])
        self.check_dates("GET", self.box)

    @step("the XML listing has the form that older clients cut to pieces")
    def xml(self) -> None:
        text = self.store.ask("GET", self.box, params={"format": "xml"}).text
        same("its fifth word", text.split()[4], f'name="{self.box}">')

    @step("policies: quota and versioning are set and read, by PUT and by POST")
    def policies(self) -> None:
        name = f"{self.box}-policies"
        self.on_cleanup("container of policies", lambda: self.store.purge(name))
        self.store.ask("PUT", name, headers={"X-Container-Policy-Versioning": "none"}, expect=201)
        same("the versioning", self.store.head(name)["x-container-policy-versioning"], "none")
        quota = self.store.head(name)["x-container-policy-quota"]
        self.store.ask("DELETE", name, expect=204)
        doubled = str(max(2 * int(quota), 1 << 30))
        self.store.ask("PUT", name, headers={"X-Container-Policy-Quota": doubled}, expect=201)
        same("the quota", self.store.head(name)["x-container-policy-quota"], doubled)
        same("the versioning", self.store.head(name)["x-container-policy-versioning"], "auto")
        headers = {"X-Container-Policy-Quota": "1000000", "X-Container-Policy-Versioning": "none"}
        self.store.ask("POST", name, headers=headers, params={"update": ""}, expect=202)
        facts = self.store.head(name)
        same("the quota", facts["x-container-policy-quota"], "1000000")
        same("the versioning", facts["x-container-policy-versioning"], "none")

    @step("metadata at creation and later, with Greek keys and values")
    def metadata(self) -> None:
        name = f"{self.box}-metadata"
        self.on_cleanup("container of metadata", lambda: self.store.purge(name))
        first = {"X-Container-Meta-One": "1", f"X-Container-Meta-{quote('κλειδί')}": quote("τιμή")}
        self.store.ask("PUT", name, headers=first, expect=201)
        self.store.ask(
            "PUT", name, headers={"X-Container-Meta-One": "", "X-Container-Meta-Two": "2"}, expect=202
        )
        facts = self.store.head(name)
        check("x-container-meta-one" not in facts, "an empty value did not delete the key")
        same("the new key", facts["x-container-meta-two"], "2")
        self.store.ask("POST", name, headers={"X-Container-Meta-Two": ""}, params={"update": ""}, expect=202)
        self.check_metadata(name, "Container", {"update": ""})

    @step("an object of 100 MiB is uploaded by its hashmap and charged exactly")
    def large(self) -> None:
        data = os.urandom(1 << 20) * 100 + os.urandom(_BIG - (100 << 20))
        path = f"{self.box}/folder/large"
        with self.ledger.change(self.user_id, {DISKSPACE: len(data)}):
            answer = self.store.upload(path, data)
        for header in ("content-length", "content-type", "x-object-version"):
            check(header in answer.headers, f"no {header} in the answer to the upload")
        same("the size", int(self.store.head(path)["content-length"]), len(data))
        self.store.ask("POST", path, headers={"X-Object-Meta-One": "1"}, params={"update": ""}, expect=202)
        self.store.ask("POST", path, headers={"X-Object-Meta-Two": "2"}, params={"update": ""}, expect=202)
        facts = self.store.head(path)
        same("both keys", (facts["x-object-meta-one"], facts["x-object-meta-two"]), ("1", "2"))
        with self.ledger.change(self.user_id, {DISKSPACE: -len(data)}):
            self.store.ask("DELETE", path, expect=204)

    @step("a container that is not empty is kept; it is emptied, its history stays, then it is purged")
    def delete(self) -> None:
        self.store.ask("DELETE", self.box, expect=409)
        self.store.ask("DELETE", self.box, params={"until": "1000000000"}, expect=204)
        same("objects after purging old history", len(self.store.listing(self.box)), len(self.paths))
        with self.ledger.change(self.user_id, {DISKSPACE: -4 * len(self.paths)}):
            self.store.ask("DELETE", self.box, params={"delimiter": "/"}, expect=204)
        same("the listing", self.store.listing(self.box), [])
        versions = {"version": "list", "format": "json"}
        history = self.store.ask("GET", f"{self.box}/a.txt", params=versions).json()["versions"]
        check(history, "the history of a deleted object is gone")
        self.store.ask("DELETE", self.box, params={"until": f"{time.time():.4f}"}, expect=204)
        self.store.ask("GET", f"{self.box}/a.txt", params=versions, expect=404)
        check(
            self.box not in [item["name"] for item in self.store.listing()], "the container is still listed"
        )
