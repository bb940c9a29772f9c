"""Images: lists, properties, registration of an uploaded file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, unquote

from cyclades.burnin.choices import chosen
from cyclades.burnin.failures import Skipped, check, same
from cyclades.burnin.ledger import DISKSPACE
from cyclades.burnin.suite import Run, Suite, step
from cyclades.burnin.suites.storage import Storage

_SIZE = 1 << 20
_DOWNLOAD = 1 << 20
_GREEK = "εικόνα"


class ImagesTestSuite(Suite):
    """Lists of images, their properties, and an image that is uploaded, registered, copied and removed."""

    name = "ImagesTestSuite"
    services = ("image", "compute", "object-store", "account")

    def __init__(self, run: Run, *, variant: str = "") -> None:
        super().__init__(run, variant=variant)
        self.store = Storage(self)

    @step("the plain and the detailed list agree, in the image and in the compute service")
    def lists(self) -> None:
        brief = self.call("image", "GET", "images/")
        self.details: Sequence[dict[str, Any]] = self.call("image", "GET", "images/detail")
        check(brief, "there are no images")
        same("the plain list's names", _names(brief), _names(self.details))
        same("the plain list's ids", sorted(i["id"] for i in brief), sorted(i["id"] for i in self.details))
        compute = self.call("compute", "GET", "images/detail")["images"]
        missing = {item["id"] for item in self.details} - {item["id"] for item in compute}
        same("images that the compute service lacks", sorted(missing), [])

    @step("system images have unique names and the properties of bootable images")
    def system_images(self) -> None:
        if not self.options.system_users:
            raise Skipped("no --system-user was given")
        mine = [item for item in self.details if self._of_system(item)]
        check(mine, "the system user has no images")
        twice = [name for name, count in Counter(_names(mine)).items() if count > 1]
        same("names used twice", twice, [])
        for item in mine:
            for key in ("osfamily", "root_partition"):
                check(key in item["properties"], f"image {item['name']} has no property {key}")

    def _of_system(self, item: dict[str, Any]) -> bool:
        owner = {"id": item["owner"], "name": item.get("owner_name") or self._name_of(item["owner"])}
        return bool(chosen([owner], self.options.system_users))

    def _name_of(self, user: str) -> str:
        body = self.call("account", "POST", "user_catalogs", json={"uuids": [user]})
        return str(body["uuid_catalog"].get(user, ""))

    @step("an image's file can be downloaded")
    def download(self) -> None:
        location = next((item["location"] for item in self.details if item.get("location")), None)
        if location is None:
            raise Skipped("no image shows its location")
        account, container, name = unquote(location.removeprefix("pithos://")).split("/", 2)
        last = min(_DOWNLOAD, next(i["size"] for i in self.details if i.get("location") == location)) - 1
        path = f"{account}/{quote(container)}/{quote(name)}"
        headers = {"Range": f"bytes=0-{last}"}
        answer = self.client.ask("object-store", "GET", path, headers=headers, expect=(200, 206))
        check(len(answer.content) > last, "the downloaded part is too short")

    @step("a file is uploaded and charged")
    def upload(self) -> None:
        self.container = self.store.create_container(self, "images")
        with self.ledger.change(self.user_id, {DISKSPACE: _SIZE}):
            self.store.put(f"{self.container}/image.diskdump", os.urandom(_SIZE))

    def _location(self, name: str) -> str:
        return f"pithos://{self.user_id}/{self.container}/{name}"

    def _register(self, name: str) -> str:
        headers = {
            "X-Image-Meta-Name": quote(name),
            "X-Image-Meta-Location": self._location("image.diskdump"),
            "X-Image-Meta-Disk-Format": "diskdump",
            "X-Image-Meta-Container-Format": "bare",
            "X-Image-Meta-Property-OSFAMILY": "linux",
            "X-Image-Meta-Property-ROOT-PARTITION": "1",
        }
        answer = self.client.ask("image", "POST", "images/", headers=headers)
        check(answer.headers.get("x-image-meta-is-public", "").lower() != "true", "the image is public")
        return str(answer.headers["x-image-meta-id"])

    def _at(self, location: str) -> list[dict[str, Any]]:
        listed = self.call("image", "GET", "images/detail")
        return [item for item in listed if unquote(item.get("location") or "") == location]

    @step("it is registered as an image")
    def register(self) -> None:
        self.image = self._register(self.label("image"))
        found = self._at(self._location("image.diskdump"))
        same("images at the location", [item["id"] for item in found], [self.image])
        same("the property osfamily", found[0]["properties"].get("osfamily"), "linux")
        check("root_partition" in found[0]["properties"], "the property root_partition is missing")

    @step("it is registered again under a Greek name")
    def register_again(self) -> None:
        same("the id", self._register(f"{self.label('image')} {_GREEK}"), self.image)
        same("images at the location", len(self._at(self._location("image.diskdump"))), 1)
        answer = self.client.ask("image", "HEAD", f"images/{self.image}")
        name = unquote(answer.headers["x-image-meta-name"])
        same("the image's name", name, f"{self.label('image')} {_GREEK}")

    @step("a copy of the file is another image and stays one when its metadata changes")
    def copy(self) -> None:
        with self.ledger.change(self.user_id, {DISKSPACE: _SIZE}):
            self.store.copy(f"{self.container}/image.diskdump", f"{self.container}/copy.diskdump")
        same("images at the copy's location", len(self._at(self._location("copy.diskdump"))), 1)
        headers = {"X-Object-Meta-Burnin": "yes"}
        path = f"{self.container}/copy.diskdump"
        self.store.ask("POST", path, headers=headers, params={"update": ""}, expect=202)
        same("images after the change", len(self._at(self._location("copy.diskdump"))), 1)

    @step("the image is removed with its file, and nothing is charged")
    def remove(self) -> None:
        for name in ("image.diskdump", "copy.diskdump"):
            with self.ledger.change(self.user_id, {DISKSPACE: -_SIZE}):
                self.store.ask("DELETE", f"{self.container}/{name}", expect=204)
            same(f"images at {name}", self._at(self._location(name)), [])
        self.client.ask("image", "HEAD", f"images/{self.image}", expect=404)


def _names(items: Sequence[dict[str, Any]]) -> list[str]:
    return sorted(str(item["name"]) for item in items)
