"""What happens to the deployment: a process dies, and comes back as a service manager brings it back."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.chaos.operations import Counter
from tests.lab.cloud import Cloud, worker_pids


@dataclass(frozen=True)
class Fault:
    """``begin`` breaks something, ``end`` brings it back after a number of operations."""

    name: str
    begin: Callable[[], Any]
    end: Callable[[], Any]


def all_faults(cloud: Cloud, chooser: random.Random) -> list[Fault]:
    """Every fault of this cloud once."""
    cluster = chooser.choice(cloud.clusters)
    eventd = chooser.choice(cloud.event_daemons)

    def process(name: str) -> Fault:
        return Fault(f"{name} is killed", lambda: cloud.kill(name), lambda: cloud.start_process(name))

    def daemon(name: str) -> Fault:
        where = chooser.choice(cloud.clusters)
        text = f"{name} of {where.cluster_name} is killed"
        return Fault(text, lambda: where.kill_daemon(name), lambda: where.start_daemon(name))

    return [
        *(daemon(name) for name in cluster.daemons),
        process("web"),
        Fault("a web worker is killed", lambda: _kill_worker(cloud, chooser), lambda: None),
        process("dispatcher"),
        process(eventd),
        Fault("RabbitMQ is killed", cloud.broker.kill, cloud.broker.restart),
        Fault("PostgreSQL crashes", lambda: cloud.database.restart(immediate=True), lambda: None),
        Fault("memcached is restarted", cloud.cache.restart, lambda: None),
        Fault(f"the master of {cluster.cluster_name} is killed", cluster.kill_master, cluster.start_master),
    ]


def _kill_worker(cloud: Cloud, chooser: random.Random) -> None:
    workers = worker_pids(cloud.pid_of("web"))
    if workers:
        os.kill(chooser.choice(list(workers)), signal.SIGKILL)


class Faults:
    """Lets faults happen at counts of operations, one after another.

    Runs in the main thread: what a thread has started is killed with it.
    """

    def __init__(self, cloud: Cloud, *, seed: str, every: int, rounds: int, counter: Counter) -> None:
        self.cloud = cloud
        self.random = random.Random(seed)
        self.every = every
        self.rounds = rounds
        self.counter = counter
        self.history: list[str] = []

    def run(self) -> None:
        """Every fault once a round, in another order each time; all is up again when it returns."""
        at = self.every
        for _ in range(self.rounds):
            faults = all_faults(self.cloud, self.random)
            self.random.shuffle(faults)
            for fault in faults:
                # Requests are under way when it begins, and some more meet what is broken.
                last = at + self.every // 3
                self.counter.allow(last)
                self.counter.reach(at, timeout=120)
                self.history.append(f"after {self.counter.value} operations: {fault.name}")
                fault.begin()
                self.counter.reach(last, timeout=10)
                fault.end()
                at += self.every
