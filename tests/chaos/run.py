"""One chaos run: users at work, faults among them, rest, agreement."""

from __future__ import annotations

import collections
import hashlib
import json
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.chaos.faults import Faults
from tests.chaos.operations import ChaosUser, Counter
from tests.e2e.cloud_user import PITHOS, CloudUser
from tests.lab.cloud import Cloud


@dataclass
class Report:
    """What happened; ``wrong`` is empty when everything agrees in the end."""

    seed: str
    operations: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds_of_work: float = 0.0
    seconds_to_rest: float = 0.0

    def text(self) -> str:
        """For people."""
        lines = [f"seed {self.seed}: {self.operations} operations in {self.seconds_of_work:.0f} s"]
        lines += [f"  {name}: {count}" for name, count in sorted(self.outcomes.items())]
        lines += [f"  {line}" for line in self.faults]
        lines.append(f"  agreement after {self.seconds_to_rest:.0f} s of rest")
        lines += [f"  unexpected answer: {line}" for line in self.surprises]
        lines += [f"  WRONG: {line}" for line in self.wrong]
        return "\n".join(lines)


class Chaos:
    """Runs on a cloud with any number of clusters; the cloud can be used again afterwards."""

    def __init__(self, cloud: Cloud, *, users: int = 3) -> None:
        self.cloud = cloud
        self.accounts = json.loads(cloud.run_module("tests.chaos.accounts", str(users)).splitlines()[-1])
        self.images = [self._prepare(account) for account in self.accounts]
        #: What each user's objects contain, and which of them nobody knows it of; runs leave objects behind.
        self.contents: list[tuple[dict[str, bytes], set[str]]] = [({}, set()) for _ in self.accounts]

    def _prepare(self, account: dict[str, str]) -> str:
        with self.cloud.client(account["token"]) as client, tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "image"
            path.write_bytes(bytes(4096))
            user = CloudUser(client, account["uuid"])
            user.upload("images", "tiny.diskdump", path)
            user.call("PUT", f"{PITHOS}/{user.user}/chaos", expect=(201, 202))
            return user.register_image("tiny", "images", "tiny.diskdump", OS="lab", OSFAMILY="linux")

    def run(self, seed: str, *, steps: int, every: int, rounds: int = 1, rest: float = 180) -> Report:
        """``steps`` operations of each user with a fault every so many of all of them.

        rest: the most seconds that everything may take to agree, after everything is up again.
        """
        report = Report(seed)
        counter = Counter(every)
        users = [
            ChaosUser(
                self.cloud.base_url, account, image, seed=f"{seed}/{number}", steps=steps, counter=counter
            )
            for number, (account, image) in enumerate(zip(self.accounts, self.images, strict=True))
        ]
        for user, (objects, doubtful) in zip(users, self.contents, strict=True):
            user.objects, user.doubtful = objects, doubtful
        faults = Faults(self.cloud, seed=f"{seed}/faults", every=every, rounds=rounds, counter=counter)
        started = time.monotonic()
        for user in users:
            user.start()
        try:
            faults.run()
        finally:
            counter.allow(sys.maxsize)
            for user in users:
                user.join()
        report.seconds_of_work = time.monotonic() - started
        report.operations = counter.value
        report.faults = faults.history
        self._rest(report, users, rest)
        return report

    def rest(self, seconds: float) -> list[str]:
        """Wait until everything agrees, at most for a time; returns what is wrong at its end."""
        arguments = ("--watch", str(seconds))
        printed = self.cloud.run_module("tests.chaos.invariants", *arguments, timeout=seconds + 120)
        wrong: list[str] = json.loads(printed.splitlines()[-1])
        return wrong

    def _rest(self, report: Report, users: list[ChaosUser], seconds: float) -> None:
        outcomes: collections.Counter[str] = collections.Counter()
        for user in users:
            outcomes.update(user.outcomes)
            report.surprises += user.surprises
        report.outcomes = dict(outcomes)
        started = time.monotonic()
        report.wrong = self.rest(seconds)
        report.seconds_to_rest = time.monotonic() - started
        for user in users:
            report.wrong += damaged_objects(user)


def damaged_objects(user: ChaosUser) -> list[str]:
    """Objects whose last write was confirmed and that read otherwise, and those that can't be read at all."""
    wrong = []
    listed = user.http.get(f"{PITHOS}/{user.uuid}/chaos", params={"format": "json"})
    names = [item["name"] for item in listed.json()] if listed.status_code == 200 else []
    for name in sorted(set(user.objects) - user.doubtful - set(names)):
        wrong.append(f"object {name} of {user.uuid} is gone")
    for name in names:
        answer = user.http.get(f"{PITHOS}/{user.uuid}/chaos/{name}")
        wrong += _difference(user, name, answer)
    return wrong


def _difference(user: ChaosUser, name: str, answer: httpx.Response) -> list[str]:
    if answer.status_code != 200:
        return [f"object {name} of {user.uuid} answers {answer.status_code}"]
    if name in user.doubtful:
        return []
    if user.objects.get(name) != answer.content:
        digest = hashlib.sha256(answer.content).hexdigest()[:12]
        return [f"object {name} of {user.uuid} has other content: {len(answer.content)} bytes, {digest}"]
    return []
