"""Snapshots: made of a server's volume, kept in the object storage, started as servers."""

from __future__ import annotations

from urllib.parse import quote

from cyclades.burnin.failures import Skipped, check, differs, same
from cyclades.burnin.ledger import DISKSPACE
from cyclades.burnin.suite import step
from cyclades.burnin.suites.cloud import CloudSuite, Item, Server
from cyclades.burnin.suites.storage import Storage


class SnapshotsTestSuite(CloudSuite):
    """A snapshot of a running server, its object, and a server that starts from it."""

    name = "SnapshotsTestSuite"
    services = (*CloudSuite.services, "volume", "object-store")

    @step("a server is created")
    def create(self) -> None:
        self.store = Storage(self)
        self.image, self.flavor = self.choose_image(), self.choose_flavor(choices=self.options.volume_flavors)
        self.server: Server = self.create_server(
            "snapshots", self.image, self.flavor, **self.public_networks()
        )
        self.wait_server(self.server, "ACTIVE", "BUILD")
        self.server.address = self.find_address(self.server, self.reserved[-1] if self.reserved else None)

    def _show(self) -> Item:
        shown: Item = self.call("volume", "GET", f"snapshots/{self.snapshot['id']}")["snapshot"]
        return shown

    @step("a snapshot of its first volume is made and charged as object storage")
    def snapshot_made(self) -> None:
        self.title_of_object = self.label("snapshot")
        self.size = self.flavor["disk"] << 30
        body = {"volume_id": self.server.volumes[0], "display_name": self.title_of_object}
        with self.ledger.change(self.user_id, {DISKSPACE: self.size}):
            self.snapshot = self.call("volume", "POST", "snapshots", json={"snapshot": body}, expect=202)[
                "snapshot"
            ]
            self.on_cleanup("snapshot", self._forget)
            self.wait(
                "the snapshot",
                lambda: self._show()["status"],
                until="AVAILABLE",
                through=("UNAVAILABLE", "CREATING"),
            )

    def _forget(self) -> None:
        self.client.ask("volume", "DELETE", f"snapshots/{self.snapshot['id']}", expect=None)

    @step("it is listed as a snapshot, as an image and as an object")
    def listed(self) -> None:
        ids = [item["id"] for item in self.call("volume", "GET", "snapshots")["snapshots"]]
        check(self.snapshot["id"] in ids, "the snapshot is not in the list")
        images = [item["id"] for item in self.call("compute", "GET", "images")["images"]]
        check(self.snapshot["id"] in images, "the snapshot is not in the list of images")
        names = [item["name"] for item in self.store.listing("snapshots")]
        check(self.title_of_object in names, "there is no object of the snapshot's name")

    @step("its object is copied (another snapshot), moved (the same one) and described")
    def copied(self) -> None:
        source = f"snapshots/{quote(self.title_of_object)}"
        copy, moved = f"{self.title_of_object} copy", f"{self.title_of_object} moved"
        before = self.store.head(source)
        quota = self.call("account", "GET", "quotas")[self.user_id][DISKSPACE]
        if quota["limit"] - quota["usage"] < self.size:
            raise Skipped(f"no room for a copy: {quota['usage']} of {quota['limit']} bytes are used")
        with self.ledger.change(self.user_id, {DISKSPACE: self.size}):
            self.store.copy(source, f"snapshots/{copy}")
        self.on_cleanup("copy of the snapshot", lambda: self.store.delete_quietly(f"snapshots/{quote(copy)}"))
        after = self.store.head(f"snapshots/{quote(copy)}")
        same("the copy's hash", after["x-object-hash"], before["x-object-hash"])
        differs("the copy's id", after["x-object-uuid"], before["x-object-uuid"])
        with self.ledger.change(self.user_id, {}):
            self.store.move(f"snapshots/{quote(copy)}", f"snapshots/{moved}")
        self.on_cleanup(
            "copy of the snapshot", lambda: self.store.delete_quietly(f"snapshots/{quote(moved)}")
        )
        target = f"snapshots/{quote(moved)}"
        same("the moved copy's id", self.store.head(target)["x-object-uuid"], after["x-object-uuid"])
        headers = {"X-Object-Meta-Burnin": "yes"}
        self.store.ask("POST", target, headers=headers, params={"update": ""}, expect=202)
        self.client.ask("volume", "GET", f"snapshots/{after['x-object-uuid']}")
        with self.ledger.change(self.user_id, {DISKSPACE: -self.size}):
            self.store.ask("DELETE", target, expect=204)

    @step("a server starts from the snapshot")
    def start_from(self) -> None:
        properties = self.call("compute", "GET", f"images/{self.snapshot['id']}")["image"]["metadata"]
        image = {"id": self.snapshot["id"], "metadata": {"osfamily": "windows", **properties}}
        copy = self.create_server("from snapshot", image, self.flavor, **self.public_networks())
        self.wait_server(copy, "ACTIVE", "BUILD")
        copy.address = self.find_address(copy, self.reserved[-1] if self.reserved else None)
        # Nothing is changed in a server that starts from a snapshot: the password is the first one's.
        copy.password, copy.user = self.server.password, self.server.user
        self.copy = copy

    @step("the same password opens it")
    def log_in(self) -> None:
        if not self.options.ssh:
            raise Skipped("--no-ssh")
        same("the user", self.shell(self.copy, "id -un").strip(), self.copy.user)

    @step("the servers are destroyed")
    def remove(self) -> None:
        self.destroy(self.copy)
        self.destroy(self.server)
        self.release_all()

    @step("the snapshot is deleted and no longer charged")
    def delete(self) -> None:
        path = f"snapshots/{self.snapshot['id']}"
        with self.ledger.change(self.user_id, {DISKSPACE: -self.size}):
            self.client.ask("volume", "DELETE", path, expect=202)
        self.client.ask("volume", "GET", path, expect=404)
