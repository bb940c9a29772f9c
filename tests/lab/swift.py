"""A private OpenStack Swift, all in one, with one replica: what object storage is measured against."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import urllib.request

from tests.lab.instance import Instance, Unavailable, free_ports, port_answers, run_tool
from tests.lab.memcached import Memcached

SYSTEM_PYTHON = "/usr/bin/python3"
USER, KEY = "test:tester", "testing"
_SERVERS = ("account", "container", "object")
#: Rows of a listing are put into the container's database directly; a PUT each would take minutes.
_FILL = """
import json, sys
from swift.common.ring import Ring
from swift.common.utils import hash_path, storage_directory, Timestamp
from swift.container.backend import ContainerBroker
directory, account, container, count = sys.argv[1:]
ring = Ring(directory, ring_name="container")
part, nodes = ring.get_nodes(account, container)
hashed = hash_path(account, container)
folder = storage_directory("containers", part, hashed)
path = f"{directory}/devices/{nodes[0]['device']}/{folder}/{hashed}.db"
broker = ContainerBroker(path, account=account, container=container)
records = [
    {"name": f"o{number:06d}", "created_at": Timestamp.now().internal, "size": 1024,
     "content_type": "application/octet-stream", "etag": "0" * 32, "deleted": 0, "storage_policy_index": 0,
     "ctype_timestamp": None, "meta_timestamp": None}
    for number in range(int(count))
]
for start in range(0, len(records), 10000):
    broker.merge_items(records[start:start + 10000])
"""


class Swift(Instance):
    """Proxy, account, container and object servers on one directory, with test users.

    ``workers``: processes of each server.
    """

    component = "swift"

    def __init__(self, *, workers: int = 2) -> None:
        super().__init__()
        if shutil.which("swift-proxy-server") is None:
            raise Unavailable("swift-proxy and the swift servers are not installed")
        self.workers = workers
        self.cache = Memcached()
        self.port, *others = free_ports(4)
        self._ports = dict(zip(_SERVERS, others, strict=True))
        self.token = ""
        self.storage_path = ""

    @property
    def process_ids(self) -> list[int]:
        """Process ids of the servers and of their cache."""
        return [*super().process_ids, *self.cache.process_ids]

    def _start(self) -> None:
        self.cache.start()
        (self.directory / "devices" / "d1").mkdir(parents=True)
        for server in _SERVERS:
            self._make_ring(server)
            self._serve(f"swift-{server}-server", self._storage_configuration(server), self._ports[server])
        self._serve("swift-proxy-server", self._proxy_configuration(), self.port)
        self._sign_in()

    def _stop(self) -> None:
        self.cache.stop()

    def _make_ring(self, server: str) -> None:
        builder = f"{server}.builder"
        device = f"r1z1-127.0.0.1:{self._ports[server]}/d1"
        for arguments in (["create", "6", "1", "1"], ["add", device, "1"], ["rebalance"]):
            command = ["swift-ring-builder", builder, *arguments]
            run_tool(command, directory=self.directory, environment=dict(os.environ), user=None)

    def _serve(self, program: str, configuration: str, port: int) -> None:
        path = self.directory / f"{program}.conf"
        path.write_text(configuration)
        child = self.spawn_process([program, path], log=f"{program}.log")
        self.wait_for(lambda: port_answers(port), child=child, log=f"{program}.log", timeout=60)

    def _common(self, port: int) -> str:
        return (
            f"[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {port}\nworkers = {self.workers}\n"
            f"user = {getpass.getuser()}\nswift_dir = {self.directory}\nlog_level = ERROR\n"
            f"devices = {self.directory}/devices\nmount_check = false\nmax_clients = 1024\n"
        )

    def _storage_configuration(self, server: str) -> str:
        return (
            f"{self._common(self._ports[server])}[pipeline:main]\npipeline = {server}-server\n"
            f"[app:{server}-server]\nuse = egg:swift#{server}\n"
        )

    def _proxy_configuration(self) -> str:
        filters = "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in
                          ("catch_errors", "listing_formats", "bulk", "slo", "dlo"))  # fmt: skip
        user = USER.replace(":", "_")
        return (
            f"{self._common(self.port)}[pipeline:main]\n"
            "pipeline = catch_errors cache listing_formats bulk tempauth slo dlo proxy-server\n"
            "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n"
            f"[filter:cache]\nuse = egg:swift#memcache\nmemcache_servers = {self.cache.address}\n"
            f"[filter:tempauth]\nuse = egg:swift#tempauth\nuser_{user} = {KEY} .admin\n{filters}"
        )

    def _sign_in(self) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/auth/v1.0", headers={"X-Auth-User": USER, "X-Auth-Key": KEY}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            self.token = answer.headers["X-Auth-Token"]
            self.storage_path = "/v1/" + answer.headers["X-Storage-Url"].split("/v1/", 1)[1]

    def fill(self, container: str, count: int) -> None:
        """Add ``count`` rows named o000000 and on to a container's listing."""
        account = self.storage_path.removeprefix("/v1/")
        command = [SYSTEM_PYTHON, "-c", _FILL, str(self.directory), account, container, str(count)]
        subprocess.run(command, check=True, cwd=self.directory, env=_plain_environment())


def _plain_environment() -> dict[str, str]:
    """Return the environment without what belongs to another Python."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
