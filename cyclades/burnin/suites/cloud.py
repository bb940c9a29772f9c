"""What all suites with servers do: addresses, ports, networks and servers, each charged and removed again."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from cyclades.burnin.choices import chosen
from cyclades.burnin.client import UnexpectedStatus
from cyclades.burnin.failures import CheckFailed, Skipped, check, one_of, same
from cyclades.burnin.guests import Guests, Login
from cyclades.burnin.ledger import CPU, DISK, FLOATING_IP, PRIVATE_NETWORK, RAM, TOTAL_CPU, TOTAL_RAM, VM
from cyclades.burnin.suite import Run, Suite

Item = Mapping[str, Any]
NOTE_TEXT = b"written by snf-burnin\n"


@dataclass
class Server:
    """A server of a suite, with what is needed to charge and to enter it."""

    id: int
    name: str
    password: str
    project: str
    flavor: Item
    user: str
    volumes: list[int] = field(default_factory=list)
    address: str = ""
    stopped: bool = False
    #: GiB of volumes beyond the flavor's that go with it.
    extra_disk: int = 0

    def running_cost(self) -> dict[str, int]:
        """What a stopped server does not cost."""
        return {CPU: self.flavor["vcpus"], RAM: self.flavor["ram"] << 20}

    def lasting_cost(self) -> dict[str, int]:
        """What every server costs until it is destroyed."""
        return {
            VM: 1,
            DISK: (self.flavor["disk"] + self.extra_disk) << 30,
            TOTAL_CPU: self.flavor["vcpus"],
            TOTAL_RAM: self.flavor["ram"] << 20,
        }

    def cost(self) -> dict[str, int]:
        """What it costs now."""
        return self.lasting_cost() | ({} if self.stopped else self.running_cost())

    def login(self, key: str = "") -> Login:
        """The way into it."""
        return Login(self.address, "root" if key else self.user, "" if key else self.password, key)


def negative(cost: Mapping[str, int]) -> dict[str, int]:
    """The same amounts, given back."""
    return {resource: -amount for resource, amount in cost.items()}


class CloudSuite(Suite):
    """Base of the suites with servers."""

    services: ClassVar[tuple[str, ...]] = ("compute", "network", "image", "account")

    def __init__(self, run: Run, *, variant: str = "") -> None:
        super().__init__(run, variant=variant)
        self.guests = Guests(run.options)
        self.servers: dict[int, Server] = {}
        self.reserved: list[Item] = []

    @property
    def project(self) -> str:
        """The project that is charged when none is named."""
        return self.run.access.default_project

    # -- flavors and images ------------------------------------------------------------------------

    def choose_flavor(self, *, template: str | None = None, choices: Sequence[Any] | None = None) -> Item:
        """The first flavor that the options name, or the smallest."""
        flavors = [
            item
            for item in self.call("compute", "GET", "flavors/detail")["flavors"]
            if item.get("SNF:allow_create", True) and template in (None, item["SNF:disk_template"])
        ]
        selected = chosen(flavors, self.options.flavors if choices is None else choices)
        if not selected:
            raise CheckFailed(f"no flavor fits (template: {template or 'any'}; see --flavors)")
        if self.options.flavors if choices is None else choices:
            return selected[0]
        return min(selected, key=lambda item: (item["ram"], item["vcpus"], item["disk"]))

    def choose_image(self) -> Item:
        """The first image that the options name, or the first that is no snapshot."""
        images = self.call("compute", "GET", "images/detail")["images"]
        found = chosen([item for item in images if not item.get("is_snapshot")], self.options.images)
        if not found:
            raise CheckFailed("no image fits (see --images)")
        return found[0]

    # -- addresses ---------------------------------------------------------------------------------

    def pool_networks(self) -> list[Item]:
        """Public networks that give floating addresses."""
        networks = self.call("network", "GET", "networks/detail")["networks"]
        return [item for item in networks if item.get("public") and item.get("SNF:floating_ip_pool")]

    def reserve_address(self, project: str | None = None) -> Item:
        """Reserve a floating IPv4 address of the first network that has one."""
        project = project or self.project
        refusals = []
        for network in self.pool_networks():
            try:
                return self._reserve_from(network, project)
            except UnexpectedStatus as error:
                refusals.append(str(error))
        if refusals:
            raise CheckFailed("no floating IP: " + "; ".join(refusals))
        raise Skipped("no public network gives floating IPs")

    def _reserve_from(self, network: Item, project: str) -> Item:
        body = {"floatingip": {"floating_network_id": network["id"], "project": project}}
        with self.ledger.change(project, {FLOATING_IP: 1}):
            ip: Item = self.call("network", "POST", "floatingips", json=body)["floatingip"]
            self.on_cleanup(f"floating IP {ip['floating_ip_address']}", lambda: self._forget_ip(ip))
        listed = [item["id"] for item in self.call("network", "GET", "floatingips")["floatingips"]]
        check(ip["id"] in listed, f"floating IP {ip['id']} is not in the list")
        check("." in ip["floating_ip_address"], f"{ip['floating_ip_address']} is no IPv4 address")
        return ip

    def release_address(self, ip: Item) -> None:
        """Give a floating address back."""
        project = self.call("network", "GET", f"floatingips/{ip['id']}")["floatingip"]["tenant_id"]
        with self.ledger.change(project, {FLOATING_IP: -1}):
            self.client.ask("network", "DELETE", f"floatingips/{ip['id']}", expect=204)
        listed = [item["id"] for item in self.call("network", "GET", "floatingips")["floatingips"]]
        check(ip["id"] not in listed, f"floating IP {ip['id']} is still in the list")

    def _forget_ip(self, ip: Item) -> None:
        answer = self.client.ask("network", "GET", f"floatingips/{ip['id']}", expect=None)
        if answer.status_code != 200 or answer.json()["floatingip"].get("deleted"):
            return
        if answer.json()["floatingip"].get("port_id"):
            self.delete_port(answer.json()["floatingip"]["port_id"])
        self.client.ask("network", "DELETE", f"floatingips/{ip['id']}", expect=(204, 404))

    def public_networks(self) -> dict[str, Any]:
        """What an order says to get a public address of its own: a fresh floating IP, if there is a pool."""
        if not self.pool_networks():
            return {}
        ip = self.reserve_address()
        self.reserved.append(ip)
        return {"networks": [{"uuid": ip["floating_network_id"], "fixed_ip": ip["floating_ip_address"]}]}

    def release_all(self) -> None:
        """Give back what :meth:`public_networks` reserved."""
        while self.reserved:
            self.release_address(self.reserved.pop())

    # -- ports and networks ------------------------------------------------------------------------

    def create_port(self, network: object, *, address: str = "", server: int | None = None) -> Item:
        """Create a port, with a floating address or on a server."""
        body: dict[str, Any] = {"network_id": str(network), "name": self.label("port")}
        if address:
            body["fixed_ips"] = [{"ip_address": address}]
        if server is not None:
            body["device_id"] = str(server)
        port: Item = self.call("network", "POST", "ports", json={"port": body}, expect=(200, 201))["port"]
        self.on_cleanup(f"port {port['id']}", lambda: self._forget_port(port["id"]))
        return port

    def wait_port(self, port: object, status: str) -> None:
        """Wait until a port has a status; only BUILD and DOWN may come before."""
        self.wait(
            f"port {port}",
            lambda: self.call("network", "GET", f"ports/{port}")["port"]["status"],
            until=status,
            through=("BUILD", "DOWN"),
        )

    def delete_port(self, port: object) -> None:
        """Remove a port and wait until nobody finds it."""
        self.client.ask("network", "DELETE", f"ports/{port}", expect=204)
        self.wait(
            f"the status of the answer for port {port}",
            lambda: self.client.ask("network", "GET", f"ports/{port}", expect=None).status_code,
            until=404,
            through=(200,),
        )

    def _forget_port(self, port: object) -> None:
        found = self.client.ask("network", "GET", f"ports/{port}", expect=None)
        if found.status_code == 200 and not found.json()["port"].get("device_id"):
            self.client.ask("network", "DELETE", f"ports/{port}", expect=(204, 404))

    def create_network(self, *, project: str | None = None) -> Item:
        """Create a private network with a subnet."""
        project = project or self.project
        name = self.label("private")
        body = {"type": "MAC_FILTERED", "name": name, "shared": False, "project": project}
        with self.ledger.change(project, {PRIVATE_NETWORK: 1}):
            network: Item = self.call(
                "network", "POST", "networks", json={"network": body}, expect=(200, 201)
            )["network"]
            self.on_cleanup(f"network {network['id']}", lambda: self._forget_network(network["id"]))
        same("the network's name", network["name"], name)
        same("the network's project", network["tenant_id"], project)
        subnet = {"network_id": network["id"], "cidr": "10.0.1.0/28", "gateway_ip": None, "ip_version": 4}
        self.call("network", "POST", "subnets", json={"subnet": subnet}, expect=(200, 201))
        self.wait(
            f"network {network['id']}",
            lambda: self.call("network", "GET", f"networks/{network['id']}")["network"]["status"],
            until="ACTIVE",
            through=("BUILD", "PENDING"),
        )
        return network

    def delete_network(self, network: Item) -> None:
        """Remove a private network and wait for its end."""
        path = f"networks/{network['id']}"
        with self.ledger.change(network["tenant_id"], {PRIVATE_NETWORK: -1}):
            self.client.ask("network", "DELETE", path, expect=204)
            self.wait(
                f"network {network['id']}",
                lambda: self.call("network", "GET", path)["network"]["status"],
                until="DELETED",
                through=("ACTIVE", "SNF:DRAINED"),
            )
        listed = [item["id"] for item in self.call("network", "GET", "networks")["networks"]]
        check(network["id"] not in listed, f"network {network['id']} is still in the list")

    def _forget_network(self, network: object) -> None:
        answer = self.client.ask("network", "GET", f"networks/{network}", expect=None)
        if answer.status_code == 200 and answer.json()["network"]["status"] != "DELETED":
            for port in self.call("network", "GET", "ports")["ports"]:
                if port["network_id"] == str(network) and port["device_owner"] != "router":
                    self.client.ask("network", "DELETE", f"ports/{port['id']}", expect=None)
            self.wait("the network's ports", lambda: self._ports_on(network), until=0)
            self.client.ask("network", "DELETE", f"networks/{network}", expect=(204, 404))

    def _ports_on(self, network: object) -> int:
        ports = self.call("network", "GET", "ports/detail")["ports"]
        return sum(port["network_id"] == str(network) for port in ports)

    # -- servers -----------------------------------------------------------------------------------

    def create_server(self, what: str, image: Item, flavor: Item, **more: Any) -> Server:
        """Order a server, check the answer and what it costs."""
        project = more.get("project") or self.client.access().default_project
        family = str(image["metadata"].get("osfamily", "linux")).lower()
        if family != "windows":
            more["personality"] = [self._note(image)]
        body = {"name": self.label(what), "imageRef": image["id"], "flavorRef": flavor["id"], **more}
        server = Server(0, body["name"], "", project, flavor, login_name(image))
        with self.ledger.change(project, server.cost()):
            answer = self.call("compute", "POST", "servers", json={"server": body}, expect=202)["server"]
            server.id = answer["id"]
            self.servers[server.id] = server
            self.on_cleanup(f"server {server.id}", lambda: self._forget_server(server))
        self._check_answer(answer, server, image)
        server.password = answer["adminPass"]
        server.volumes = list(answer["volumes"])
        return server

    def _check_answer(self, answer: Item, server: Server, image: Item) -> None:
        check(isinstance(answer["id"], int), f"the server's id {answer['id']!r} is no number")
        same("the server's name", answer["name"], server.name)
        same("the server's flavor", answer["flavor"]["id"], server.flavor["id"])
        same("the server's image", answer["image"]["id"], image["id"])
        same("the server's status", answer["status"], "BUILD")
        same("the server's project", answer["tenant_id"], server.project)
        check(answer["adminPass"], "no password was given")
        check(isinstance(answer["tags"], list), "no tags in the answer")
        check(answer["volumes"], "no volumes in the answer")

    def _note(self, image: Item) -> dict[str, Any]:
        user = login_name(image)
        home = "/root" if user == "root" else f"/home/{user}"
        contents = base64.b64encode(NOTE_TEXT).decode()
        return {
            "path": f"{home}/burnin.txt",
            "contents": contents,
            "owner": user,
            "group": user,
            "mode": 0o600,
        }

    def show(self, server: Server) -> Item:
        """The server as the API shows it."""
        shown: Item = self.call("compute", "GET", f"servers/{server.id}")["server"]
        return shown

    def wait_server(self, server: Server, status: str, *through: str) -> Item:
        """Wait until a server has a status and no task."""
        self.wait(f"server {server.id}", lambda: self.show(server)["status"], until=status, through=through)
        self.wait(
            f"the task of server {server.id}", lambda: self.show(server).get("SNF:task_state") or "", until=""
        )
        return self.show(server)

    def act(self, server: Server, **action: Any) -> None:
        """Order one action."""
        self.client.ask("compute", "POST", f"servers/{server.id}/action", json=action, expect=(200, 202))

    def stop(self, server: Server) -> None:
        """Shut a server down; it costs no CPU and memory then."""
        with self.ledger.change(server.project, negative(server.running_cost())):
            self.act(server, shutdown={})
            self.wait_server(server, "STOPPED", "ACTIVE")
        server.stopped = True

    def start(self, server: Server) -> None:
        """Start it again."""
        with self.ledger.change(server.project, server.running_cost()):
            self.act(server, start={})
            self.wait_server(server, "ACTIVE", "STOPPED")
        server.stopped = False

    def destroy(self, server: Server) -> None:
        """Destroy a server; nothing may come between its last status and DELETED."""
        before = self.show(server)["status"]
        with self.ledger.change(server.project, negative(server.cost())):
            self.client.ask("compute", "DELETE", f"servers/{server.id}", expect=204)
            self.wait_server(server, "DELETED", before)
        listed = [item["id"] for item in self.call("compute", "GET", "servers")["servers"]]
        check(server.id not in listed, f"server {server.id} is still in the list")

    def _forget_server(self, server: Server) -> None:
        if self.show(server)["status"] != "DELETED":
            self.client.ask("compute", "DELETE", f"servers/{server.id}", expect=(204, 404))
            self.wait(f"server {server.id}", lambda: self.show(server)["status"], until="DELETED")

    # -- guests ------------------------------------------------------------------------------------

    def public_addresses(self, server: Server, version: int = 4) -> list[str]:
        """The server's addresses on public networks."""
        key = "ipv4" if version == 4 else "ipv6"
        nics = [nic for nic in self.show(server)["attachments"] if nic[key]]
        networks = {nic["network_id"] for nic in nics}
        public = {
            network
            for network in networks
            if self.call("network", "GET", f"networks/{network}")["network"]["public"]
        }
        return [str(nic[key]) for nic in nics if nic["network_id"] in public]

    def find_address(self, server: Server, wanted: Item | None = None, version: int = 4) -> str:
        """The address of a floating IP if the server has it, else its first public one; empty without any."""
        found = self.public_addresses(server, version)
        if wanted is not None and wanted["floating_ip_address"] in found:
            return str(wanted["floating_ip_address"])
        return found[0] if found else ""

    def ping(self, address: str) -> None:
        """Insist on answers to ping."""
        if not self.options.ipv4_ping:
            raise Skipped("--no-ipv4-ping")
        self.insist(f"ping of {address}", lambda: self.guests.pings(address))

    def shell(self, server: Server, command: str, *, key: str = "") -> str:
        """Run a command inside, once logins work."""
        if not self.options.ssh:
            raise Skipped("--no-ssh")
        login = server.login(key)
        self.insist(f"ssh to {login.user}@{login.address}", lambda: self.guests.answers_ssh(login))
        return self.guests.shell(login, command)

    def check_project(self, what: str, item: Item, project: str) -> None:
        """The project of something as the API shows it."""
        same(f"the project of {what}", item["tenant_id"], project)
        one_of("the project", project, [*self.run.access.projects, self.user_id])


def login_name(image: Item) -> str:
    """The user to log in as: root if the image has it, else the first one it names."""
    users = str(image["metadata"].get("users", "root")).replace(",", " ").split()
    return "root" if "root" in users or not users else users[0]
