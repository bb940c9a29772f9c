"""What the users do: operations chosen by a seeded generator, applied to what they have at that moment."""

from __future__ import annotations

import collections
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.e2e.cloud_user import COMPUTE, NETWORK, PITHOS

#: How often each operation is chosen.
WEIGHTS = {
    "create_server": 14,
    "destroy_server": 8,
    "stop_server": 7,
    "start_server": 8,
    "reboot_server": 4,
    "resize_server": 3,
    "rename_server": 2,
    "set_metadata": 2,
    "create_network": 5,
    "delete_network": 3,
    "connect": 7,
    "disconnect": 5,
    "reserve_address": 5,
    "release_address": 4,
    "attach_address": 5,
    "put_object": 8,
    "copy_object": 3,
    "delete_object": 3,
}
#: Answers that say no for a reason; 401 is none of them.
REFUSALS = frozenset({400, 403, 404, 409, 413})
#: Answers while something is down.
UNAVAILABLE = frozenset({502, 503, 504})
_MOST_SERVERS = 6


#: What is done instead when there is nothing that the chosen operation could be done to.
_INSTEAD = {
    "connect": "create_network",
    "delete_network": "create_network",
    "attach_address": "reserve_address",
    "release_address": "reserve_address",
    "copy_object": "put_object",
    "delete_object": "put_object",
}


class Counter:
    """Counts the operations that all users have begun, and holds them up at a ceiling.

    So faults happen at certain counts whatever the machine's speed, and a seed repeats them.
    """

    def __init__(self, ceiling: int) -> None:
        self.value = 0
        self._ceiling = ceiling
        self._condition = threading.Condition()

    def begin(self) -> None:
        """Wait for permission to begin one operation more."""
        with self._condition:
            self._condition.wait_for(lambda: self.value < self._ceiling, timeout=300)
            self.value += 1
            self._condition.notify_all()

    def allow(self, ceiling: int) -> None:
        """Raise the ceiling."""
        with self._condition:
            self._ceiling = ceiling
            self._condition.notify_all()

    def reach(self, value: int, *, timeout: float) -> None:
        """Wait for a count, at most for a time."""
        with self._condition:
            self._condition.wait_for(lambda: self.value >= value, timeout)


