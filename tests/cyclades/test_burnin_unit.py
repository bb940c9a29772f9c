"""snf-burnin's own rules: what it accepts as quota, as selector, as the end of a run."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest

from cyclades.burnin.choices import chosen, parse_choice
from cyclades.burnin.client import Access, UnexpectedStatus
from cyclades.burnin.failures import CheckFailed, Skipped
from cyclades.burnin.hashing import block_digest, blocks_of, tree_hash
from cyclades.burnin.ledger import Ledger
from cyclades.burnin.options import Options, parse_options
from cyclades.burnin.program import main
from cyclades.burnin.report import Report
from cyclades.burnin.rfb import answer_challenge
from cyclades.burnin.suite import Outcome, Result, Run, Suite, step
from cyclades.burnin.suites import SUITES
from cyclades.burnin.suites.cloud import Server
from cyclades.burnin.suites.stale import StaleServersTestSuite
from cyclades.burnin.suites.volumes import VolumeTestSuite

pytestmark = pytest.mark.unit

BASIC = ["--auth-url", "http://cloud/identity/v2.0", "--token", "t"]


class Quotas:
    """A quota service with one user in one project."""

    def __init__(self) -> None:
        self.usage = {"cyclades.vm": 1, "cyclades.cpu": 2}

    def call(self, *_: Any, **__: Any) -> Any:
        return {"u": {name: {"usage": n, "project_usage": n} for name, n in self.usage.items()}}


@pytest.fixture
def quotas() -> Quotas:
    return Quotas()


@pytest.fixture
def ledger(quotas: Quotas) -> Ledger:
    books = Ledger(quotas, "u")  # type: ignore[arg-type]
    books.open_books()
    return books


def test_an_announced_change_is_accepted(quotas: Quotas, ledger: Ledger) -> None:
    with ledger.change("u", {"cyclades.vm": 1}):
        quotas.usage["cyclades.vm"] = 2


def test_a_change_of_another_resource_is_found(quotas: Quotas, ledger: Ledger) -> None:
    with pytest.raises(CheckFailed, match=r"cyclades\.cpu in u"), ledger.change("u", {"cyclades.vm": 1}):
        quotas.usage.update({"cyclades.vm": 2, "cyclades.cpu": 3})


def test_a_change_that_does_not_come_is_found(ledger: Ledger) -> None:
    with pytest.raises(CheckFailed, match="quota differs"), ledger.change("u", {"cyclades.vm": 1}):
        pass


def test_changes_of_parallel_suites_are_told_apart(quotas: Quotas, ledger: Ledger) -> None:
    with ledger.change("u", {"cyclades.vm": -1}):
        # Another suite checks before and after the first one's change shows.
        ledger.check()
        with ledger.change("u", {"cyclades.cpu": 4}):
            quotas.usage.update({"cyclades.vm": 0, "cyclades.cpu": 6})


def test_a_refused_change_leaves_the_books_as_they_were(ledger: Ledger) -> None:
    with pytest.raises(UnexpectedStatus), ledger.change("u", {"cyclades.vm": 1}):
        raise UnexpectedStatus("413", 413)
    ledger.check()


def test_resources_that_are_not_shown_are_not_expected(quotas: Quotas, ledger: Ledger) -> None:
    with ledger.change("u", {"cyclades.vm": 1, "cyclades.total_cpu": 4}):
        quotas.usage["cyclades.vm"] = 2


@pytest.mark.parametrize("text", ["debian", "name:", "id:", "size:3", "name:("])
def test_a_wrong_selector_is_explained(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be name|is no regular expression"):
        parse_choice(text)


def test_selectors_choose_by_name_and_by_id() -> None:
    items = [{"id": 1, "name": "Debian 12"}, {"id": 2, "name": "Ubuntu"}, {"id": 3, "name": "debian 13"}]
    assert [item["id"] for item in chosen(items, [parse_choice("id:2"), parse_choice("name:^debian")])] == [
        2,
        1,
        3,
    ]
    assert len(chosen(items, [])) == 3


def test_names_of_earlier_versions_are_understood() -> None:
    options = parse_options(
        [
            *BASIC,
            "--system-images-user",
            "u1",
            "--image-id",
            "i1",
            "--force-flavor",
            "7",
            "--build-fail",
            "9",
            "--build-warning",
            "3",
            "--nofailfast",
            "-V",
            "--fanout",
            "4",
        ]
    )
    assert [choice.id for choice in (*options.system_users, *options.images, *options.flavors)] == [
        "u1",
        "i1",
        "7",
    ]
    assert (options.action_timeout, options.action_warning) == (9, 3)


def test_the_token_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNF_BURNIN_TOKEN", "secret")
    assert parse_options(BASIC[:2]).token == "secret"


def test_an_unknown_suite_is_a_wrong_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*BASIC, "--set-tests", "ServersTestSuit"]) == 2
    assert "ServersTestSuit" in capsys.readouterr().err


def test_every_suite_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list-tests"]) == 0
    assert "ServerTestSuite: A server" in capsys.readouterr().out


def test_hashes_are_those_of_the_contract() -> None:
    def digest(data: bytes, size: int) -> str:
        return tree_hash([block_digest(block) for block in blocks_of(data, size)])

    assert digest(b"hello world", 4 << 20).startswith("b94d27b9934d3e08")
    assert digest(b"aaaabbbbcc", 4).startswith("427daa4b15b22980")
    assert digest(bytes(8), 4).startswith("2dba5dbc339e7316")
    assert digest(b"", 4).startswith("e3b0c442")


def test_a_challenge_is_answered_with_the_first_eight_characters() -> None:
    challenge = bytes(range(16))
    assert answer_challenge("password", challenge) == answer_challenge("password and more", challenge)
    assert answer_challenge("password", challenge) != answer_challenge("Password", challenge)


class _Example(Suite):
    """An example."""

    name = "Example"

    @step("goes well")
    def first(self) -> None:
        self.on_cleanup("thing", lambda: self.events.append("removed"))

    @step("is left out")
    def second(self) -> None:
        raise Skipped("no need")

    @step("goes wrong")
    def third(self) -> None:
        raise CheckFailed("seen 1, expected 2")

    @step("is never reached")
    def fourth(self) -> None:
        self.events.append("reached")

    @property
    def events(self) -> list[str]:
        return self.options.events  # type: ignore[attr-defined, no-any-return]


class _Client:
    def offers(self, service: str) -> bool:
        return service != "volume"


@pytest.fixture
def make_run(ledger: Ledger) -> Callable[[], tuple[Run, list[str]]]:
    def make() -> tuple[Run, list[str]]:
        events: list[str] = []
        options: Any = type("Events", (), {"events": events})()
        access = Access("u", "user", "u", ("u",))
        run = Run(options, _Client(), access, ledger, "snf-test-1", lambda text, level: None)  # type: ignore[arg-type]
        return run, events

    return make


def test_a_failure_ends_the_suite_and_what_it_made_is_removed(make_run: Any, ledger: Ledger) -> None:
    run, events = make_run()
    results = list(_Example(run).execute())
    assert [result.outcome for result in results] == [
        Outcome.PASSED,
        Outcome.SKIPPED,
        Outcome.FAILED,
        Outcome.NOT_RUN,
    ]
    assert events == ["removed"]
    assert not ledger.reliable, "the books are wrong after a failure"


def test_a_service_that_is_not_offered_is_a_failure(make_run: Any) -> None:
    class Volumes(_Example):
        services = ("volume",)

    [result] = Volumes(make_run()[0]).execute()
    assert result.outcome is Outcome.FAILED
    assert "not offered" in result.text


def test_a_stopped_run_still_removes_what_it_made(make_run: Any) -> None:
    run, events = make_run()
    steps = _Example(run).execute()
    next(steps)
    run.stopped.set()
    assert {result.outcome for result in steps} == {Outcome.NOT_RUN}
    assert events == ["removed"]


def _report(tmp_path: Any, *outcomes: Outcome) -> tuple[Report, Options]:
    files = ["--json", str(tmp_path / "r.json"), "--junit", str(tmp_path / "r.xml"), "--quiet"]
    options = parse_options([*BASIC, *files])
    report = Report(options)
    for number, outcome in enumerate(outcomes):
        report.add(Result("Suite", f"step {number}", outcome, 1.5, "text \x00 & <more>"))
    return report, options


@pytest.mark.parametrize("bad", [Outcome.FAILED, Outcome.NOT_RUN])
def test_only_a_run_in_which_everything_passed_has_passed(bad: Outcome, tmp_path: Any) -> None:
    assert _report(tmp_path, Outcome.PASSED, Outcome.SKIPPED)[0].finish()
    assert not _report(tmp_path, Outcome.PASSED, bad)[0].finish()
    assert not _report(tmp_path)[0].finish()


def test_results_are_written_for_machines(tmp_path: Any) -> None:
    report, _ = _report(tmp_path, Outcome.PASSED, Outcome.FAILED, Outcome.SKIPPED)
    report.finish()
    written = json.loads((tmp_path / "r.json").read_text())
    assert written["passed"] is False
    assert [row["outcome"] for row in written["results"]] == ["passed", "failed", "skipped"]
    suite = ElementTree.parse(tmp_path / "r.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")


def test_the_ledger_serves_several_threads(quotas: Quotas, ledger: Ledger) -> None:
    barrier = threading.Barrier(2)
    failures: list[BaseException] = []

    def suite(resource: str) -> None:
        try:
            with ledger.change("u", {resource: 1}):
                barrier.wait()
                quotas.usage[resource] += 1
                barrier.wait()
        except CheckFailed as error:
            failures.append(error)

    threads = [threading.Thread(target=suite, args=(name,)) for name in list(quotas.usage)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


class _CloudWithLeftovers:
    """A cloud with a server and its address of an earlier run, and a server that is nobody's business."""

    def __init__(self) -> None:
        self.servers = {
            1: {"id": 1, "name": "snf-test-1 server", "status": "ACTIVE"},
            2: {"id": 2, "name": "mine", "status": "ACTIVE"},
        }
        self.addresses = {7: 1, 8: 2, 9: None}

    def offers(self, service: str) -> bool:
        return True

    def call(self, service: str, method: str, path: str, **_: Any) -> Any:
        if path == "servers/detail":
            return {"servers": list(self.servers.values())}
        return {"floatingips": [{"id": ip, "instance_id": server} for ip, server in self.addresses.items()]}

    def ask(self, service: str, method: str, path: str, **_: Any) -> None:
        kind, _, number = path.partition("/")
        assert method == "DELETE"
        del (self.servers if kind == "servers" else self.addresses)[int(number)]


