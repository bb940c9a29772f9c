"""snf-service-export and snf-component-register."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings

from astakos.models import Component, Service
from synnefo import service_export
from synnefo.component_register import Registrar
from synnefo.service_export import ExportError, export
from tests.astakos.test_users_commands import run

BASE = "https://node1.example.com"


def in_process(words: list[str], stdin: str) -> str:
    before, sys.stdin = sys.stdin, io.StringIO(stdin)
    try:
        return run(*words)
    finally:
        sys.stdin = before


def answers(*given: str) -> Callable[[str], str]:
    left: Iterator[str] = iter(given)
    return lambda question: next(left)


@pytest.mark.functional
def test_export_needs_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    component = "cyclades"
    monkeypatch.setenv("SYNNEFO_SETTINGS_DIR", "/somewhere/else")
    monkeypatch.setenv("SNF_SYNNEFO_SERVICES", "[]")
    document = json.loads(export(component, f"{BASE}/{component}/"))
    assert document
    for service in document.values():
        assert service["component"] == component
        for endpoint in service["endpoints"]:
            assert endpoint["publicURL"].startswith(f"{BASE}/{component}/{service['prefix']}")
            assert not endpoint["publicURL"].endswith("/")


@pytest.mark.unit
def test_export_of_something_else_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["snf-service-export", "nova", BASE])
    assert service_export.main() == 1
    assert capsys.readouterr().err == "Unrecognized component\n"
    monkeypatch.setattr(sys, "argv", ["snf-service-export", "pithos"])
    assert service_export.main() == 1
    assert capsys.readouterr().err.startswith("Usage: snf-service-export")
    with pytest.raises(ExportError, match="no address"):
        export("pithos", "node1")


@pytest.mark.db
@pytest.mark.django_db
def test_registering_twice_keeps_ids_and_tokens(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.PITHOS_BASE_URL = f"{BASE}/pithos"
    document = run("service-export-pithos")
    monkeypatch.setattr("synnefo.component_register.export", lambda name, base_url: document)
    asked = answers("y", f"{BASE}/pithos/", "", "y", "")
    first = Registrar(asked, in_process)
    first.register("pithos")
    assert first.added
    assert "Set PITHOS_SERVICE_TOKEN" in capsys.readouterr().out
    before = Component.objects.get(name="pithos")
    assert (before.base_url, before.url) == (f"{BASE}/pithos", f"{BASE}/pithos/ui")

    again = Registrar(answers(), in_process, base_url=f"{BASE}/pithos", assume_yes=True)
    again.register("pithos")
    assert not again.added
    after = Component.objects.get(name="pithos")
    assert (after.pk, after.auth_token_digest) == (before.pk, before.auth_token_digest)
    assert list(Service.objects.values_list("name", flat=True)) == ["pithos_object-store"]


@pytest.mark.db
@pytest.mark.django_db
@pytest.mark.parametrize("given", [["n"], ["y", BASE, "", "n"]])
def test_nothing_happens_without_consent(given: list[str]) -> None:
    Registrar(answers(*given), in_process).register("pithos")
    assert not Component.objects.exists()
