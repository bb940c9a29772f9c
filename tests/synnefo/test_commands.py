"""What all management commands share."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from synnefo import clock
from synnefo.management import references
from synnefo.management.listing import Field, ListCommand
from synnefo.management.tables import render_object, render_table
from synnefo.models import AuditRecord

ROOT = Path(__file__).resolve().parents[2]


#: Settings whose name is put together where they are read: the firewall profile, the kind of format.
READ_BY_PATTERN = (
    r"AUTH_LDAP_\w+",  # django-auth-ldap reads them
    r"PROJECT_(CREATION|MODIFICATION)_RECIPIENTS",
    r"ASTAKOS_AUTH_PROVIDERS_\w+_POLICY",
    r"ASTAKOS_(LOGIN|SIGNUP|PROFILE|GLOBAL)_MESSAGES",
    r"BRANDING_\w+_LOGO(_DARK)?_URL",
    r"GANETI_FIREWALL_\w+_TAG",
    r"ALLOWED_(CONTAINER|DISK)_FORMATS",
)


class AuditList(ListCommand):
    object_class = AuditRecord
    FIELDS = {
        "id": Field("pk", "The number."),
        "action": Field("action", "What."),
        "actor": Field("actor", "Who."),
    }
    default_fields = ("id", "action")
    owner_field = "actor"


@pytest.fixture
def records(db):
    return [
        AuditRecord.objects.create(created=clock.now(), actor=f"user{n}", action=f"thing.{n}", target="x")
        for n in range(3)
    ]


def run(*arguments: str) -> str:
    output = io.StringIO()
    call_command(AuditList(), *arguments, stdout=output)
    return output.getvalue()


@pytest.mark.unit
def test_pretty_tables_are_right_aligned_with_a_dashed_line():
    assert render_table(("id", "name"), [(1, "a"), (22, "bbbbb")], style="pretty") == (
        "id   name\n---------\n 1      a\n22  bbbbb\n"
    )


@pytest.mark.unit
def test_csv_has_crlf_and_quotes_only_where_needed():
    assert render_table(("id", "name"), [(1, 'a,"b')], style="csv") == 'id,name\r\n1,"a,""b"\r\n'


@pytest.mark.unit
def test_json_has_native_types():
    text = render_table(("id", "ok", "none"), [(1, True, None)], style="json")
    assert json.loads(text) == [{"id": 1, "ok": True, "none": None}]


@pytest.mark.unit
def test_control_characters_are_escaped():
    assert "\x1b" not in render_object({"name": "\x1b[31mred"}, style="pretty")


@pytest.mark.db
def test_filter_by_and_output(records):
    out = run(
        "--filter-by", f"id>={records[1].pk},action!=thing.2", "-o", "actor,id", "--output-format", "json"
    )
    assert json.loads(out) == [{"actor": "user1", "id": records[1].pk}]


@pytest.mark.db
def test_repeated_filters_are_all_applied(records):
    out = run(
        "--filter-by", "action__startswith=thing", "--filter-by", "actor=user2", "--output-format", "json"
    )
    assert [row["action"] for row in json.loads(out)] == ["thing.2"]


@pytest.mark.db
def test_order_by_and_no_headers(records):
    out = run("--order-by=-action", "-o", "action", "--no-headers", "--output-format", "csv")
    assert out.split() == ["thing.2", "thing.1", "thing.0"]


@pytest.mark.db
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--filter-by", "nosuch=1"], "Cannot resolve keyword 'nosuch'"),
        (["--filter-by", "id=abc"], "abc"),
        (["--filter-by", "rubbish"], "is not a condition"),
        (["-o", "nosuch"], "Unknown field: 'nosuch'. Use --list-fields"),
        (["surplus"], "List commands do not accept any argument"),
    ],
)
def test_mistakes_are_explained(records, arguments, message):
    with pytest.raises(CommandError, match=re.escape(message)):
        run(*arguments)


@pytest.mark.db
def test_list_fields_and_list_filters(db):
    assert "What." in run("--list-fields")
    assert "request_id" in run("--list-filters")


def manage(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.functional
def test_unknown_command_is_refused_with_a_pointer():
    result = manage("no-such-command")
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        "Unknown command: 'no-such-command'",
        "Type 'snf-manage help' for usage.",
    ]


@pytest.mark.functional
@pytest.mark.parametrize(
    ("services", "present", "absent"),
    [
        ("['pithos']", "file-show", {"user-list", "server-list"}),
        ("['cyclades']", "server-list", {"user-list", "file-show"}),
        ("['astakos']", "user-list", {"file-show", "server-list"}),
    ],
)
def test_a_host_has_the_commands_of_its_own_services(monkeypatch, services, present, absent):
    monkeypatch.setenv("SNF_SYNNEFO_SERVICES", services)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "synnefo.settings")
    names = set(manage("help").stdout.split())
    assert present in names
    assert not absent & names
    assert manage("check").returncode == 0


@pytest.mark.functional
def test_an_unknown_service_stops_the_start(monkeypatch):
    monkeypatch.setenv("SNF_SYNNEFO_SERVICES", "['pihtos']")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "synnefo.settings")
    assert "unknown services: pihtos" in manage("help").stderr


@pytest.mark.functional
def test_help_lists_commands_sorted():
    names = manage("help").stdout.split()
    assert names == sorted(names)
    assert "docs-generate" in names


@pytest.mark.unit
def test_generated_documents_are_up_to_date():
    # One test, as to write them takes long and every process of a run would do it to learn their names.
    documents = references.documents()
    assert len(documents) > 20
    old = [name for name, text in documents.items() if (ROOT / name).read_text() != text]
    assert old == [], "run 'make docs' and commit the result"


@pytest.mark.unit
def test_every_declared_setting_is_read_somewhere():
    from synnefo import settings_registry

    sources = [
        path.read_text()
        for app in (
            "synnefo",
            "branding",
            "astakos",
            "pithos",
            "cyclades",
            "stats",
            "gtools",
            "templates",
            "conf",
        )
        for path in (ROOT / app).rglob("*")
        if path.suffix in (".py", ".html", ".txt")
        and not path.name.startswith("settings_")
        and not path.name.endswith("_settings.py")
    ]
    times = Counter(word for text in sources for word in re.findall(r"\b[A-Z][A-Z0-9_]+\b", text))
    # A declaration is among the sources itself.
    declarations = "".join(
        (ROOT / app / "settings.py").read_text()
        for app in ("branding", "astakos", "pithos", "cyclades", "stats")
    )
    read_by_django = {
        "ADMINS",
        "TIME_ZONE",
        "LANGUAGE_CODE",
        "ALLOWED_HOSTS",
        "DATABASES",
        "CACHES",
        "DEBUG",
        "SECRET_KEY",
    }
    unread = [
        name
        for name in settings_registry.declared()
        if name not in read_by_django
        and not any(re.fullmatch(p, name) for p in READ_BY_PATTERN)
        and times[name] < (2 if f'"{name}"' in declarations else 1)
    ]
    assert unread == []
