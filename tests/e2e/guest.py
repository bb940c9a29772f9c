"""A running guest that several modules look at, since every boot in software emulation is dear."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from tests.e2e.cloud_user import COMPUTE, CloudUser, eventually
from tests.lab.cloud import Cloud
from tests.lab.instance import wait_until

#: A guest in software emulation needs 5 s on an idle machine, far more on a busy one.
BOOT_SECONDS = 480
NOTE = "hello\n"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH2FVbmf0l2q5aXoYoKfJ0nXbqN9pUq1c7QyR0cF5t9d lab\n"
#: Part of a page's title, so with a character that must be escaped there.
NAME = "screen & keys"


def address_of(server: Mapping[str, Any]) -> str:
    """The first IPv4 address of a server."""
    for addresses in server["addresses"].values():
        for entry in addresses:
            if entry["version"] == 4:
                return str(entry["addr"])
    raise AssertionError(f"no address: {server}")


class Guest:
    """A server with injected files, and what was seen while it was built."""

    def __init__(self, cloud: Cloud, user: CloudUser, image: str) -> None:
        self.cloud, self.user = cloud, user
        self.flavor = user.smallest_flavor()
        self.usage_before = user.usage()
        note = {"path": "/root/note", "owner": "root", "group": "root", "mode": 0o600}
        key = {"path": "/root/.ssh/authorized_keys", "contents": _base64(KEY)}
        personality = [{**note, "contents": _base64(NOTE)}, key]
        self.ordered = user.create_server(NAME, image, self.flavor["id"], personality=personality)
        self.id, self._password = self.ordered["id"], self.ordered["adminPass"]
        self.usage = user.usage()
        self.progress = user.watch_build(self.id)
        server = user.wait_server(self.id, "ACTIVE")
        self.address, self.volume = address_of(server), server["volumes"][0]
        self.wait_until_up()

    @property
    def instance(self) -> str:
        """Its name in Ganeti."""
        return f"snf-{self.id}"

    def wait_until_up(self) -> None:
        """Wait until it answers a ping, and then a login."""
        cluster = self.cloud.cluster
        wait_until(lambda: cluster.guest_answers(self.address), timeout=BOOT_SECONDS, what="the guest's ping")
        eventually(lambda: self.shell("true"), timeout=BOOT_SECONDS)

    def shell(self, command: str, *, of: str = "") -> str:
        """What a command prints inside, or in its copy at another address."""
        return self.cloud.cluster.guest_shell(of or self.address, command, password=self._password)

    def ask(self, expect: int = 200, **action: Any) -> Any:
        """The answer to an action."""
        return self.user.call("POST", f"{COMPUTE}/servers/{self.id}/action", expect=expect, json=action)

    def shows(self, text: str) -> None:
        """Wait until the text is on its first terminal."""

        def check() -> None:
            screen = self.shell("cat /dev/vcs1")
            assert text in screen, screen

        eventually(check, timeout=BOOT_SECONDS)


class Guests:
    """Makes a guest when there is none."""

    def __init__(self, cloud: Cloud, user: CloudUser, image: str) -> None:
        self._arguments = (cloud, user, image)
        self._guest: Guest | None = None

    def running(self) -> Guest:
        """The guest, if nobody has removed it, or a new one."""
        if self._guest is None or self._guest.user.server(self._guest.id)["status"] != "ACTIVE":
            self._guest = Guest(*self._arguments)
        return self._guest


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
