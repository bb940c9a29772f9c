"""PostgreSQL restarted under load: errors only while it is away, and nothing half done afterwards."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.benchmarks.site import Site
from tests.faults.test_bad_clients_fault import WEB_THREADS, Caller, settled

pytestmark = [pytest.mark.fault, pytest.mark.functional]

#: Two of each kind of client.
CLIENTS = 6
#: After its return, the database's own recovery and the web server's may take so long together.
RECOVERY_SECONDS = 2.0
COMMISSIONS = "/astakos/account/v1.0/commissions"
RESOURCE = "cyclades.vm"


@dataclass
class Record:
    """What all clients saw."""

    failures: list[tuple[float, float, int, str | None]] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)
    accepted: int = 0
    successes: list[float] = field(default_factory=list)


class Load:
    """Clients that look up tokens, move quota and store objects until told to stop."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.caller = Caller(site)
        self.record = Record()
        self._stop = threading.Event()
        kinds = [self.look_up, self.commission, self.store]
        self._threads = [
            threading.Thread(target=self._run, args=(kinds[number % len(kinds)], number))
            for number in range(CLIENTS)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=300)

    def _run(self, work: Callable[[str], None], number: int) -> None:
        turn = 0
        while not self._stop.is_set():
            work(f"{number}-{turn}")
            turn += 1
            time.sleep(0.02)

    def ask(self, method: str, path: str, body: bytes = b"", *, service: bool = False) -> Any:
        """Return the status and the body of a good answer; note a bad one and return ``None``."""
        token = self.site.credentials["component_token" if service else "token"]
        began = time.monotonic()
        headers = {"X-Auth-Token": token, "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=180)
        status, again, data = 0, None, b""
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            status, again, data = answer.status, answer.getheader("Retry-After"), answer.read()
        except (OSError, http.client.HTTPException):
            status = 0
        finally:
            connection.close()
        if 200 <= status < 300:
            self.record.successes.append(time.monotonic())
            return data
        self.record.failures.append((began, time.monotonic(), status, again))
        return None

    def look_up(self, name: str) -> None:
        body = json.dumps({"auth": {"token": {"id": self.caller.token}}}).encode()
        self.ask("POST", "/astakos/identity/v2.0/tokens", body)

    def commission(self, name: str) -> None:
        user = self.site.credentials["uuid"]
        provisions = [
            {"holder": f"user:{user}", "source": f"project:{user}", "resource": RESOURCE, "quantity": 1},
            {"holder": f"project:{user}", "source": None, "resource": RESOURCE, "quantity": 1},
        ]
        issued = self.ask("POST", COMMISSIONS, json.dumps({"provisions": provisions}).encode(), service=True)
        if issued is None:
            return
        action = f"{COMMISSIONS}/{json.loads(issued)['serial']}/action"
        if self.ask("POST", action, b'{"accept": ""}', service=True) is not None:
            self.record.accepted += 1

    def store(self, name: str) -> None:
        body = name.encode() * 100
        if self.ask("PUT", f"{self.caller.root}/load-{name}", body) is not None:
            self.record.stored[name] = body


def sessions(site: Site, condition: str = "true") -> int:
    """Return how many sessions the web server has with the database."""
    statement = f"SELECT count(*) FROM pg_stat_activity WHERE datname = 'synnefo' AND {condition}"
    return int(site.database.execute(statement))


def number(site: Site, statement: str) -> int:
    return int(site.database.execute(statement, "synnefo") or 0)


@pytest.fixture
def load(impatient_site: Site) -> Iterator[Load]:
    load = Load(impatient_site)
    assert load.caller.ask("PUT", load.caller.root)[0] in (201, 202)
    yield load


def outages(load: Load) -> list[tuple[float, float]]:
    """Restart the database twice, as an administrator does and as a crash does; returns when it was away."""
    periods = []
    assert settled(lambda: len(load.record.successes) > 10 * CLIENTS, 120)
    for immediate in (False, True):
        began = time.monotonic()
        load.site.database.restart(immediate=immediate)
        back = time.monotonic() + RECOVERY_SECONDS
        periods.append((began, back))
        assert settled(lambda back=back: any(moment > back for moment in list(load.record.successes)), 120)
    return periods


def test_a_restart_under_load_leaves_nothing_half_done(load: Load) -> None:
    site, record = load.site, load.record
    usage = f"SELECT usage_max FROM astakos_holding WHERE resource = '{RESOURCE}' AND source IS NULL"
    usage += f" AND holder = 'project:{site.credentials['uuid']}'"
    used = number(site, usage)
    with load:
        periods = outages(load)

    outside = [f for f in record.failures if not any(a <= f[1] and f[0] <= b for a, b in periods)]
    assert outside == []
    assert {status for _, _, status, _ in record.failures} <= {503}
    assert all(again and int(again) > 0 for *_, again in record.failures)

    # Every thread of the two workers keeps one session, none inside a transaction.
    assert settled(lambda: sessions(site) <= WEB_THREADS, 60), sessions(site)
    assert settled(lambda: sessions(site, "state LIKE 'idle in%'") == 0, 60)
    assert_books_are_right(load, used, number(site, usage))
    for name, body in record.stored.items():
        assert load.caller.ask("GET", f"{load.caller.root}/load-{name}") == (200, body)


def assert_books_are_right(load: Load, before: int, after: int) -> None:
    """No commission is half there; what is pending can be rejected; usage is what was accepted."""
    site, record = load.site, load.record
    halves = "SELECT count(*) FROM astakos_commission c WHERE clientkey = 'cyclades' AND 2 <> "
    halves += "(SELECT count(*) FROM astakos_provision p WHERE p.commission_id = c.serial)"
    assert number(site, halves) == 0
    pending = json.loads(load.ask("GET", COMMISSIONS, service=True))
    # Whoever got no answer may find its commission accepted.
    accepted = after - before - len(pending)
    assert record.accepted <= accepted <= record.accepted + len(record.failures)
    if pending:
        body = json.dumps({"reject": pending}).encode()
        load.ask("POST", f"{COMMISSIONS}/action", body, service=True)
    differing = "SELECT count(*) FROM astakos_holding WHERE usage_min <> usage_max"
    assert number(site, differing) == 0
    logged = f"SELECT sum(delta_quantity) FROM astakos_provision_log WHERE resource = '{RESOURCE}'"
    logged += f" AND reason LIKE 'ACCEPT:%' AND holder = 'project:{site.credentials['uuid']}'"
    assert number(site, logged) == accepted
    assert_storage_is_charged(load)


def assert_storage_is_charged(load: Load) -> None:
    """The user's disk space in the books is what the account's objects have."""
    site = load.site
    user = site.credentials["uuid"]
    charged = "SELECT usage_max FROM astakos_holding WHERE resource = 'pithos.diskspace'"
    charged += f" AND holder = 'user:{user}' AND source = 'project:{user}'"
    listed = json.loads(load.ask("GET", f"{load.caller.root}?format=json"))
    kept = {row["name"]: row["bytes"] for row in listed}
    for name, body in load.record.stored.items():
        assert kept[f"load-{name}"] == len(body)
    held = "SELECT coalesce(sum(size), 0) FROM pithos_version v JOIN pithos_node n ON n.id = v.node_id"
    assert number(site, charged) == number(site, held)
