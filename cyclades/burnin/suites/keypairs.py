"""SSH keys."""

from __future__ import annotations

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from cyclades.burnin.failures import check, same
from cyclades.burnin.suite import step
from cyclades.burnin.suites.cloud import CloudSuite


class KeypairsTestSuite(CloudSuite):
    """Keys that are made by the service or uploaded, and a server that is entered with one."""

    name = "KeypairsTestSuite"

    @step("a key is made")
    def generate(self) -> None:
        self.made = self._create("made")
        check("PRIVATE KEY" in self.made["private_key"], "no private key in the answer")

    @step("a key is uploaded")
    def upload(self) -> None:
        public = ed25519.Ed25519PrivateKey.generate().public_key()
        text = public.public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        ).decode()
        uploaded = self._create("uploaded", public_key=f"{text} burnin")
        check("private_key" not in uploaded, "a private key in the answer to an upload")
        self.uploaded = uploaded

    def _create(self, what: str, **more: str) -> dict[str, str]:
        name = self.label(what).replace(" ", "-")
        body = {"keypair": {"name": name, **more}}
        made: dict[str, str] = self.call("compute", "POST", "os-keypairs", json=body, expect=(200, 201))[
            "keypair"
        ]
        self.on_cleanup(f"key {name}", lambda: self._forget(name))
        same("the key's name", made["name"], name)
        return made

    def _forget(self, name: str) -> None:
        self.client.ask("compute", "DELETE", f"os-keypairs/{name}", expect=(202, 204, 404))

    @step("both are listed and shown")
    def listed(self) -> None:
        names = [item["keypair"]["name"] for item in self.call("compute", "GET", "os-keypairs")["keypairs"]]
        for key in (self.made, self.uploaded):
            check(key["name"] in names, f"key {key['name']} is not in the list")
            shown = self.call("compute", "GET", f"os-keypairs/{key['name']}")["keypair"]
            same("the fingerprint", shown["fingerprint"], key["fingerprint"])

    @step("a server is created with the key")
    def create(self) -> None:
        image = self.choose_image()
        more = {"key_name": self.made["name"], **self.public_networks()}
        self.server = self.create_server("keys", image, self.choose_flavor(), **more)
        self.wait_server(self.server, "ACTIVE", "BUILD")
        self.server.address = self.find_address(self.server, self.reserved[-1] if self.reserved else None)

    @step("root logs in with the private key")
    def log_in(self) -> None:
        same("the user", self.shell(self.server, "id -un", key=self.made["private_key"]).strip(), "root")

    @step("the server is destroyed")
    def remove(self) -> None:
        self.destroy(self.server)
        self.release_all()

    @step("the keys are deleted")
    def delete(self) -> None:
        for key in (self.made, self.uploaded):
            self.client.ask("compute", "DELETE", f"os-keypairs/{key['name']}", expect=(202, 204))
            self.client.ask("compute", "GET", f"os-keypairs/{key['name']}", expect=404)
