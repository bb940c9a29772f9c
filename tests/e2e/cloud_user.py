"""A user of a running cloud, through its REST API only."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.lab.instance import LabError

COMPUTE = "/cyclades/compute/v2.0"
NETWORK = "/cyclades/network/v2.0"
IMAGE = "/cyclades/image/v1.0"
PITHOS = "/pithos/object-store/v1"
ACCOUNT = "/astakos/account/v1.0"


class CloudUser:
    """Calls of one user; a status that is not expected is a LabError with the answer in it."""

    def __init__(self, client: httpx.Client, user: str) -> None:
        self.client = client
        self.user = user

    def call(self, method: str, path: str, *, expect: int | tuple[int, ...] = 200, **options: Any) -> Any:
        """One request; returns the decoded body, or None when there is none."""
        answer = self.client.request(method, path, **options)
        if answer.status_code not in ((expect,) if isinstance(expect, int) else expect):
            raise LabError(f"{method} {path}: {answer.status_code} {answer.text[:2000]}")
        return answer.json() if answer.content and "json" in answer.headers.get("content-type", "") else None

    # -- images ------------------------------------------------------------------------------------

    def upload(self, container: str, name: str, path: Path) -> None:
        """Store a file as an object."""
        self.call("PUT", f"{PITHOS}/{self.user}/{container}", expect=(201, 202))
        with path.open("rb") as body:
            target = f"{PITHOS}/{self.user}/{container}/{name}"
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(path.stat().st_size)}
            self.call("PUT", target, expect=201, content=body, headers=headers)

    def register_image(self, name: str, container: str, object_name: str, **properties: str) -> str:
        """Register an object as an image; returns its id."""
        headers = {
            "X-Image-Meta-Name": name,
            "X-Image-Meta-Location": f"pithos://{self.user}/{container}/{object_name}",
            "X-Image-Meta-Disk-Format": "diskdump",
            "X-Image-Meta-Container-Format": "bare",
        }
        headers |= {f"X-Image-Meta-Property-{key}": value for key, value in properties.items()}
        answer = self.client.post(f"{IMAGE}/images/", headers=headers)
        if answer.status_code != 200:
            raise LabError(f"register: {answer.status_code} {answer.text}")
        return str(answer.headers["x-image-meta-id"])

    # -- servers -----------------------------------------------------------------------------------

    def smallest_flavor(self, disk_template: str = "file") -> Mapping[str, Any]:
        """The flavor with the least memory on a disk template."""
        flavors = self.call("GET", f"{COMPUTE}/flavors/detail")["flavors"]
        fitting = [item for item in flavors if item.get("SNF:disk_template") == disk_template]
        return min(fitting or flavors, key=lambda item: (item["ram"], item["vcpus"], item["disk"]))

    def create_server(self, name: str, image: str, flavor: int | str, **more: Any) -> Mapping[str, Any]:
        """Order a server; returns it as the answer shows it (with its password)."""
        body = {"server": {"name": name, "imageRef": image, "flavorRef": flavor, **more}}
        server: Mapping[str, Any] = self.call("POST", f"{COMPUTE}/servers", expect=202, json=body)["server"]
        return server

    def server(self, server_id: int) -> Mapping[str, Any]:
        """One server."""
        server: Mapping[str, Any] = self.call("GET", f"{COMPUTE}/servers/{server_id}")["server"]
        return server

    def action(self, server_id: int, **action: Any) -> None:
        """One action, e.g. ``start={}``."""
        self.call("POST", f"{COMPUTE}/servers/{server_id}/action", expect=202, json=action)

    def delete_server(self, server_id: int) -> None:
        """Order the end of a server."""
        self.call("DELETE", f"{COMPUTE}/servers/{server_id}", expect=204)

    def wait_server(self, server_id: int, status: str, *, timeout: float = 120) -> Mapping[str, Any]:
        """Wait until a server has a status and no task; ERROR ends the wait at once."""
        deadline = time.monotonic() + timeout
        while True:
            server = self.server(server_id)
            if server["status"] == status and not server["SNF:task_state"]:
                return server
            if server["status"] == "ERROR" or time.monotonic() > deadline:
                raise LabError(f"server {server_id} is not {status}: {server}")
            time.sleep(0.3)

    def watch_build(self, server_id: int, *, timeout: float = 180) -> list[int]:
        """Wait until a server is ACTIVE; returns the distinct values of its progress on the way."""
        seen: list[int] = []
        deadline = time.monotonic() + timeout
        while True:
            server = self.server(server_id)
            progress = server.get("progress")
            if server["status"] == "BUILD" and progress is not None and progress not in seen:
                seen.append(progress)
            if server["status"] == "ACTIVE":
                return seen
            if server["status"] == "ERROR" or time.monotonic() > deadline:
                raise LabError(f"server {server_id} was not built: {server}")
            time.sleep(0.1)

    # -- quota -------------------------------------------------------------------------------------

    def usage(self) -> dict[str, int]:
        """Usage of every compute resource in the user's own project."""
        quotas = self.call("GET", f"{ACCOUNT}/quotas")[self.user]
        return {name: entry["usage"] for name, entry in quotas.items() if name.startswith("cyclades.")}

    def pending(self) -> dict[str, int]:
        """Pending amounts that are not zero."""
        quotas = self.call("GET", f"{ACCOUNT}/quotas")[self.user]
        return {name: entry["pending"] for name, entry in quotas.items() if entry["pending"]}


def eventually(check: Callable[[], None], *, timeout: float = 60, interval: float = 0.5) -> None:
    """Repeat a block of assertions until it holds; its last failure is raised after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            check()
            return
        except (AssertionError, LabError, httpx.HTTPError):
            if time.monotonic() > deadline:
                raise
        time.sleep(interval)
