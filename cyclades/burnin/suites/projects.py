"""Where servers are charged when a user has several projects."""

from __future__ import annotations

from cyclades.burnin.failures import Skipped, check
from cyclades.burnin.ledger import FLOATING_IP
from cyclades.burnin.suite import step
from cyclades.burnin.suites.cloud import CloudSuite, negative


class QuotasTestSuite(CloudSuite):
    """Default project, creation for a project, reassignment, and the quota of each (needs two projects)."""

    name = "QuotasTestSuite"
    alone = True

    @step("the user has two projects that can pay for a server")
    def projects(self) -> None:
        found = [project for project in self.client.access().projects if self._can_pay(project)]
        if len(found) < 2:
            raise Skipped("the user's quota in fewer than two projects allows a server")
        own = self.user_id if self.user_id in found else found[0]
        self.first, self.second = own, next(project for project in found if project != own)

    def _can_pay(self, project: str) -> bool:
        quotas = self.call("account", "GET", "quotas").get(project, {})
        names = ("cyclades.vm", "cyclades.cpu", "cyclades.ram", "cyclades.disk")
        return all(name in quotas and quotas[name]["limit"] - quotas[name]["usage"] > 1 for name in names)

    def _ready(self) -> None:
        if not hasattr(self, "second"):
            raise Skipped("two projects are needed")

    def _set_default(self, project: str) -> None:
        self.call("account", "POST", "myaccount/default_project", json={"project_id": project})

    @step("a server without a project is charged to the default project")
    def default(self) -> None:
        self._ready()
        before = self.client.access().default_project
        self.on_cleanup("default project", lambda: self._set_default(before))
        self._set_default(self.second)
        self.server = self.create_server(
            "default project", self.choose_image(), self.choose_flavor(), networks=[]
        )
        self.wait_server(self.server, "ACTIVE", "BUILD")
        self._set_default(before)
        self.destroy(self.server)

    @step("a server is charged to the project that its creation names")
    def named(self) -> None:
        self._ready()
        self.server = self.create_server(
            "named project", self.choose_image(), self.choose_flavor(), networks=[], project=self.first
        )
        self.wait_server(self.server, "ACTIVE", "BUILD")
        self.check_project("the server", self.show(self.server), self.first)

    @step("the server is reassigned and its quota moves with it")
    def reassign(self) -> None:
        self._ready()
        for source, target in ((self.first, self.second), (self.second, self.first)):
            cost = self.server.cost()
            with self.ledger.changes({source: negative(cost), target: cost}):
                self.act(self.server, reassign={"project": target})
            self.server.project = target
            self.check_project("the server", self.show(self.server), target)

    @step("a floating IP is reassigned and its quota moves with it")
    def reassign_address(self) -> None:
        self._ready()
        ip = self.reserve_address(self.first)
        with self.ledger.changes({self.first: {FLOATING_IP: -1}, self.second: {FLOATING_IP: 1}}):
            body = {"reassign": {"project": self.second}}
            path = f"floatingips/{ip['id']}/action"
            self.client.ask("network", "POST", path, json=body, expect=(200, 202))
        shown = self.call("network", "GET", f"floatingips/{ip['id']}")["floatingip"]
        self.check_project("the floating IP", shown, self.second)
        self.release_address(shown)

    @step("a private network is reassigned and its quota moves with it")
    def reassign_network(self) -> None:
        self._ready()
        network = self.create_network(project=self.first)
        cost = {"cyclades.network.private": 1}
        with self.ledger.changes({self.first: negative(cost), self.second: cost}):
            body = {"reassign": {"project": self.second}}
            self.client.ask(
                "network", "POST", f"networks/{network['id']}/action", json=body, expect=(200, 202)
            )
        shown = self.call("network", "GET", f"networks/{network['id']}")["network"]
        self.check_project("the network", shown, self.second)
        self.delete_network(shown)

    @step("the server is destroyed")
    def remove(self) -> None:
        self._ready()
        self.destroy(self.server)
        check(self.server.id, "no server")
