"""The API for administering users, and statistics (identity contract 1.7)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.db import connection
from pytest_django import DjangoAssertNumQueries, Settings

from astakos.logic import admin_users
from astakos.models import User
from tests.astakos.conftest import Api, MakeUser, Person
from tests.astakos.test_quota_lists_scale_db import sequence

pytestmark = [pytest.mark.db, pytest.mark.django_db]
USERS = "identity/v2.0/users"


@pytest.fixture
def staff(make_user: MakeUser, settings: Settings) -> Api:
    settings.ASTAKOS_ADMIN_API_ENABLED = True
    person = make_user("staff@lab.example")
    person.row.groups.add(Group.objects.create(name="admin-api"))
    return person.api


def body_of(answer: Any) -> Any:
    raw = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert int(answer["Content-Length"]) == len(raw)
    return json.loads(raw)


def create(staff: Api, **fields: Any) -> Any:
    values = {"username": "Nina@lab.example", "first_name": "Nina", "last_name": "New", **fields}
    return staff.post(USERS, {"user": values})


@pytest.mark.parametrize("path", [USERS, f"{USERS}/detail", f"{USERS}.json"])
def test_disabled_api_does_not_exist(user: Person, path: str) -> None:
    assert user.api.get(path).status_code == 400


@pytest.mark.parametrize("verb", ["DELETE", "PATCH", "HEAD"])
def test_a_wrong_verb_is_told_only_where_the_api_exists(user: Person, settings: Settings, verb: str) -> None:
    assert user.api.call(verb, USERS).status_code == 400
    settings.ASTAKOS_ADMIN_API_ENABLED = True
    answer = user.api.call(verb, USERS)
    assert (answer.status_code, answer["Allow"]) == (405, "GET,POST")


def test_only_the_permitted_groups_get_in(staff: Api, make_user: MakeUser) -> None:
    outsider = make_user("out@lab.example")
    assert outsider.api.get(USERS).status_code == 403
    assert Api(staff.client).get(USERS).status_code == 401
    assert staff.get(USERS).status_code == 200


def test_lists_show_what_the_contract_names(staff: Api) -> None:
    (row,) = body_of(staff.get(USERS))["users"]
    assert row["email"] == "staff@lab.example"
    assert row["roles"] == ["admin-api"]
    assert row["authentication_methods"] == [
        {
            "identifier": "staff@lab.example",
            "active": True,
            "affiliation": "",
            "backend": "local",
            "metadata": {},
        }
    ]
    assert "date_joined" not in row
    (detailed,) = body_of(staff.get(f"{USERS}/detail"))["users"]
    assert detailed["auth_token_expires"].endswith("+00:00")
    assert detailed["verified_at"]


def test_created_user_can_log_in_at_once_and_nobody_is_mailed(staff: Api) -> None:
    created = body_of(create(staff, affiliation="Physics", metadata={"room": 7}))["user"]
    row = User.objects.get(uuid=created["id"])
    assert (row.username, row.is_active, row.has_signed_terms) == ("nina@lab.example", True, True)
    assert row.check_password(created["password"])
    assert Api(staff.client, created["auth_token"]).get("account/v1.0/authenticate").status_code == 200
    method = row.auth_providers.get()
    assert (method.affiliation, method.info_data) == ("Physics", {"room": 7})
    assert mail.outbox == []


def test_created_user_replaces_a_namesake_who_never_verified(staff: Api) -> None:
    from astakos.logic import signup

    signup.sign_up(
        module="local", email="nina@lab.example", first_name="A", last_name="B", password="long-enough-1"
    )
    assert create(staff).status_code == 200
    assert User.objects.filter(username="nina@lab.example").count() == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"username": "nonsense"},
        {"username": None},
        {"first_name": ""},
        {"last_name": 5},
        {"password": ""},
        {"metadata": [1]},
        {"metadata": {"a": "x" * 20_000}},
        {"affiliation": "\0"},
    ],
)
def test_unusable_fields_are_refused(staff: Api, fields: dict[str, Any]) -> None:
    assert create(staff, **fields).status_code == 400


def test_address_of_a_verified_user_conflicts(staff: Api) -> None:
    assert create(staff, username="STAFF@lab.example").status_code == 409


def test_change_of_address_changes_the_login_name(staff: Api, make_user: MakeUser) -> None:
    nina = make_user("nina@lab.example")
    changed = staff.call("PUT", f"{USERS}/{nina.uuid}", {"user": {"username": "N@lab.example"}})
    assert body_of(changed)["user"]["email"] == "n@lab.example"
    assert nina.row.username == "n@lab.example"
    taken = staff.call("PUT", f"{USERS}/{nina.uuid}", {"user": {"username": "staff@lab.example"}})
    assert taken.status_code == 409


def test_actions(staff: Api, make_user: MakeUser, service: Api) -> None:
    nina = make_user("nina@lab.example")

    def act(body: object) -> Any:
        return staff.post(f"{USERS}/{nina.uuid}/action", body)

    shut = body_of(act({"deactivate": {"reason": "left"}}))["user"]
    assert shut == {"id": nina.uuid, "is_active": False}
    assert body_of(staff.get(f"{USERS}/{nina.uuid}"))["user"]["deactivated_reason"] == "left"
    assert body_of(act({"activate": {}}))["user"]["is_active"] is True
    assert act({"activate": {}}).status_code == 405
    token = body_of(act({"renewToken": {}}))["user"]["auth_token"]
    assert Api(staff.client, token).get("account/v1.0/authenticate").status_code == 200
    assert body_of(act({"signTerms": {}}))["user"]["has_signed_terms"] is True
    chosen = body_of(act({"setDefaultProject": {"project_id": nina.uuid}}))["user"]
    assert chosen["default_project"] == nina.uuid
    assert act({"setDefaultProject": {"project_id": "nothing"}}).status_code == 404
    wrong: list[object] = [{}, {"dance": {}}, {"activate": {}, "signTerms": {}}, {"activate": []}, []]
    for nonsense in wrong:
        assert act(nonsense).status_code == 400


@pytest.mark.parametrize("what", ["", "/action"])
def test_unknown_user_is_not_found(staff: Api, what: str) -> None:
    path = f"{USERS}/8f0b7f2e-3b1d-4b5f-9c9e-0d6f6f1f2a11{what}"
    answer = staff.post(path, {"activate": {}}) if what else staff.get(path)
    assert answer.status_code == 404


def clone_the_user(count: int) -> None:
    """Make *count* users like the only one there is, in one statement."""
    changed = {
        "uuid": "'user-' || n", "auth_token_digest": "'d' || n", "verification_code": "'c' || n",
        "username": "'u' || n || '@lab.example'", "email": "'u' || n || '@lab.example'",
        "base_project_id": "NULL",
    }  # fmt: skip
    columns = [field.column for field in User._meta.concrete_fields if not field.primary_key]
    values = ", ".join(changed.get(column, f"u.{column}") for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO astakos_user ({', '.join(columns)}) "
            f"SELECT {values} FROM astakos_user AS u CROSS JOIN ({sequence(count)}) AS t"
        )


def test_ten_thousand_users_are_read_a_thousand_at_a_time(
    staff: Api, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    clone_the_user(10_000)
    with django_assert_max_num_queries(40):
        answer = staff.get(USERS)
    assert len({user["id"] for user in body_of(answer)["users"]}) == 10_001
    rows = admin_users.list_users()
    with django_assert_max_num_queries(3):
        next(rows)


# -- statistics --------------------------------------------------------------------------------------------


def test_totals_are_public_and_come_as_jsonp(user: Person, anonymous: Api) -> None:
    assert anonymous.get("admin/stats").json() == {"users": {"total": 1, "active": 1}}
    script = anonymous.get("admin/stats?callback=app.show")
    assert script.content.startswith(b"/**/app.show({")
    assert script["Content-Type"].startswith("application/javascript")
    assert script["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("callback", ["", "alert(1)//", "a" * 99, "a.b;c", "<script>"])
def test_callback_must_be_an_identifier(anonymous: Api, callback: str) -> None:
    from urllib.parse import quote

    assert anonymous.get(f"admin/stats?callback={quote(callback)}").status_code == 400


def test_details_are_for_the_permitted_groups(service: Api, user: Person, make_user: MakeUser) -> None:
    refused = user.api.get("admin/stats/detail")
    assert refused.json() == {"forbidden": {"code": 403, "message": "", "details": ""}}
    user.row.groups.add(Group.objects.create(name="admin-stats"))
    found = user.api.get("admin/stats/detail").json()
    assert found["providers"] == ["local"]
    assert found["users"]["all"] == {"total": 1, "verified": 1, "active": 1}
    assert found["users"]["local"] == {"total": 1, "verified": 1, "active": 1, "exclusive": 1}
    expected = {"used": 0, "allocated": 4, "unit": "", "description": "Servers"}
    assert found["resources"]["all"]["demo.vm"] == expected
    assert found["resources"]["local"]["demo.vm"] == expected


def test_root_of_statistics_is_nothing(anonymous: Api) -> None:
    assert anonymous.get("admin/").status_code == 404
