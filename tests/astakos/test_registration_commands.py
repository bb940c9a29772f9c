"""component-*, service-*, resource-*, quota-* and commission-* commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from astakos import public
from astakos.models import Commission, Component, Endpoint, Holding, Resource, Service
from synnefo.errors import Unauthorized
from tests.astakos.conftest import Api, MakeUser, Person
from tests.astakos.test_users_commands import load, refused, run

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def import_file(tmp_path: Path, document: object) -> str:
    path = tmp_path / "services.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return run("service-import", "--json", path)


def described(**changes: Any) -> dict[str, dict[str, Any]]:
    resource = {
        "name": "c1.space",
        "desc": "Space",
        "unit": "bytes",
        "service_type": "store",
        "service_origin": "c1_store",
    }
    service: dict[str, Any] = {
        "component": "c1",
        "type": "store",
        "prefix": "store",
        "public": True,
        "endpoints": [
            {"versionId": "v1", "publicURL": "https://s.example.org/c1/store/v1", "SNF:exposeVersion": True}
        ],
        "resources": {"space": resource},
    }
    return {"c1_store": {**service, **changes}}


@pytest.fixture
def component(db: None) -> Component:
    run(
        "component-add",
        "c1",
        "--base-url",
        "https://s.example.org/c1",
        "--ui-url",
        "https://s.example.org/c1/ui",
    )
    return Component.objects.get(name="c1")


def test_component_add_prints_a_working_token() -> None:
    text = run("component-add", "c1")
    assert text.startswith("Token: ")
    assert public.authenticate_service(text.split()[1]).name == "c1"


def test_component_add_refuses_duplicates_and_bad_urls(component: Component) -> None:
    assert "already exists" in refused("component-add", "c1")
    assert "not an absolute" in refused("component-add", "c2", "--base-url", "s.example.org")


def test_component_list_shows_the_token_on_demand_only(component: Component) -> None:
    assert load("component-list") == [
        {"id": component.pk, "name": "c1", "base_url": "https://s.example.org/c1"}
    ]
    (row,) = load("component-list", "-o", "name,token")
    assert public.authenticate_service(row["token"]).component_id == component.pk


def test_component_modify(component: Component) -> None:
    assert "Nothing to change" in refused("component-modify", "c1")
    assert run("component-modify", "c1", "--ui-url", "https://s.example.org/other") == ""
    token = run("component-modify", component.pk, "--renew-token").split()[1]
    assert public.authenticate_service(token).name == "c1"
    run("component-modify", "c1", "--auth-token", "a-token-of-our-own-choice")
    assert public.authenticate_service("a-token-of-our-own-choice").name == "c1"
    with pytest.raises(Unauthorized):
        public.authenticate_service(token)
    assert "A token has" in refused("component-modify", "c1", "--auth-token", "short")


def test_component_show_lists_its_services(component: Component, tmp_path: Path) -> None:
    import_file(tmp_path, described())
    shown = load("component-show", "c1")
    assert shown["base url"] == "https://s.example.org/c1"
    assert [row["name"] for row in shown["Registered services"]] == ["c1_store"]
    assert "does not exist" in refused("component-show", "nothing")


def test_component_remove_takes_its_services_along(component: Component, tmp_path: Path) -> None:
    import_file(tmp_path, described())
    run("component-remove", "c1", "-f")
    assert not Service.objects.exists()
    assert not Endpoint.objects.exists()


def test_purge_then_import_again_keeps_token_and_limits(component: Component, tmp_path: Path) -> None:
    import_file(tmp_path, described())
    run("resource-modify", "c1.space", "--system-default", "5GB")
    run("component-modify", "c1", "--purge-services")
    assert not Service.objects.exists()
    assert "Added service c1_store." in import_file(tmp_path, described())
    assert Resource.objects.get().uplimit == 5 * 1024**3


def test_import_tells_what_it_did(component: Component, tmp_path: Path) -> None:
    text = import_file(tmp_path, described())
    assert "Added service c1_store." in text
    assert "Resource 'c1.space' created in database with unlimited quota." in text
    assert "Updated service c1_store." in import_file(tmp_path, described(type="other"))
    assert Service.objects.get().type == "other"
    assert Endpoint.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"component": "nothing"},
        {"component": 7},
        {"type": None},
        {"endpoints": None},
        {"endpoints": [1]},
        {"endpoints": [{"versionId": "v1"}]},
        {"endpoints": [{"publicURL": ["x"]}]},
        {"endpoints": [{"publicURL": "https://s.example.org/" + "x" * 2000}]},
        {"resources": []},
        {"resources": {"r": {"name": "r"}}},
        {"resources": {"r": {"name": "r", "service_type": "t", "service_origin": "other"}}},
        {
            "resources": {
                "r": {
                    "name": "r",
                    "service_type": "store",
                    "service_origin": "c1_store",
                    "ui_visible": True,
                    "api_visible": False,
                }
            }
        },
    ],
)
def test_import_refuses_a_bad_document_as_a_whole(
    component: Component, tmp_path: Path, changes: dict[str, Any]
) -> None:
    path = tmp_path / "services.json"
    good = {"a_good": {**described()["c1_store"], "resources": {}}}
    path.write_text(json.dumps({**good, **described(**changes)}))
    refused("service-import", "--json", path)
    assert not Service.objects.exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', "\x00"])
def test_import_refuses_what_is_no_document(component: Component, tmp_path: Path, text: str) -> None:
    path = tmp_path / "services.json"
    path.write_text(text)
    refused("service-import", "--json", path)


def test_import_refuses_another_components_service_and_resource(component: Component, tmp_path: Path) -> None:
    import_file(tmp_path, described())
    run("component-add", "c2")
    path = tmp_path / "other.json"
    path.write_text(json.dumps(described(component="c2")))
    assert "belongs to component 'c1'" in refused("service-import", "--json", path)
    body = described(component="c2")["c1_store"]
    body["resources"]["space"]["service_origin"] = "c2_store"
    path.write_text(json.dumps({"c2_store": body}))
    assert "registered by component 'c1'" in refused("service-import", "--json", path)


def test_export_feeds_import(settings: Settings, tmp_path: Path) -> None:
    settings.ASTAKOS_BASE_URL = "https://s.example.org/astakos"
    run("component-add", "astakos", "--base-url", "https://s.example.org/astakos")
    exported = run("service-export-astakos")
    import_file(tmp_path, exported)
    names = ["astakos_account", "astakos_identity", "astakos_weblogin", "astakos_oauth2"]
    assert [row["name"] for row in load("service-list")] == names
    shown = load("service-show", "astakos_identity")
    data = {row["key"]: row["value"] for row in shown["Endpoints"]}
    assert data == {
        "versionId": "v2.0",
        "publicURL": "https://s.example.org/astakos/identity/v2.0",
        "SNF:exposeVersion": "True",
    }
    assert load("resource-list", "-o", "name,api_visible") == [
        {"name": "astakos.pending_app", "api_visible": False}
    ]


def test_registering_twice_changes_nothing(service: Api) -> None:
    token = service.token
    from tests.astakos.conftest import BASE_URL, SERVICES, UI_URL

    ids = list(Service.objects.values_list("pk", flat=True))
    again = public.register_component(name="demo", base_url=BASE_URL, ui_url=UI_URL, services=SERVICES)
    assert again == token
    assert list(Service.objects.values_list("pk", flat=True)) == ids


def test_resource_list_formats_units(service: Api) -> None:
    Resource.objects.filter(name="demo.ram").update(uplimit=3 * 1024**2)
    rows = {row["name"]: row["system_default"] for row in load("resource-list")}
    assert rows == {"demo.vm": 4, "demo.ram": "3 MB", "demo.hidden": "inf"}
    assert {row["system_default"] for row in load("resource-list", "--unit-style", "none")} >= {3145728}


def test_resource_modify_defaults_apply_to_future_users_only(
    service: Api, user: Person, make_user: MakeUser
) -> None:
    run("resource-modify", "demo.vm", "--default-quota", "9", "--project-default", "inf")
    joe = make_user("joe@lab.example")
    limits = dict(Holding.objects.filter(resource="demo.vm", source=None).values_list("holder", "limit"))
    assert limits == {f"project:{user.uuid}": 4, f"project:{joe.uuid}": 9}
    assert Resource.objects.get(name="demo.vm").project_default == 2**63 - 1


def test_resource_visibility_follows_its_rules(service: Api) -> None:
    run("resource-modify", "demo.vm", "--api-visible", "False")
    row = Resource.objects.get(name="demo.vm")
    assert (row.api_visible, row.ui_visible) == (False, False)
    run("resource-modify", "demo.vm", "--ui-visible", "True")
    row.refresh_from_db()
    assert (row.api_visible, row.ui_visible) == (True, True)


def test_resource_modify_refusals(service: Api) -> None:
    assert "does not exist" in refused("resource-modify", "nothing", "--system-default", "1")
    assert "Nothing to change" in refused("resource-modify", "demo.vm")
    assert "not a number" in refused("resource-modify", "demo.vm", "--system-default", "-1")
    assert "not a number" in refused("resource-modify", "demo.vm", "--system-default", "many")


def test_resource_defaults_from_a_file(service: Api, tmp_path: Path) -> None:
    path = tmp_path / "limits.json"
    path.write_text('{"demo.vm": 3, "demo.ram": "2GB"}')
    run("resource-modify", "--default-quota-from-file", path)
    limits = dict(Resource.objects.values_list("name", "uplimit"))
    assert (limits["demo.vm"], limits["demo.ram"]) == (3, 2 * 1024**3)


def use(user: Person, resource: str, quantity: int) -> None:
    provisions = public.charge(user.uuid, user.uuid, {resource: quantity})
    public.issue_commission(clientkey="demo", name="", provisions=provisions, force=True, auto_accept=True)


def test_quota_list_filters(service: Api, user: Person, make_user: MakeUser) -> None:
    joe = make_user("joe@lab.example")
    use(user, "demo.vm", 6)
    use(joe, "demo.ram", 500)
    assert len(load("quota-list")) == 6
    (over,) = load("quota-list", "--overlimit")
    assert (over["holder"], over["resource"], over["usage"]) == (user.uuid, "demo.vm", 6)
    expression = "user=joe@lab.example,usage>=100"
    (row,) = load("quota-list", "--filter-by", expression, "--unit-style", "b", "--display-mails")
    assert row == {
        "displayname": "joe@lab.example",
        "holder": joe.uuid,
        "source": joe.uuid,
        "resource": "demo.ram",
        "limit": "1000 B",
        "usage": "500 B",
    }
    assert {row["resource"] for row in load("quota-list", "--filter-by", "resource!=demo.vm")} == {
        "demo.ram",
        "demo.hidden",
    }
    assert "Unknown filter" in refused("quota-list", "--filter-by", "x=1")
    assert "not a condition" in refused("quota-list", "--filter-by", "x")


def test_quota_list_with_custom_limits(service: Api, user: Person) -> None:
    run("user-modify", user.uuid, "--base-quota", "demo.vm", "7")
    assert [row["resource"] for row in load("quota-list", "--with-custom=True")] == ["demo.vm"]
    assert len(load("quota-list", "--with-custom", "False")) == 2


def test_quota_verify_finds_and_repairs(service: Api, user: Person) -> None:
    assert run("quota-verify") == ""
    assert load("quota-verify") == {"Inconsistencies": []}
    Holding.objects.filter(resource="demo.vm", source=None).update(limit=1)
    Holding.objects.filter(resource="demo.ram", source=None).delete()
    Holding.objects.create(holder="user:ghost", source="project:ghost", resource="demo.vm", limit=1)
    rows = load("quota-verify")["Inconsistencies"]
    assert {(row["Resource"], row["Astakos"], row["Quotaholder"]) for row in rows} == {
        ("demo.vm", 4, 1),
        ("demo.ram", 1000, None),
    }
    assert len(load("quota-verify", "--include-unexpected-holdings")["Inconsistencies"]) == 3
    run("quota-verify", "--sync")
    assert run("quota-verify") == ""
    run("quota-verify", "--fix", "--include-unexpected-holdings")
    assert not Holding.objects.filter(holder="user:ghost").exists()


def test_commission_list_and_show(service: Api, user: Person) -> None:
    provisions = public.charge(user.uuid, user.uuid, {"demo.vm": 1})
    serial = public.issue_commission(clientkey="demo", name="create", provisions=provisions)
    (row,) = load("commission-list")
    assert (row["serial"], row["name"], row["clientkey"]) == (serial, "create", "demo")
    assert load("commission-list", "--overdue", "3600") == []
    Commission.objects.update(issue_datetime="2020-01-01T00:00:00Z")
    assert len(load("commission-list", "--overdue", "3600")) == 1
    shown = load("commission-show", serial)
    assert [row["quantity"] for row in shown["Provisions"]] == [1, 1]
    assert "does not exist" in refused("commission-show", "999999")


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    from django.core.management import get_commands

    for name in (name for name, app in get_commands().items() if app == "astakos"):
        with pytest.raises(SystemExit):
            run(name, "--help")
    assert "usage:" in capsys.readouterr().out
