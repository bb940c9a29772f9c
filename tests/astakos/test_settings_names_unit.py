"""Every setting that an administrator of an earlier release may have in a file still loads."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import global_settings, settings
from django.core.management import call_command
from pytest_django import Settings

from synnefo import checks, logs, settings_registry
from tests.docs.test_documents import ROOT

pytestmark = pytest.mark.unit
NAMED = json.loads((ROOT / "tests/data/identity_settings.json").read_text())
KNOWN = {name for name in dir(global_settings) if name.isupper()}


def value_of(name: str) -> Any:
    declared = settings_registry.declared().get(name)
    return declared.default if declared else getattr(global_settings, name, "anything")


def test_every_setting_of_the_contract_loads(tmp_path: Path) -> None:
    values = {**{name: value_of(name) for name in NAMED["names"]}, **NAMED["examples"]}
    lines = [f"{name} = {value!r}\n" for name, value in values.items()]
    (tmp_path / "50-site.conf").write_text("".join(lines))
    namespace = settings_registry.defaults()
    settings_registry.load_directory(str(tmp_path), namespace, KNOWN)
    assert {name: namespace[name] for name in values} == values
    assert {name for name in values if name not in namespace} == set()


def test_a_setting_that_is_neither_honoured_nor_ignored_does_not_load(tmp_path: Path) -> None:
    (tmp_path / "50-site.conf").write_text("ASTAKOS_IM_STATIC_URI = '/static/im/'\n")
    with pytest.raises(settings_registry.SettingsError, match="unknown setting ASTAKOS_IM_STATIC_URI"):
        settings_registry.load_directory(str(tmp_path), settings_registry.defaults(), KNOWN)


def test_what_is_ignored_is_warned_of_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    site = SimpleNamespace(ASTAKOS_IM_STATIC_URL="/static/im/", OAUTH2_USER_MODEL="auth.User", DEBUG=False)
    monkeypatch.setattr(checks, "settings", site)
    messages = checks.check_ignored_settings(None)
    assert [message.msg.split()[2] for message in messages] == ["ASTAKOS_IM_STATIC_URL", "OAUTH2_USER_MODEL"]
    assert all(" is ignored: " in message.msg for message in messages)


def test_the_check_of_a_running_site_warns(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.OAUTH2_USER_MODEL = "auth.User"
    call_command("check")
    assert "The setting OAUTH2_USER_MODEL is ignored" in capsys.readouterr().err


def test_nothing_is_both_honoured_and_ignored() -> None:
    assert settings_registry.ignored(settings_registry.declared()) == {}
    assert settings_registry.ignored(dict.fromkeys(dir(settings))) == {}


def test_a_service_may_log_less_than_the_others() -> None:
    made = logs.setup(
        json_lines=False, level="INFO", log_file="", levels={"astakos": "ERROR", "pithos": None}
    )
    assert made["loggers"]["astakos"] == {"level": "ERROR"}
    assert "pithos" not in made["loggers"]
