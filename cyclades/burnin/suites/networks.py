"""Two servers on one private network."""

from __future__ import annotations

from functools import partial

from cyclades.burnin.failures import Skipped, check, same
from cyclades.burnin.suite import step
from cyclades.burnin.suites.cloud import CloudSuite, Item, Server

#: Where the guest does not configure an interface by itself, it is done by hand, so that the wire is tested.
_CONFIGURE = """
for device in /sys/class/net/*; do
    [ "$(cat $device/address)" = {mac} ] || continue
    name=${{device##*/}}
    ip link set $name up
    ip -4 address show dev $name | grep -q 'inet {address}/' || ip address add {address}/{length} dev $name
    echo $name
done
"""


class NetworkTestSuite(CloudSuite):
    """A private network between two servers (on two clusters, if the deployment puts them there)."""

    name = "NetworkTestSuite"

    @step("two servers are created")
    def create(self) -> None:
        image, flavor = self.choose_image(), self.choose_flavor()
        self.pair: list[Server] = []
        self.ips: list[Item] = []
        for letter in "AB":
            more = {}
            if self.pool_networks():
                ip = self.reserve_address()
                port = self.create_port(ip["floating_network_id"], address=ip["floating_ip_address"])
                self.ips.append(ip)
                more = {"networks": [{"port": port["id"]}]}
            self.pair.append(self.create_server(f"server {letter}", image, flavor, **more))

    @step("both become ACTIVE")
    def build(self) -> None:
        for number, server in enumerate(self.pair):
            self.wait_server(server, "ACTIVE", "BUILD")
            server.address = self.find_address(server, self.ips[number] if self.ips else None)
            check(server.address, f"server {server.id} has no public IPv4 address")

    @step("a private network is created and charged")
    def network(self) -> None:
        self.private = self.create_network()
        listed = [item["id"] for item in self.call("network", "GET", "networks")["networks"]]
        check(self.private["id"] in listed, "the network is not in the list")

    @step("both are connected while they run")
    def connect(self) -> None:
        self.ports = [self.create_port(self.private["id"], server=server.id) for server in self.pair]
        for port in self.ports:
            self.wait_port(port["id"], "ACTIVE")
        for server in self.pair:
            nics = self.show(server)["attachments"]
            mine = [nic for nic in nics if nic["network_id"] == self.private["id"]]
            same(f"addresses of server {server.id} on the private network", len(mine), 1)
            check(mine[0]["ipv4"], f"server {server.id} has no address on the private network")

    @step("both are stopped and started")
    def restart(self) -> None:
        for server in self.pair:
            self.stop(server)
        for server in self.pair:
            self.start(server)

    @step("both answer ping on their public addresses")
    def ping_public(self) -> None:
        for server in self.pair:
            self.ping(server.address)

    @step("they reach each other over the private network")
    def ping_private(self) -> None:
        if not self.options.ssh:
            raise Skipped("--no-ssh")
        addresses = [self._configured(server) for server in self.pair]
        for server, other in zip(self.pair, reversed(addresses), strict=True):
            command = f"ping -c 3 -w 20 {other} >/dev/null && echo reached"
            self.insist(f"ping of {other} from server {server.id}", partial(self._reaches, server, command))

    def _reaches(self, server: Server, command: str) -> bool:
        return self.shell(server, f"{command} || true").strip() == "reached"

    def _configured(self, server: Server) -> str:
        nics = self.show(server)["attachments"]
        nic = next(item for item in nics if item["network_id"] == self.private["id"])
        address = str(nic["ipv4"])
        if server.user == "root":
            script = _CONFIGURE.format(mac=nic["mac_address"], address=address, length=28)
            check(
                self.shell(server, script).strip(),
                f"server {server.id} has no interface {nic['mac_address']}",
            )
        return address

    @step("both are disconnected while they run")
    def disconnect(self) -> None:
        for port in self.ports:
            self.delete_port(port["id"])
        for server in self.pair:
            ids = [nic["network_id"] for nic in self.show(server)["attachments"]]
            check(self.private["id"] not in ids, f"server {server.id} is still on the private network")

    @step("the network is deleted and no longer charged")
    def drop_network(self) -> None:
        self.delete_network(self.private)

    @step("both servers are destroyed and their addresses given back")
    def remove(self) -> None:
        for server in self.pair:
            self.destroy(server)
        for ip in self.ips:
            self.release_address(ip)
