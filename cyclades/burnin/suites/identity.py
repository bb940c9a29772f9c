"""The identity service."""

from __future__ import annotations

from cyclades.burnin.client import read_access
from cyclades.burnin.failures import Skipped, check, same
from cyclades.burnin.suite import Suite, step

_USER_KEYS = {"roles", "name", "id", "roles_links", "projects"}
#: What an all-in-one deployment offers; further services (a site's own) are welcome.
_TYPES = {
    "compute", "object-store", "identity", "account", "image", "volume", "network", "astakos_weblogin",
    "admin", "vmapi", "astakos_auth",
}  # fmt: skip
#: Registered by newer versions only.
_OPTIONAL = {"admin", "astakos_auth", "astakos_weblogin"}


class AstakosTestSuite(Suite):
    """Tokens, the service catalogue, names and ids of users, the default project."""

    name = "AstakosTestSuite"
    services = ("identity", "account")
    chain = False
    alone = True

    @step("a wrong token is refused")
    def wrong_token(self) -> None:
        answer = self.client.authenticate("0" * 32)
        same("the status for a wrong token", answer.status_code, 401)

    @step("the answer to a token has the keys of the contract")
    def answer_keys(self) -> None:
        body = self.client.authenticate().json()
        same("the keys of the answer", set(body), {"access"})
        keys = set(body["access"]) - {"metadata"}
        same("the keys of 'access'", keys, {"user", "token", "serviceCatalog"})
        same("the keys of 'user'", set(body["access"]["user"]) - {"username"}, _USER_KEYS)
        check(
            self.user_id in read_access(body["access"]).projects,
            "the user's own project is not in 'projects'",
        )

    @step("the service catalogue has every service, each with an address")
    def catalogue(self) -> None:
        catalogue = self.client.authenticate().json()["access"]["serviceCatalog"]
        types = [entry["type"] for entry in catalogue]
        same("services listed twice", sorted({kind for kind in types if types.count(kind) > 1}), [])
        missing = _TYPES - _OPTIONAL - set(types) - self._left_out()
        same("services that are missing", sorted(missing), [])
        without = [entry["type"] for entry in catalogue if not entry["endpoints"][0].get("publicURL")]
        same("services without an address", without, [])

    def _left_out(self) -> set[str]:
        return {"volume"} if "VolumeTestSuite" in self.options.excluded else set()

    @step("names are translated to ids and back")
    def names(self) -> None:
        user = self.run.access
        body = self.call("account", "POST", "user_catalogs", json={"uuids": [user.user_id]})
        name = body["uuid_catalog"].get(user.user_id)
        check(name, "the user's own id is not translated to a name")
        body = self.call("account", "POST", "user_catalogs", json={"displaynames": [name]})
        same("the id of the user's own name", body["displayname_catalog"].get(name), user.user_id)
        body = self.call("account", "POST", "user_catalogs", json={"displaynames": ["no@body.example"]})
        same("ids of a name that nobody has", body["displayname_catalog"], {})

    @step("the default project can be set, and only to a project of the user")
    def default_project(self) -> None:
        path, before = "myaccount/default_project", self.client.access().default_project
        self.call("account", "POST", path, json={"project_id": before})
        same("the default project", self.client.access().default_project, before)
        unknown = "00000000-0000-0000-0000-000000000000"
        self.client.ask("account", "POST", path, json={"project_id": unknown}, expect=404)
        same("the default project after a refusal", self.client.access().default_project, before)

    @step("another project becomes the default project")
    def other_default_project(self) -> None:
        access = self.client.access()
        others = [project for project in access.projects if project != access.default_project]
        if not others:
            raise Skipped("the user is a member of one project only")
        path = "myaccount/default_project"
        self.call("account", "POST", path, json={"project_id": others[0]})
        try:
            same("the default project", self.client.access().default_project, others[0])
        finally:
            self.call("account", "POST", path, json={"project_id": access.default_project})
