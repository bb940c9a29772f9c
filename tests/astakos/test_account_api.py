"""The account API: quotas, catalogs, feedback, who am I."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from astakos import public
from astakos.logic import users
from astakos.models import Holding, MembershipState, Project, ProjectMembership, ProjectState, Resource, User
from synnefo import clock
from tests.astakos.conftest import BASE_URL, UI_URL, Api, MakeUser, Person

pytestmark = [pytest.mark.db, pytest.mark.django_db]
V1 = "account/v1.0"


@pytest.fixture
def person(service: Api, make_user: MakeUser) -> Any:
    return make_user()


def test_quotas_by_project_and_visible_resource(person: Person) -> None:
    public.issue_commission(
        clientkey="demo", name="", provisions=public.charge(person.uuid, person.uuid, {"demo.vm": 1})
    )
    answer = person.api.get(f"{V1}/quotas").json()
    assert list(answer) == [person.uuid]
    assert sorted(answer[person.uuid]) == ["demo.ram", "demo.vm"]
    assert answer[person.uuid]["demo.vm"] == {
        "limit": 4,
        "usage": 1,
        "pending": 1,
        "project_limit": 4,
        "project_usage": 1,
        "project_pending": 1,
    }


def test_quotas_take_a_fixed_number_of_queries(
    person: Person, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(2):
        assert person.api.get(f"{V1}/quotas").status_code == 200


def test_suspended_project_shows_with_zero_limits(person: Person) -> None:
    from astakos.logic import limits

    project = Project.objects.get(uuid=person.uuid)
    Project.objects.filter(pk=project.pk).update(state=ProjectState.SUSPENDED)
    limits.sync_holdings(project_ids=[project.pk])
    assert person.api.get(f"{V1}/quotas").json()[person.uuid]["demo.vm"]["limit"] == 0


@pytest.mark.parametrize("path", ["quotas", "authenticate"])
def test_user_calls_check_the_token(service: Api, person: Person, anonymous: Api, path: str) -> None:
    missing = anonymous.get(f"{V1}/{path}")
    assert (missing.status_code, missing.json()["unauthorized"]["message"]) == (
        401,
        "Access denied. No authentication token",
    )
    for token in ("bad", service.token, "x" * 10000, "é"):
        response = anonymous.get(f"{V1}/{path}", headers={"X-Auth-Token": token})
        assert response.json()["unauthorized"] == {
            "code": 401,
            "message": "Invalid X-Auth-Token",
            "details": "",
        }


def test_token_in_the_query_wins(person: Person, anonymous: Api) -> None:
    response = anonymous.get(f"{V1}/quotas?X-Auth-Token={person.token}", headers={"X-Auth-Token": "bad"})
    assert response.status_code == 200


def test_resources_need_no_token_and_hide_what_is_hidden(service: Api, anonymous: Api) -> None:
    answer = anonymous.get(f"{V1}/resources").json()
    assert answer["demo.ram"] == {
        "service": "demo_compute",
        "description": "Memory",
        "unit": "bytes",
        "ui_visible": True,
        "api_visible": True,
    }
    assert "demo.hidden" not in answer


def test_service_quotas_cover_own_resources_only(service: Api, person: Person, client: Client) -> None:
    answer = service.get(f"{V1}/service_quotas?user={person.uuid}").json()
    assert sorted(answer[person.uuid][person.uuid]) == ["demo.hidden", "demo.ram", "demo.vm"]
    other = Api(client, public.register_component(name="b", base_url=BASE_URL, ui_url=UI_URL, services=()))
    assert other.get(f"{V1}/service_quotas").json() == {}
    assert other.get(f"{V1}/service_quotas?user={person.uuid}").status_code == 404


def test_service_quotas_skip_unknown_ids_in_a_list(service: Api, person: Person) -> None:
    answer = service.get(f"{V1}/service_quotas?user=nobody,{person.uuid}").json()
    assert list(answer) == [person.uuid]
    response = service.get(f"{V1}/service_quotas?user=nobody")
    assert (response.status_code, response.json()["itemNotFound"]["message"]) == (
        404,
        "No user with UUID 'nobody'",
    )
    assert service.get(f"{V1}/service_quotas?project=nothing").json() == {}


def test_service_quotas_keep_removed_members(service: Api, person: Person) -> None:
    from astakos.logic import limits

    ProjectMembership.objects.filter(person__uuid=person.uuid).update(state=MembershipState.REMOVED)
    limits.sync_holdings(project_ids=[Project.objects.get(uuid=person.uuid).pk])
    answer = service.get(f"{V1}/service_quotas?user={person.uuid}").json()
    assert answer[person.uuid][person.uuid]["demo.vm"]["limit"] == 0


def test_service_project_quotas(service: Api, person: Person) -> None:
    answer = service.get(f"{V1}/service_project_quotas?project={person.uuid}").json()
    assert answer[person.uuid]["demo.vm"] == {"project_limit": 4, "project_usage": 0, "project_pending": 0}
    assert list(service.get(f"{V1}/service_project_quotas").json()) == [person.uuid]
    assert service.get(f"{V1}/service_project_quotas?project=x").status_code == 404


@pytest.mark.parametrize("path", ["service_quotas", "service_project_quotas"])
def test_service_calls_refuse_users(person: Person, path: str) -> None:
    assert person.api.get(f"{V1}/{path}").json()["unauthorized"]["message"] == "Invalid X-Auth-Token"


def test_expired_component_token_is_refused(service: Api) -> None:
    from astakos.models import Component

    Component.objects.update(auth_token_expires=clock.now() - dt.timedelta(1))
    assert service.get(f"{V1}/service_quotas").status_code == 401


def test_user_catalogs_translate_both_ways(person: Person, make_user: MakeUser) -> None:
    make_user("joe@lab.example")
    body = {"uuids": [person.uuid, "unknown"], "displaynames": ["MARIA@lab.example", "nobody@x.example"]}
    assert person.api.post(f"{V1}/user_catalogs", body).json() == {
        "uuid_catalog": {person.uuid: "maria@lab.example"},
        "displayname_catalog": {"MARIA@lab.example": person.uuid},
    }


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"uuids": null}', 200),
        ('{"uuids": "x"}', 200),
        ('{"uuids": [1, {}]}', 200),
        ("{}", 200),
        ('{"displaynames": null}', 400),
        ('{"displaynames": "x"}', 400),
        ('{"displaynames": [1]}', 400),
        ("[]", 400),
        ("{", 400),
        ("", 400),
        ("\xff", 400),
    ],
)
def test_user_catalogs_validation(person: Person, body: Any, status: int) -> None:
    assert person.api.post(f"{V1}/user_catalogs", body, content_type="text/plain").status_code == status


def test_user_catalogs_are_bounded(person: Person) -> None:
    assert person.api.post(f"{V1}/user_catalogs", {"uuids": ["x"] * 1001}).status_code == 400


@pytest.mark.usefixtures("one_period")
def test_a_user_may_translate_so_many_times_a_minute(
    person: Person, make_user: MakeUser, settings: Settings
) -> None:
    settings.ASTAKOS_RATELIMIT_CATALOGS_PER_MINUTE = 2
    statuses = [person.api.post(f"{V1}/user_catalogs", {}).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert make_user("joe@lab.example").api.post(f"{V1}/user_catalogs", {}).status_code == 200


def test_services_are_not_limited(service: Api, settings: Settings) -> None:
    settings.ASTAKOS_RATELIMIT_CATALOGS_PER_MINUTE = 1
    calls = [service.post(f"{V1}/service/user_catalogs", {}).status_code for _ in range(3)]
    assert calls == [200] * 3


def test_everybody_is_read_in_batches(
    service: Api, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:  # fmt: skip
    made = {make_user(f"u{number}@lab.example").uuid for number in range(5)}
    monkeypatch.setattr("astakos.logic.users._BATCH", 2)
    with django_assert_num_queries(4):
        assert {uuid for uuid, _name in users.everybody()} == made


def test_everybody_comes_with_the_length_also_when_it_does_not_fit_in_memory(
    service: Api, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = make_user()
    monkeypatch.setattr("synnefo.api.responses._SPOOL_BYTES", 10)
    answer = service.post(f"{V1}/service/user_catalogs", {"uuids": None})
    raw = b"".join(answer.streaming_content)
    assert int(answer["Content-Length"]) == len(raw)
    assert json.loads(raw) == {"uuid_catalog": {person.uuid: "maria@lab.example"}, "displayname_catalog": {}}


def test_services_may_ask_for_everybody(service: Api, person: Person, make_user: MakeUser) -> None:
    joe = make_user("joe@lab.example")
    body = {"uuids": None, "displaynames": None}
    everybody = {person.uuid: "maria@lab.example", joe.uuid: "joe@lab.example"}
    answer = service.post(f"{V1}/service/user_catalogs", body).json()
    assert answer["uuid_catalog"] == everybody
    assert answer["displayname_catalog"] == {email: uuid for uuid, email in everybody.items()}
    assert person.api.post(f"{V1}/service/user_catalogs", body).status_code == 401


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("feedback_msg=hello+there&feedback_data=%7B%7D", "application/x-www-form-urlencoded"),
        ("feedback_msg=hello+there", "application/octet-stream"),
        ('{"feedback_msg": "hello there", "feedback_data": {"a": 1}}', "application/json"),
    ],
)
def test_feedback_is_mailed_whatever_its_label(
    person: Person, settings: Settings, body: Any, content_type: str
) -> None:
    settings.FEEDBACK_NOTIFICATIONS_RECIPIENTS = [("Help", "help@lab.example")]
    response = person.api.post(f"{V1}/feedback", body, content_type=content_type)
    assert (response.status_code, response.content) == (200, b"")
    (message,) = mail.outbox
    assert message.to == ["help@lab.example"]
    assert "hello there" in message.body
    assert person.uuid in message.body


@pytest.mark.parametrize(
    "body", ["", "feedback_msg=", "other=1", "{", "{}", '{"feedback_msg": 7}', "\xff&=&"]
)
def test_feedback_without_a_message_is_refused(person: Person, body: Any) -> None:
    response = person.api.post(f"{V1}/feedback", body, content_type="application/x-www-form-urlencoded")
    assert response.status_code == 400


def test_feedback_that_cannot_be_mailed_is_a_bad_gateway(person: Person, settings: Settings) -> None:
    settings.HELPDESK = [("Help", "help@lab.example")]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    response = person.api.post(
        f"{V1}/feedback", "feedback_msg=x", content_type="application/x-www-form-urlencoded"
    )
    assert (response.status_code, response.content) == (502, b"")


def test_authenticate_in_the_early_form(person: Person) -> None:
    row = person.row
    assert person.api.get(f"{V1}/authenticate").json() == {
        "id": row.pk,
        "username": "maria@lab.example",
        "uniq": person.uuid,
        "uuid": person.uuid,
        "email": ["maria@lab.example"],
        "name": "Maria Doe",
        "groups": [],
        "auth_token": person.token,
        "auth_token_created": int(row.auth_token_created.timestamp()),
        "auth_token_expires": int(row.auth_token_expires.timestamp()),
    }


def make_project(
    person: Person,
    state: ProjectState = ProjectState.ACTIVE,
    member: MembershipState | None = MembershipState.ACCEPTED,
) -> Project:
    project = Project.objects.create(
        realname="p",
        creation_date=clock.now(),
        end_date=clock.now(),
        member_join_policy=1,
        member_leave_policy=1,
        limit_on_members_number=10,
        state=state,
    )
    if member is not None:
        ProjectMembership.objects.create(person=person.row, project=project, state=member)
    return project


def test_default_project_changes_the_tenant(person: Person, anonymous: Api) -> None:
    project = make_project(person)
    response = person.api.post(f"{V1}/myaccount/default_project", {"project_id": project.uuid})
    assert (response.status_code, response.content) == (200, b"")
    access = anonymous.post("identity/v2.0/tokens", {"auth": {"token": {"id": person.token}}}).json()[
        "access"
    ]
    assert access["token"]["tenant"]["id"] == project.uuid
    assert set(access["user"]["projects"]) == {person.uuid, project.uuid}


@pytest.mark.parametrize(
    ("state", "member", "status"),
    [
        (ProjectState.ACTIVE, None, 404),
        (ProjectState.ACTIVE, MembershipState.REQUESTED, 403),
        (ProjectState.ACTIVE, MembershipState.LEAVE_REQUESTED, 200),
        (ProjectState.SUSPENDED, MembershipState.ACCEPTED, 403),
        (ProjectState.TERMINATED, MembershipState.ACCEPTED, 409),
        (ProjectState.DELETED, MembershipState.ACCEPTED, 409),
        (ProjectState.UNINITIALIZED, MembershipState.ACCEPTED, 409),
    ],
)
def test_default_project_must_be_usable(
    person: Person, state: ProjectState, member: MembershipState | None, status: int
) -> None:
    project = make_project(person, state, member)
    response = person.api.post(f"{V1}/myaccount/default_project", {"project_id": project.uuid})
    assert response.status_code == status


@pytest.mark.parametrize(
    ("body", "status"), [("{}", 403), ('{"project_id": null}', 403), ('{"project_id": 7}', 400), ("[]", 400)]
)
def test_default_project_validation(person: Person, body: Any, status: int) -> None:
    assert person.api.post(f"{V1}/myaccount/default_project", body).status_code == status


def test_default_project_allows_post_only(person: Person) -> None:
    response = person.api.get(f"{V1}/myaccount/default_project")
    assert (response.status_code, response["Allow"]) == (405, "POST")


def test_deactivation_and_renewal_take_effect_at_once(person: Person) -> None:
    User.objects.filter(uuid=person.uuid).update(is_active=False)
    assert person.api.get(f"{V1}/quotas").json()["unauthorized"]["message"] == "User inactive"


def test_new_resource_reaches_existing_users(service: Api, person: Person) -> None:
    services = (
        public.ServiceDefinition(
            name="demo_extra", type="extra", endpoints=({"versionId": ""},),
            resources=(public.ResourceDefinition("demo.extra"),),
        ),
    )  # fmt: skip
    public.register_component(name="demo", base_url=BASE_URL, ui_url=UI_URL, services=services)
    quota = person.api.get(f"{V1}/quotas").json()[person.uuid]["demo.extra"]
    assert (quota["limit"], quota["project_limit"]) == (2**63 - 1, 2**63 - 1)
    assert Resource.objects.get(name="demo.extra").project_default == 0
    assert Holding.objects.filter(resource="demo.extra").count() == 2


def test_cloud_bar_lists_components_in_order(service: Api, anonymous: Api) -> None:
    (entry,) = anonymous.get("ui/get_services").json()
    assert (entry["name"], entry["url"], entry["order"]) == ("demo", UI_URL, 1000)
    assert entry["cloudbar"] == {"show": True}


def test_cloud_bar_callback(service: Api, anonymous: Api) -> None:
    response = anonymous.get("ui/get_services?callback=fill.bar")
    assert response["Content-Type"] == "application/javascript; charset=UTF-8"
    assert response.content.startswith(b"/**/fill.bar([")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert anonymous.get("ui/get_services?callback=alert(1)//").status_code == 400


def test_menu_follows_the_session(user: Person, client: Client, anonymous: Api) -> None:
    assert [entry["name"] for entry in anonymous.get("ui/get_menu").json()] == ["Sign in"]
    client.force_login(user.row)
    names = [entry["name"] for entry in anonymous.get("ui/get_menu").json()]
    assert names == ["maria@lab.example", "Dashboard", "Sign out"]


def test_unknown_account_path_is_a_bad_request(anonymous: Api) -> None:
    response = anonymous.get(f"{V1}/endpoints")
    assert (response.status_code, response.json()["badRequest"]["message"]) == (400, "API endpoint not found")
