"""A server's whole life, once for each image."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from cyclades.burnin.choices import chosen
from cyclades.burnin.failures import CheckFailed, Skipped, check, differs, same
from cyclades.burnin.rfb import shake_hands
from cyclades.burnin.suite import Run, Suite, step
from cyclades.burnin.suites.cloud import NOTE_TEXT, CloudSuite, Item, Server, login_name

_FIRST_TAGS = ("tag1", "tag2")
_NEW_TAGS = ("tag3", "ετικέτα4")
_LONE_TAG = "ετικέτα5"
_RDP = 3389


class ServerTestSuite(CloudSuite):
    """A server from its creation to its end: metadata, tags, console, addresses, logins, rescue."""

    name = "ServerTestSuite"

    def __init__(self, run: Run, *, variant: str = "", image: Item | None = None) -> None:
        super().__init__(run, variant=variant)
        self._image = image

    # -- creation ----------------------------------------------------------------------------------

    @step("a floating IP and a port for it are reserved")
    def reserve(self) -> None:
        self.ip: Item | None = None
        self.port: Item | None = None
        try:
            self.ip = self.reserve_address()
        except Skipped as reason:
            raise Skipped(f"{reason}: the server gets the default networks") from None
        network = self.ip["floating_network_id"]
        self.port = self.create_port(network, address=self.ip["floating_ip_address"])
        self.wait_port(self.port["id"], "DOWN")
        listed = [port["id"] for port in self.call("network", "GET", "ports")["ports"]]
        check(self.port["id"] in listed, f"port {self.port['id']} is not in the list")

    @step("a server is created and charged")
    def create(self) -> None:
        self.image = self._image or self.choose_image()
        self.flavor = self.choose_flavor()
        more: dict[str, Any] = {"tags": list(_FIRST_TAGS)}
        if self.port:
            more["networks"] = [{"port": self.port["id"]}]
        self.server: Server = self.create_server("server", self.image, self.flavor, **more)

    @step("the server is in the lists while it is built")
    def build_seen(self) -> None:
        listed = self.call("compute", "GET", "servers/detail")["servers"]
        mine = [item for item in listed if item["id"] == self.server.id]
        same("entries of the server in the detailed list", len(mine), 1)
        for shown in (mine[0], self.show(self.server)):
            same("the server's name", shown["name"], self.server.name)
            same("the server's flavor", shown["flavor"]["id"], self.flavor["id"])
            same("the server's image", shown["image"]["id"], self.image["id"])

    @step("metadata can be written while it is built")
    def metadata(self) -> None:
        path = f"servers/{self.server.id}/metadata"
        system = str(self.image["metadata"].get("os", "unknown"))
        self.client.ask("compute", "POST", path, json={"metadata": {"OS": system}}, expect=(200, 201))
        same("the metadata", self.call("compute", "GET", path)["metadata"].get("OS"), system)

    @step("the server becomes ACTIVE")
    def build(self) -> None:
        self.wait_server(self.server, "ACTIVE", "BUILD")
        self.ledger.check()

    @step("the image's properties are on the server")
    def system(self) -> None:
        metadata = self.image["metadata"]
        check(metadata.get("osfamily"), "the image has no 'osfamily'")
        check(metadata.get("os"), "the image has no 'os'")
        seen = {key.lower(): value for key, value in self.show(self.server)["metadata"].items()}
        same("the server's 'os'", seen.get("os"), metadata["os"])

    # -- tags --------------------------------------------------------------------------------------

    def _tags(self) -> frozenset[str]:
        return frozenset(self.show(self.server)["tags"])

    def _wait_tags(self, tags: Sequence[str], *through: Sequence[str]) -> None:
        passing = tuple(frozenset(group) for group in through)
        self.wait("the set of tags", self._tags, until=frozenset(tags), through=passing)

    @step("the tags given at creation become active")
    def first_tags(self) -> None:
        self._wait_tags(_FIRST_TAGS, (), _FIRST_TAGS[:1], _FIRST_TAGS[1:])

    @step("all tags are replaced")
    def replace_tags(self) -> None:
        path = f"servers/{self.server.id}/tags"
        self.client.ask("compute", "PUT", path, json={"tags": list(_NEW_TAGS)})
        self._wait_tags(_NEW_TAGS, _FIRST_TAGS, ())

    @step("all tags are removed")
    def remove_tags(self) -> None:
        self.client.ask("compute", "DELETE", f"servers/{self.server.id}/tags", expect=204)
        self._wait_tags((), _NEW_TAGS)

    @step("one tag is added, found and removed")
    def lone_tag(self) -> None:
        path = f"servers/{self.server.id}/tags/{_LONE_TAG}"
        self.client.ask("compute", "PUT", path, expect=201)
        self._wait_tags((_LONE_TAG,), ())
        found = self.client.ask("compute", "GET", path, expect=204)
        same("the header tag-status", found.headers.get("tag-status"), "ACTIVE")
        self.client.ask("compute", "DELETE", path, expect=204)
        self._wait_tags((), (_LONE_TAG,))

    # -- console and addresses ---------------------------------------------------------------------

    @step("the console accepts a VNC client with its password")
    def console(self) -> None:
        if not self.options.console:
            raise Skipped("--no-console")
        path = f"servers/{self.server.id}/action"
        answer = self.call("compute", "POST", path, json={"console": {"type": "vnc"}})["console"]
        same("the console's type", answer["type"], "vnc")
        shake_hands(answer["host"], int(answer["port"]), answer["password"])

    @step("the server has the floating IP as its public address")
    def address(self) -> None:
        found = self.public_addresses(self.server)
        check(found, "the server has no public IPv4 address")
        self.server.address = found[0]
        if self.ip:
            self.server.address = self.ip["floating_ip_address"]
            check(self.server.address in found, f"the floating IP is not among its addresses {found}")
        # What the deployment gives to every server comes on top.
        self.given = [address for address in found if address != self.server.address]

    @step("the server answers ping")
    def ping_first(self) -> None:
        self.ping(self.server.address)

    @step("the server answers ping over IPv6")
    def ping_six(self) -> None:
        if not self.options.ipv6:
            raise Skipped("--no-ipv6")
        address = self.find_address(self.server, version=6)
        if not address:
            raise Skipped("the server has no public IPv6 address")
        self.ping(address)

    @step("its address is taken away while it runs")
    def take_address(self) -> None:
        if not self.ip or not self.port:
            raise Skipped("the server has no floating IP")
        self.delete_port(self.port["id"])
        same("public addresses of the server", self.public_addresses(self.server), self.given)
        shown = self.call("network", "GET", f"floatingips/{self.ip['id']}")["floatingip"]
        same("the port of the floating IP", shown["port_id"], None)
        if self.options.ipv4_ping:
            self.insist("silence of the address", lambda: not self.guests.pings(self.server.address))
        self.release_address(self.ip)

    @step("another address is given to it while it runs")
    def give_address(self) -> None:
        if not self.ip:
            raise Skipped("the server has no floating IP")
        self.ip = self.reserve_address()
        address, network = self.ip["floating_ip_address"], self.ip["floating_network_id"]
        self.port = self.create_port(network, address=address, server=self.server.id)
        self.wait_port(self.port["id"], "ACTIVE")
        same("public addresses", sorted(self.public_addresses(self.server)), sorted([*self.given, address]))
        self.server.address = address

    # -- stop, start, inside -----------------------------------------------------------------------

    @step("the server is shut down")
    def shut_down(self) -> None:
        self.stop(self.server)

    @step("the server is started")
    def start_again(self) -> None:
        self.start(self.server)

    @step("the started server answers ping")
    def ping_started(self) -> None:
        self.ping(self.server.address)

    @step("logins work with the password of the creation, and the host name is right")
    def log_in(self) -> None:
        if self._windows:
            return self._remote_desktop()
        name = self.shell(self.server, "hostname").strip()
        check(name.endswith(f"-{self.server.id}"), f"the host name is {name!r}")

    @property
    def _windows(self) -> bool:
        return str(self.image["metadata"].get("osfamily", "")).lower() == "windows"

    def _remote_desktop(self) -> None:
        if not self.options.ssh:
            raise Skipped("--no-ssh")

        def open_port() -> bool:
            try:
                socket.create_connection((self.server.address, _RDP), timeout=10).close()
            except OSError:
                return False
            return True

        self.insist(f"port {_RDP} of {self.server.address}", open_port)

    @step("the file given at the creation is inside, readable by its owner only")
    def personality(self) -> None:
        if self._windows:
            raise Skipped("files are injected into Linux images only")
        user = login_name(self.image)
        home = "/root" if user == "root" else f"/home/{user}"
        seen = self.shell(self.server, f"cat {home}/burnin.txt && stat -c '%U %a' {home}/burnin.txt")
        same("the file", seen, f"{NOTE_TEXT.decode()}{user} 600\n")

    # -- rescue ------------------------------------------------------------------------------------

    def _wait_rescue(self, wanted: bool) -> None:
        self.wait("SNF:rescue", lambda: self.show(self.server)["SNF:rescue"], until=wanted)
        self.wait_server(self.server, "STOPPED")

    @step("the server enters the rescue mode, boots in it and leaves it")
    def rescue(self) -> None:
        if not self.options.rescue:
            raise Skipped("--no-rescue")
        self.stop(self.server)
        same("SNF:rescue", self.show(self.server)["SNF:rescue"], False)
        self.act(self.server, rescue={})
        self._wait_rescue(True)
        self.start(self.server)
        self.stop(self.server)
        self.act(self.server, unrescue={})
        self._wait_rescue(False)
        self.start(self.server)

    @step("the server is destroyed and its address given back")
    def remove(self) -> None:
        self.destroy(self.server)
        if self.ip:
            shown = self.call("network", "GET", f"floatingips/{self.ip['id']}")["floatingip"]
            differs("the port of the floating IP", shown["port_id"] is not None, True)
            self.release_address(self.ip)


def server_suites(run: Run) -> list[Suite]:
    """One suite for each image that the options name; one for the first image without any."""
    if not run.options.images or not run.client.offers("compute"):
        return [ServerTestSuite(run)]
    images = run.client.call("compute", "GET", "images/detail")["images"]
    found = chosen(images, run.options.images)
    if not found:
        raise CheckFailed("no image fits (see --images)")
    return [ServerTestSuite(run, variant=str(image["name"]), image=image) for image in found]
