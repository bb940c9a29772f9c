"""What other services rely on in astakos.public."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, transaction
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries

from astakos import public
from astakos.models import Holding, Provision, Resource, User
from astakos.public import Provision as Charge
from synnefo import clock, crypto
from synnefo.errors import Conflict, NotFound, OverLimit, Unauthorized
from tests.astakos.conftest import Api, MakeUser, Person

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def test_authenticate_takes_one_query(
    user: Person, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        credentials = public.authenticate(user.token)
    assert credentials.user_id == user.uuid
    assert credentials.projects == {user.uuid}
    assert credentials.default_project == user.uuid
    assert not credentials.is_admin


def test_authenticate_service_takes_one_query(
    service: Api, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        assert public.authenticate_service(service.token or "").name == "demo"


def test_superuser_is_no_administrator_of_services(make_user: MakeUser) -> None:
    assert not public.authenticate(make_user(admin=True).token).is_admin


def test_authenticate_request_reads_the_header_only(user: Person) -> None:
    requests = RequestFactory()
    request = requests.get("/", headers={"X-Auth-Token": user.token})
    assert public.authenticate_request(request).user_id == user.uuid
    with pytest.raises(Unauthorized, match="No authentication token"):
        public.authenticate_request(requests.get(f"/?X-Auth-Token={user.token}"))


def test_token_is_stored_as_digest_and_cipher_text(user: Person) -> None:
    row = user.row
    assert user.token not in (row.auth_token, row.auth_token_digest)
    assert row.auth_token_digest == crypto.token_digest(user.token)
    assert len(user.token) == 43


def test_token_lifetime_follows_the_setting(user: Person) -> None:
    row = user.row
    assert row.auth_token_expires - row.auth_token_created == dt.timedelta(hours=720)
    assert row.auth_token_created <= clock.now()


def test_create_user_takes_a_chosen_token(make_user: MakeUser) -> None:
    chosen = "a-token-for-the-demo-user"
    assert make_user(token=chosen).token == chosen
    assert public.authenticate(chosen).roles == frozenset()
    with pytest.raises(Conflict):
        make_user("joe@lab.example", token=chosen)


def test_create_user_refuses_a_taken_address(make_user: MakeUser) -> None:
    make_user()
    with pytest.raises(Conflict):
        make_user("MARIA@lab.example")


def test_charge_names_both_holdings() -> None:
    assert public.charge("U", "P", {"r": 2}) == [
        Charge("user:U", "project:P", "r", 2),
        Charge("project:P", None, "r", 2),
    ]


def test_commission_life_cycle(service: Api, make_user: MakeUser) -> None:
    user = make_user()
    provisions = public.charge(user.uuid, user.uuid, {"demo.vm": 3})
    serial = public.issue_commission(clientkey="demo", name="x", provisions=provisions)
    assert public.pending_commissions(clientkey="demo") == [serial]
    with pytest.raises(OverLimit) as caught:
        public.issue_commission(clientkey="demo", name="x", provisions=provisions)
    assert "limit 4, used 3, 3 of it pending" in caught.value.message
    assert public.resolve_commissions(clientkey="demo", accept=[serial]).accepted == (serial,)
    (quota,) = public.service_quotas(resources=["demo.vm"], users=[user.uuid])
    assert (quota.limit, quota.usage, quota.pending, quota.project_usage) == (4, 3, 0, 3)
    (total,) = public.project_quotas(resources=["demo.vm"], projects=[user.uuid])
    assert (total.limit, total.usage, total.pending) == (4, 3, 0)


def test_unknown_holding_names_its_key() -> None:
    with pytest.raises(NotFound) as caught:
        public.issue_commission(clientkey="k", name="", provisions=[Charge("user:x", None, "r", 1)])
    assert (caught.value.data or {})["name"] == "NoHoldingError"


def test_membership_questions(user: Person) -> None:
    assert public.is_project_member(user.uuid, user.uuid)
    assert not public.is_project_member(user.uuid, "another")
    assert public.active_project_exists(user.uuid)
    assert not public.active_project_exists("another")


def test_quotas_of_nothing_are_empty(user: Person) -> None:
    assert public.service_quotas(resources=[]) == []
    assert public.service_quotas(resources=["r"], users=[]) == []
    assert public.project_quotas(resources=[], projects=[user.uuid]) == []


def test_catalog_of_many_users(make_user: MakeUser) -> None:
    people = [make_user(f"u{number}@lab.example") for number in range(3)]
    catalog = public.user_catalog(uuids=[person.uuid for person in people] * 400)
    assert len(catalog.emails_by_uuid) == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"limit": -1},
        {"limit": 0, "usage_min": -1},
        {"limit": 0, "usage_min": 2, "usage_max": 1},
    ],
)
def test_database_refuses_impossible_holdings(fields: dict[str, int]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Holding.objects.create(holder="h", resource="r", **fields)


@pytest.mark.parametrize("source", [None, "project:p"])
def test_database_keeps_holdings_unique(source: str | None) -> None:
    Holding.objects.create(holder="h", source=source, resource="r", limit=0)
    with pytest.raises(IntegrityError), transaction.atomic():
        Holding.objects.create(holder="h", source=source, resource="r", limit=0)


def test_database_keeps_what_a_commission_needs() -> None:
    holding = Holding.objects.create(holder="h", resource="r", limit=5)
    public.issue_commission(clientkey="k", name="", provisions=[Charge("h", None, "r", 1)])
    assert Provision.objects.filter(holding=holding).exists()
    with pytest.raises(IntegrityError):
        holding.delete()


def test_database_refuses_an_active_user_who_was_not_accepted(user: Person) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(uuid=user.uuid).update(moderated=False)


def test_database_refuses_a_page_resource_that_the_api_hides(service: Api) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Resource.objects.filter(name="demo.hidden").update(ui_visible=True)