@pytest.mark.parametrize("delete", [False, True])
def test_what_earlier_runs_left_is_found_and_only_that_is_removed(ledger: Ledger, delete: bool) -> None:
    cloud = _CloudWithLeftovers()
    options = parse_options([*BASIC, "--delete-stale" if delete else "--show-stale", "--query-interval", "0"])
    access = Access("u", "user", "u", ("u",))
    run = Run(options, cloud, access, ledger, "snf-test-2", lambda text, level: None)  # type: ignore[arg-type]
    outcomes = [result.outcome for result in StaleServersTestSuite(run).execute()]
    assert (Outcome.FAILED in outcomes) is not delete
    assert set(cloud.servers) == ({2} if delete else {1, 2})
    assert set(cloud.addresses) == ({8, 9} if delete else {7, 8, 9})


class _Guest:
    """A server with one disk inside; a second one is plugged in at once, after a restart or never."""

    def __init__(self, *, appears: str, told: bool) -> None:
        self.appears, self.told, self.restarted = appears, told, False

    def call(self, service: str, method: str, path: str, **_: Any) -> Any:
        assert path == "servers/5/diagnostics"
        return [{"source": "hotplug", "message": "not seen"}] if self.told else []

    def disks(self) -> int:
        return 2 if self.appears == "at once" or (self.appears == "later" and self.restarted) else 1

    def start(self, _server: Any) -> None:
        self.restarted = True