class ChaosUser(threading.Thread):
    """One user with a generator of its own."""

    def __init__(
        self, base_url: str, user: dict[str, str], image: str, *, seed: str, steps: int, counter: Counter
    ) -> None:
        super().__init__(name=seed, daemon=True)
        self.uuid = user["uuid"]
        self.image = image
        self.random = random.Random(seed)
        self.steps = steps
        self.counter = counter
        self.http = httpx.Client(
            base_url=base_url, headers={"X-Auth-Token": user["token"]}, timeout=httpx.Timeout(30, connect=5)
        )
        self.outcomes: collections.Counter[str] = collections.Counter()
        self.surprises: list[str] = []
        self.objects: dict[str, bytes] = {}
        self.doubtful: set[str] = set()

    def run(self) -> None:
        """Do all steps; whatever a step meets, the next is tried."""
        names = list(WEIGHTS)
        for _ in range(self.steps):
            name = self.random.choices(names, list(WEIGHTS.values()))[0]
            # Drawn before the world is looked at, so that the plan is the same for the same seed.
            choice = self.random.random()
            self.counter.begin()
            outcome = self._try(name, choice)
            if outcome == "nothing to do":
                outcome = self._try(_INSTEAD.get(name, "create_server"), choice)
            self.outcomes[outcome] += 1
            if outcome in ("no answer", "unavailable"):
                time.sleep(0.2)

    def _try(self, name: str, choice: float) -> str:
        operation: Callable[[float], str] = getattr(self, name)
        try:
            return operation(choice)
        except httpx.HTTPError:
            return "no answer"
        except (KeyError, ValueError) as error:
            self.surprises.append(f"{name}: {type(error).__name__}: {error}")
            return "unreadable"

    # -- requests ----------------------------------------------------------------------------------

    def _ask(self, method: str, path: str, **options: Any) -> tuple[str, httpx.Response]:
        answer = self.http.request(method, path, **options)
        status = answer.status_code
        if status < 400:
            return "done", answer
        if status in REFUSALS:
            return "refused", answer
        if status not in UNAVAILABLE:
            self.surprises.append(f"{method} {path}: {status} {answer.text[:200]}")
        return "unavailable", answer

    def _list(self, path: str, key: str) -> list[dict[str, Any]]:
        outcome, answer = self._ask("GET", path)
        found: list[dict[str, Any]] = answer.json()[key] if outcome == "done" else []
        return found

    def _servers(self, *statuses: str) -> list[dict[str, Any]]:
        listed = self._list(f"{COMPUTE}/servers/detail", "servers")
        return [item for item in listed if not statuses or item["status"] in statuses]

    def _act(self, choice: float, statuses: tuple[str, ...], **action: Any) -> str:
        server = pick(self._servers(*statuses), choice)
        if server is None:
            return "nothing to do"
        return self._ask("POST", f"{COMPUTE}/servers/{server['id']}/action", json=action)[0]

    # -- servers -----------------------------------------------------------------------------------

    def create_server(self, choice: float) -> str:
        if len(self._servers()) >= _MOST_SERVERS:
            return "nothing to do"
        flavors = self._list(f"{COMPUTE}/flavors", "flavors")
        flavor = pick(flavors, choice)
        if flavor is None:
            return "unavailable"
        body = {"name": f"chaos {choice:.6f}", "imageRef": self.image, "flavorRef": flavor["id"]}
        return self._ask("POST", f"{COMPUTE}/servers", json={"server": body})[0]

    def destroy_server(self, choice: float) -> str:
        server = pick(self._servers(), choice)
        if server is None:
            return "nothing to do"
        return self._ask("DELETE", f"{COMPUTE}/servers/{server['id']}")[0]

    def stop_server(self, choice: float) -> str:
        return self._act(choice, ("ACTIVE",), shutdown={})

    def start_server(self, choice: float) -> str:
        return self._act(choice, ("STOPPED",), start={})

    def reboot_server(self, choice: float) -> str:
        return self._act(choice, ("ACTIVE",), reboot={"type": "HARD"})

    def resize_server(self, choice: float) -> str:
        flavors = self._list(f"{COMPUTE}/flavors", "flavors")
        flavor = pick(flavors, (choice * 7) % 1)
        if flavor is None:
            return "unavailable"
        return self._act(choice, ("STOPPED",), resize={"flavorRef": flavor["id"]})

    def rename_server(self, choice: float) -> str:
        server = pick(self._servers(), choice)
        if server is None:
            return "nothing to do"
        body = {"server": {"name": f"renamed {choice:.6f}"}}
        return self._ask("PUT", f"{COMPUTE}/servers/{server['id']}", json=body)[0]

    def set_metadata(self, choice: float) -> str:
        server = pick(self._servers(), choice)
        if server is None:
            return "nothing to do"
        body = {"metadata": {"chaos": f"{choice:.6f}"}}
        return self._ask("POST", f"{COMPUTE}/servers/{server['id']}/metadata", json=body)[0]

    # -- networks ----------------------------------------------------------------------------------

    def _networks(self) -> list[dict[str, Any]]:
        return [item for item in self._list(f"{NETWORK}/networks", "networks") if not item.get("public")]

    def create_network(self, choice: float) -> str:
        body = {"network": {"type": "MAC_FILTERED", "name": f"chaos {choice:.6f}"}}
        outcome, answer = self._ask("POST", f"{NETWORK}/networks", json=body)
        if outcome == "done":
            subnet = {"network_id": answer.json()["network"]["id"], "cidr": "10.0.1.0/28", "ip_version": 4}
            return self._ask("POST", f"{NETWORK}/subnets", json={"subnet": subnet})[0]
        return outcome

    def delete_network(self, choice: float) -> str:
        network = pick(self._networks(), choice)
        if network is None:
            return "nothing to do"
        return self._ask("DELETE", f"{NETWORK}/networks/{network['id']}")[0]

    def connect(self, choice: float) -> str:
        network = pick(self._networks(), choice)
        server = pick(self._servers("ACTIVE", "STOPPED"), (choice * 7) % 1)
        if network is None or server is None:
            return "nothing to do"
        body = {"port": {"network_id": network["id"], "device_id": str(server["id"])}}
        return self._ask("POST", f"{NETWORK}/ports", json=body)[0]

    def disconnect(self, choice: float) -> str:
        port = pick(self._list(f"{NETWORK}/ports", "ports"), choice)
        if port is None:
            return "nothing to do"
        return self._ask("DELETE", f"{NETWORK}/ports/{port['id']}")[0]

    def _addresses(self) -> list[dict[str, Any]]:
        return self._list(f"{NETWORK}/floatingips", "floatingips")

    def reserve_address(self, choice: float) -> str:
        return self._ask("POST", f"{NETWORK}/floatingips", json={"floatingip": {}})[0]

    def release_address(self, choice: float) -> str:
        address = pick(self._addresses(), choice)
        if address is None:
            return "nothing to do"
        return self._ask("DELETE", f"{NETWORK}/floatingips/{address['id']}")[0]

    def attach_address(self, choice: float) -> str:
        address = pick([item for item in self._addresses() if not item["port_id"]], choice)
        server = pick(self._servers("ACTIVE", "STOPPED"), (choice * 7) % 1)
        if address is None or server is None:
            return "nothing to do"
        port = {
            "network_id": address["floating_network_id"],
            "device_id": str(server["id"]),
            "fixed_ips": [{"ip_address": address["floating_ip_address"]}],
        }
        return self._ask("POST", f"{NETWORK}/ports", json={"port": port})[0]

    # -- objects -----------------------------------------------------------------------------------

    def _change(self, name: str, data: bytes | None, method: str, path: str, **options: Any) -> str:
        """One write; without an answer nobody knows which content is there."""
        was_doubtful = name in self.doubtful
        self.doubtful.add(name)
        outcome, _ = self._ask(method, path, **options)
        if outcome == "done":
            self.doubtful.discard(name)
            if data is None:
                self.objects.pop(name, None)
            else:
                self.objects[name] = data
        elif outcome == "refused" and not was_doubtful:
            self.doubtful.discard(name)
        return outcome

    def _path(self, name: str) -> str:
        return f"{PITHOS}/{self.uuid}/chaos/{name}"

    def put_object(self, choice: float) -> str:
        name = f"object-{int(choice * 12)}"
        data = self.random.randbytes(1 + int(choice * 40_000))
        headers = {"Content-Type": "application/octet-stream"}
        return self._change(name, data, "PUT", self._path(name), content=data, headers=headers)

    def copy_object(self, choice: float) -> str:
        source = pick([{"name": name} for name in sorted(set(self.objects) - self.doubtful)], choice)
        if source is None:
            return "nothing to do"
        name = f"copy-{int(choice * 6)}"
        headers = {"Destination": f"/chaos/{name}"}
        data = self.objects[source["name"]]
        return self._change(name, data, "COPY", self._path(source["name"]), headers=headers)

    def delete_object(self, choice: float) -> str:
        source = pick([{"name": name} for name in sorted(self.objects)], choice)
        if source is None:
            return "nothing to do"
        return self._change(source["name"], None, "DELETE", self._path(source["name"]))


def pick(items: list[dict[str, Any]], choice: float) -> dict[str, Any] | None:
    """The item that a number between 0 and 1 stands for; None when there is none."""
    return items[int(choice * len(items))] if items else None
