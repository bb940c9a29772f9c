"""Settings of programs on Ganeti nodes, without Django (ganeti-backend contract 13)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gtools.settings import SettingsError, load

pytestmark = pytest.mark.unit


def test_defaults() -> None:
    found = load("/nonexistent", {})
    assert (found.backend_prefix_id, found.exchange_ganeti) == ("snf-", "ganeti")


def test_files_in_order_then_environment(tmp_path: Path) -> None:
    (tmp_path / "10-a.conf").write_text("AMQP_HOSTS = ['amqp://a/']\nEXCHANGE_GANETI = 'one'\nOTHER = 5\n")
    (tmp_path / "20-b.conf").write_text("AMQP_HOSTS += ['amqp://b/']\nEXCHANGE_GANETI = 'two'\n")
    (tmp_path / "readme.txt").write_text("not python")
    found = load(None, {"SYNNEFO_SETTINGS_DIR": str(tmp_path), "SNF_EXCHANGE_GANETI": "three"})
    assert found.amqp_hosts == ("amqp://a/", "amqp://b/")
    assert found.exchange_ganeti == "three"


def test_list_in_the_environment_is_a_literal() -> None:
    assert load("/x", {"SNF_AMQP_HOSTS": "['amqp://c/', 'amqp://d/']"}).amqp_hosts == (
        "amqp://c/",
        "amqp://d/",
    )


def test_value_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("['amqp://user:secret@c/']\n")
    found = load("/x", {"SNF_AMQP_HOSTS_FILE": str(tmp_path / "hosts")})
    assert found.amqp_hosts == ("amqp://user:secret@c/",)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("AMQP_HOSTS = 'amqp://a/'", "AMQP_HOSTS"),
        ("AMQP_HOSTS = []", "AMQP_HOSTS"),
        ("EXCHANGE_GANETI = ''", "EXCHANGE_GANETI"),
        ("BACKEND_PREFIX_ID = 'snf'", "BACKEND_PREFIX_ID"),
        ("1 / 0", "wrong.conf"),
        ("import", "wrong.conf"),
    ],
)
def test_wrong_value_is_named(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "wrong.conf").write_text(text + "\n")
    with pytest.raises(SettingsError, match=named):
        load(str(tmp_path), {})


@pytest.mark.parametrize("text", ["amqp://a/", "[", "5"])
def test_wrong_variable_is_named(text: str) -> None:
    with pytest.raises(SettingsError, match="AMQP_HOSTS"):
        load("/x", {"SNF_AMQP_HOSTS": text})


@pytest.mark.parametrize(
    "module",
    ["gtools.eventd", "gtools.progress_monitor", "gtools.osprovider.__main__", "synnefo.amqp.topology"],
)
def test_nothing_imports_django(module: str) -> None:
    program = f"import sys, {module}; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