@pytest.mark.parametrize(
    ("appears", "told", "end"),
    [
        ("at once", False, None),
        ("later", True, Skipped("not hotplugged: the guest sees it after a restart")),
        ("later", False, Skipped("not hotplugged: the guest sees it after a restart")),
        ("never", True, CheckFailed("the number of disks inside is still 1 after 0 s, expected 2")),
    ],
)
def test_a_disk_that_was_not_hotplugged_must_be_there_after_a_restart(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, appears: str, told: bool, end: Exception | None
) -> None:
    guest = _Guest(appears=appears, told=told)
    options = parse_options([*BASIC, "--query-interval", "0", "--action-timeout", "0"])
    access = Access("u", "user", "u", ("u",))
    run = Run(options, guest, access, ledger, "snf-test-3", lambda text, level: None)  # type: ignore[arg-type]
    suite = VolumeTestSuite(run)
    suite.first = Server(5, "s", "", "u", {}, "root")
    suite.disks, suite.warned = 1, 0
    monkeypatch.setattr(suite, "_disks_inside", guest.disks)
    monkeypatch.setattr(suite, "stop", lambda server: None)
    monkeypatch.setattr(suite, "start", guest.start)
    if end is None:
        return suite.seen_inside()
    with pytest.raises(type(end), match=str(end)):
        suite.seen_inside()


def test_a_group_stands_for_its_suites() -> None:
    groups = {suite.name for suite in SUITES if suite.group == "PithosTestSuite"}
    assert "ObjectsTestSuite" in groups
    assert len(groups) == 5
