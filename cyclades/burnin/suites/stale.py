"""What earlier runs left: found by the beginning of the name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from cyclades.burnin.failures import CheckFailed
from cyclades.burnin.suite import Run, Suite, step

PREFIX = "snf-test-"
Item = Mapping[str, Any]


class StaleSuite(Suite):
    """Base: list what is left, then remove it if asked to."""

    what: ClassVar[str]
    alone = True

    def left(self) -> Sequence[Item]:
        """What earlier runs left."""
        raise NotImplementedError

    def remove(self, item: Item) -> None:
        """Order the end of one of them."""
        raise NotImplementedError

    @step("nothing is left of earlier runs")
    def search(self) -> None:
        if not self.client.offers(self.services[0]):
            return
        found = self.left()
        if not found:
            return
        names = ", ".join(f"{item.get('name') or item['id']} ({item['id']})" for item in found)
        if not self.options.delete_stale:
            raise CheckFailed(f"{len(found)} {self.what} left of earlier runs: {names}")
        self.run.say(f"    removing {len(found)} {self.what}: {names}", 1)
        for item in found:
            self.remove(item)
        self.wait(f"the number of {self.what} left", lambda: len(self.left()), until=0)


class StaleServersTestSuite(StaleSuite):
    """Servers of earlier runs."""

    name = "StaleServersTestSuite"
    what = "servers"
    services = ("compute", "network")

    def __init__(self, run: Run, *, variant: str = "") -> None:
        super().__init__(run, variant=variant)
        self.addresses: list[str] = []

    def left(self) -> Sequence[Item]:
        listed = self.call("compute", "GET", "servers/detail")["servers"]
        return [item for item in listed if item["name"].startswith(PREFIX) and item["status"] != "DELETED"]

    def remove(self, item: Item) -> None:
        for ip in self.call("network", "GET", "floatingips")["floatingips"]:
            if str(ip["instance_id"]) == str(item["id"]):
                # Addresses have no names: that of a test's server is the test's.
                self.addresses.append(ip["id"])
        self.client.ask("compute", "DELETE", f"servers/{item['id']}", expect=(204, 404))

    @step("the floating IPs of such servers are given back")
    def give_back(self) -> None:
        for ip in self.addresses:
            self.client.ask("network", "DELETE", f"floatingips/{ip}", expect=(204, 404))


class StaleFloatingIPsTestSuite(StaleSuite):
    """Floating IPs that nobody uses: with no server of an earlier run left, only such are known to be its."""

    name = "StaleFloatingIPsTestSuite"
    what = "unused ports of floating IPs"
    services = ("network",)

    def left(self) -> Sequence[Item]:
        ports = self.call("network", "GET", "ports/detail")["ports"]
        return [port for port in ports if port["name"].startswith(PREFIX) and not port["device_id"]]

    def remove(self, item: Item) -> None:
        addresses = {entry["ip_address"] for entry in item["fixed_ips"]}
        for ip in self.call("network", "GET", "floatingips")["floatingips"]:
            if ip["floating_ip_address"] in addresses:
                self.client.ask("network", "DELETE", f"ports/{item['id']}", expect=(204, 404))
                self.wait("the floating IP's port", partial(self._port_of, ip), until=None)
                self.client.ask("network", "DELETE", f"floatingips/{ip['id']}", expect=(204, 404))
                return
        self.client.ask("network", "DELETE", f"ports/{item['id']}", expect=(204, 404))

    def _port_of(self, ip: Item) -> object:
        shown = self.client.ask("network", "GET", f"floatingips/{ip['id']}", expect=(200, 404))
        return shown.json()["floatingip"]["port_id"] if shown.status_code == 200 else None


class StaleNetworksTestSuite(StaleSuite):
    """Private networks of earlier runs."""

    name = "StaleNetworksTestSuite"
    what = "networks"
    services = ("network",)

    def left(self) -> Sequence[Item]:
        listed = self.call("network", "GET", "networks/detail")["networks"]
        return [
            item for item in listed if str(item["name"]).startswith(PREFIX) and item["status"] != "DELETED"
        ]

    def remove(self, item: Item) -> None:
        for port in self.call("network", "GET", "ports/detail")["ports"]:
            if port["network_id"] == item["id"]:
                self.client.ask("network", "DELETE", f"ports/{port['id']}", expect=(204, 404))
        self.wait("the network's ports", lambda: self._ports(item), until=0)
        self.client.ask("network", "DELETE", f"networks/{item['id']}", expect=(204, 404))

    def _ports(self, item: Item) -> int:
        ports = self.call("network", "GET", "ports/detail")["ports"]
        return sum(port["network_id"] == item["id"] for port in ports)


class StaleVolumesTestSuite(StaleSuite):
    """Volumes of earlier runs that are on no server."""

    name = "StaleVolumesTestSuite"
    what = "volumes"
    services = ("volume",)

    def left(self) -> Sequence[Item]:
        if not self.client.offers("volume"):
            return []
        listed = self.call("volume", "GET", "volumes/detail")["volumes"]
        return [
            item | {"name": item["display_name"]}
            for item in listed
            if str(item["display_name"]).startswith(PREFIX) and item["status"] != "deleted"
        ]

    def remove(self, item: Item) -> None:
        self.client.ask("volume", "DELETE", f"volumes/{item['id']}", expect=(202, 204, 404))


class StaleKeypairsTestSuite(StaleSuite):
    """SSH keys of earlier runs."""

    name = "StaleKeypairsTestSuite"
    what = "keys"
    services = ("compute",)

    def left(self) -> Sequence[Item]:
        keys = [item["keypair"] for item in self.call("compute", "GET", "os-keypairs")["keypairs"]]
        return [key | {"id": key["name"]} for key in keys if key["name"].startswith(PREFIX)]

    def remove(self, item: Item) -> None:
        self.client.ask("compute", "DELETE", f"os-keypairs/{item['name']}", expect=(202, 204, 404))
