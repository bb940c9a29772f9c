"""Sizes of servers."""

from __future__ import annotations

from cyclades.burnin.failures import check, same
from cyclades.burnin.suite import Suite, step


class FlavorsTestSuite(Suite):
    """Lists of flavors and their names."""

    name = "FlavorsTestSuite"
    services = ("compute",)

    @step("the plain and the detailed list agree")
    def lists(self) -> None:
        brief = self.call("compute", "GET", "flavors")["flavors"]
        self.details = self.call("compute", "GET", "flavors/detail")["flavors"]
        check(brief, "there are no flavors")
        same(
            "the plain list's names",
            [item["name"] for item in brief],
            [item["name"] for item in self.details],
        )

    @step("names are unique")
    def unique(self) -> None:
        names = [item["name"] for item in self.details]
        same("names used twice", sorted({name for name in names if names.count(name) > 1}), [])

    @step("names tell the size: C<cpu>R<ram>D<disk><template>")
    def names(self) -> None:
        for item in self.details:
            expected = f"C{item['vcpus']}R{item['ram']}D{item['disk']}{item['SNF:disk_template']}"
            same(f"the name of flavor {item['id']}", item["name"], expected)

    @step("each flavor is shown as it is listed")
    def shown(self) -> None:
        item = self.details[0]
        same(
            "the flavor", self.call("compute", "GET", f"flavors/{item['id']}")["flavor"]["name"], item["name"]
        )
