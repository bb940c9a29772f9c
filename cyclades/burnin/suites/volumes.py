"""Volumes: made, attached, moved between servers, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cyclades.burnin.failures import CheckFailed, Skipped, TimedOut, check, same
from cyclades.burnin.ledger import DISK
from cyclades.burnin.suite import step
from cyclades.burnin.suites.cloud import CloudSuite, Item, Server

_SIZE = 1
#: The source of the diagnostic that tells of a device which its running server did not get or give.
_HOTPLUG = "hotplug"


class _NotHotplugged(Exception):
    """The cloud itself says that the running system has not seen the change."""


class VolumeTestSuite(CloudSuite):
    """Volumes of both kinds: those that can move between servers and those that stay."""

    name = "VolumeTestSuite"
    services = (*CloudSuite.services, "volume")

    # -- what the steps use ------------------------------------------------------------------------

    def _volume(self, volume: object) -> Item:
        shown: Item = self.call("volume", "GET", f"volumes/{volume}")["volume"]
        return shown

    def _wait_volume(self, volume: object, status: str, *through: str) -> None:
        self.wait(f"volume {volume}", lambda: self._volume(volume)["status"], until=status, through=through)

    def _create(self, what: str, kind: Item, server: Server | None) -> str:
        body: dict[str, Any] = {"size": _SIZE, "display_name": self.label(what), "volume_type": kind["id"]}
        if server is not None:
            body["server_id"] = str(server.id)
        final = "in_use" if server else "available"
        with self.ledger.change(self.project, {DISK: _SIZE << 30}):
            made = self.call("volume", "POST", "volumes", json={"volume": body}, expect=202)["volume"]
            self.on_cleanup(f"volume {made['id']}", lambda: self._forget(made["id"]))
            self._wait_volume(made["id"], final, "creating")
        shown = self._volume(made["id"])
        same("the volume's name", shown["display_name"], body["display_name"])
        same("the volume's size", shown["size"], _SIZE)
        same("the volume's project", shown["tenant_id"], self.project)
        return str(made["id"])

    def _forget(self, volume: str) -> None:
        if self._volume(volume)["status"] not in ("deleted", "deleting"):
            self.client.ask("volume", "DELETE", f"volumes/{volume}", expect=None)

    def _attachments(self, server: Server) -> list[str]:
        path = f"servers/{server.id}/os-volume_attachments"
        listed = self.call("compute", "GET", path)["volumeAttachments"]
        return [str(item["volumeId"]) for item in listed]

    def _attach(self, server: Server, volume: str) -> None:
        body = {"volumeAttachment": {"volumeId": volume}}
        path = f"servers/{server.id}/os-volume_attachments"
        self.client.ask("compute", "POST", path, json=body, expect=(200, 202))
        self._wait_volume(volume, "in_use", "attaching")
        check(volume in self._attachments(server), f"volume {volume} is not on server {server.id}")

    def _detach(self, server: Server, volume: str) -> None:
        path = f"servers/{server.id}/os-volume_attachments/{volume}"
        self.client.ask("compute", "DELETE", path, expect=202)
        self._wait_volume(volume, "available", "detaching", "in-use")
        check(volume not in self._attachments(server), f"volume {volume} is still on server {server.id}")

    def _delete(self, volume: str, *through: str) -> None:
        with self.ledger.change(self.project, {DISK: -_SIZE << 30}):
            self.client.ask("volume", "DELETE", f"volumes/{volume}", expect=202)
            self._wait_volume(volume, "deleted", "deleting", *through)

    # -- steps -------------------------------------------------------------------------------------

    @step("there are volume types of both kinds")
    def kinds(self) -> None:
        types = self.call("volume", "GET", "types")["volume_types"]
        self.detachable = self._kind(types, self.options.detachable_type, True)
        self.fixed = self._kind(types, self.options.other_type, False)

    def _kind(self, types: list[Item], wanted: str | None, detachable: bool) -> Item:
        for item in types:
            if bool(item["SNF:detachable"]) is detachable and wanted in (None, str(item["id"])):
                return item
        word = "detachable" if detachable else "non-detachable"
        raise CheckFailed(f"there is no {word} volume type{f' {wanted}' if wanted else ''}")

    def _server(self, what: str, kind: Item, networks: Sequence[Item] = ()) -> Server:
        choices = self.options.volume_flavors
        flavor = self.choose_flavor(template=kind["SNF:disk_template"], choices=choices)
        server = self.create_server(what, self.choose_image(), flavor, networks=list(networks))
        self.wait_server(server, "ACTIVE", "BUILD")
        same(f"volumes of the new server {server.id}", len(self._attachments(server)), 1)
        return server

    @step("a server for each kind has one volume")
    def servers_of_kinds(self) -> None:
        # The first is looked into.
        networks = self.public_networks().get("networks", []) if self.options.ssh else []
        self.first = self._server("volumes 1", self.detachable, networks)
        self.first.address = self.find_address(self.first)
        self.second = self._server("volumes 2", self.detachable)
        self.plain = self._server("volumes 3", self.fixed)

    @step("a volume of its own is made and charged")
    def create(self) -> None:
        self.volume = self._create("detachable", self.detachable, None)

    @step("the first server can be looked into")
    def disks_before(self) -> None:
        self.disks, self.warned = 0, 0
        if not self.first.address:
            raise Skipped("the server has no public address, or --no-ssh")
        self.disks, self.warned = self._disks_inside(), len(self._warnings())

    def _disks_inside(self) -> int:
        """How many disks the guest's own system sees."""
        return int(self.shell(self.first, "ls /sys/block | grep -c -E '^(vd|sd|xvd)'"))

    def _see_disks(self, more: int) -> None:
        """Insist on the number of disks inside, if need be after a restart, of which the step then tells."""
        if not self.disks:
            raise Skipped("the server can't be looked into")
        wanted = self.disks + more
        try:
            self.insist(f"the number of disks inside being {wanted}", lambda: self._plugged(wanted))
            return
        except (_NotHotplugged, TimedOut) as reason:
            self.say(f"{reason}; stopping and starting the server")
        self.stop(self.first)
        self.start(self.first)
        self.wait("the number of disks inside", self._disks_inside, until=wanted)
        raise Skipped("not hotplugged: the guest sees it after a restart")

    def _plugged(self, wanted: int) -> bool:
        if self._disks_inside() == wanted:
            return True
        warnings = self._warnings()
        if len(warnings) > self.warned:
            self.warned = len(warnings)
            raise _NotHotplugged(warnings[0])
        return False

    def _warnings(self) -> list[str]:
        """What the server's diagnostics say about hotplug, the newest first."""
        told = self.call("compute", "GET", f"servers/{self.first.id}/diagnostics")
        return [str(item["message"]) for item in told if item["source"] == _HOTPLUG]

    @step("it is attached to a server")
    def attach(self) -> None:
        self._attach(self.first, self.volume)
        same("volumes of the server", len(self._attachments(self.first)), 2)

    @step("the running server's system sees it")
    def seen_inside(self) -> None:
        self._see_disks(1)

    @step("it is detached")
    def detach(self) -> None:
        self._detach(self.first, self.volume)

    @step("the running server's system no longer sees it")
    def gone_inside(self) -> None:
        self._see_disks(0)

    @step("it is attached to another server and detached again")
    def move(self) -> None:
        self._attach(self.second, self.volume)
        self._detach(self.second, self.volume)

    @step("it is deleted and no longer charged")
    def delete(self) -> None:
        self._delete(self.volume, "available")

    @step("a volume is made on a server")
    def create_on_server(self) -> None:
        self.volume = self._create("on a server", self.fixed, self.plain)
        same("volumes of the server", len(self._attachments(self.plain)), 2)

    @step("it is deleted from there")
    def delete_from_server(self) -> None:
        self._delete(self.volume)
        same("volumes of the server", len(self._attachments(self.plain)), 1)

    @step("the servers are destroyed")
    def remove(self) -> None:
        for server in (self.first, self.second, self.plain):
            self.destroy(server)
        self.release_all()
