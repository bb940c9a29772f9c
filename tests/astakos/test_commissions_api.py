"""Commissions through HTTP: bodies, statuses, ownership."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from astakos import public
from astakos.models import Commission, Holding, ProvisionLog
from tests.astakos.conftest import BASE_URL, UI_URL, Api, MakeUser, Person

pytestmark = [pytest.mark.db, pytest.mark.django_db]
COMMISSIONS = "account/v1.0/commissions"
INF = 2**63 - 1


@pytest.fixture
def person(service: Api, make_user: MakeUser) -> Any:
    """A user whose system project has the limits of the ``service`` fixture."""
    return make_user()


def provisions(person: Person, quantity: int, resource: str = "demo.vm") -> list[dict[str, object]]:
    return [p.as_dict() for p in public.charge(person.uuid, person.uuid, {resource: quantity})]


def issue(service: Api, person: Person, quantity: int, **options: object) -> Any:
    return service.post(COMMISSIONS, {"name": "test", "provisions": provisions(person, quantity), **options})


def usage(person: Person, resource: str = "demo.vm") -> list[tuple[int, int]]:
    rows = Holding.objects.filter(resource=resource, holder__endswith=person.uuid).order_by("source")
    return [(row.usage_min, row.usage_max) for row in rows]


def test_issue_reserves_and_answers_the_serial(service: Api, person: Person) -> None:
    response = issue(service, person, 3)
    assert response.status_code == 201
    assert response.json() == {"serial": Commission.objects.get().serial}
    assert usage(person) == [(0, 3), (0, 3)]


def test_accept_makes_the_usage_final_and_forgets_the_commission(service: Api, person: Person) -> None:
    serial = issue(service, person, 3).json()["serial"]
    response = service.post(f"{COMMISSIONS}/{serial}/action", {"accept": ""})
    assert (response.status_code, response.content) == (200, b"")
    assert response["Content-Type"] == "application/json; charset=UTF-8"
    assert usage(person) == [(3, 3), (3, 3)]
    assert not Commission.objects.exists()


def test_second_accept_is_not_found_without_a_body(service: Api, person: Person) -> None:
    serial = issue(service, person, 1).json()["serial"]
    service.post(f"{COMMISSIONS}/{serial}/action", {"accept": ""})
    response = service.post(f"{COMMISSIONS}/{serial}/action", {"accept": ""})
    assert (response.status_code, response.content) == (404, b"")


def test_reject_gives_the_reservation_back(service: Api, person: Person) -> None:
    serial = issue(service, person, 3).json()["serial"]
    assert service.post(f"{COMMISSIONS}/{serial}/action", {"reject": ""}).status_code == 200
    assert usage(person) == [(0, 0), (0, 0)]


def test_release_counts_down_when_accepted_only(service: Api, person: Person) -> None:
    issue(service, person, 3, auto_accept=True)
    serial = issue(service, person, -2).json()["serial"]
    assert usage(person) == [(1, 3), (1, 3)]
    service.post(f"{COMMISSIONS}/{serial}/action", {"accept": ""})
    assert usage(person) == [(1, 1), (1, 1)]


def test_rejected_release_changes_nothing(service: Api, person: Person) -> None:
    issue(service, person, 3, auto_accept=True)
    serial = issue(service, person, -2).json()["serial"]
    service.post(f"{COMMISSIONS}/{serial}/action", {"reject": ""})
    assert usage(person) == [(3, 3), (3, 3)]


def test_auto_accept_never_shows_as_pending(service: Api, person: Person) -> None:
    assert issue(service, person, 2, auto_accept=True).status_code == 201
    assert service.get(COMMISSIONS).json() == []
    assert usage(person) == [(2, 2), (2, 2)]
    assert ProvisionLog.objects.count() == 2


def test_serials_are_never_used_twice(service: Api, person: Person) -> None:
    first = issue(service, person, 1, auto_accept=True).json()["serial"]
    assert issue(service, person, 1).json()["serial"] > first


def test_over_limit_body_has_everything_clients_parse(service: Api, person: Person) -> None:
    issue(service, person, 3)
    response = issue(service, person, 2)
    assert response.status_code == 413
    fault = response.json()["overLimit"]
    assert fault["code"] == 413
    assert fault["data"] == {
        "name": "NoCapacityError",
        "limit": 4,
        "usage": 3,
        "provision": {
            "holder": f"user:{person.uuid}",
            "source": f"project:{person.uuid}",
            "resource": "demo.vm",
            "quantity": 2,
        },
    }
    assert "details" not in fault
    assert usage(person) == [(0, 3), (0, 3)]


def test_release_below_zero_is_over_limit_even_with_force(service: Api, person: Person) -> None:
    issue(service, person, 1, auto_accept=True)
    response = issue(service, person, -2, force=True)
    assert response.status_code == 413
    assert response.json()["overLimit"]["data"] == {
        "name": "NoQuantityError",
        "limit": 0,
        "usage": 1,
        "provision": provisions(person, -2)[0],
    }


def test_force_passes_the_limit(service: Api, person: Person) -> None:
    assert issue(service, person, 100, force=True).status_code == 201
    assert usage(person) == [(0, 100), (0, 100)]


def test_zero_is_refused_while_over_the_limit(service: Api, person: Person) -> None:
    issue(service, person, 5, force=True)
    assert issue(service, person, 0).status_code == 413


def test_accept_succeeds_after_the_limit_was_lowered(service: Api, person: Person) -> None:
    serial = issue(service, person, 3).json()["serial"]
    Holding.objects.update(limit=0)
    assert service.post(f"{COMMISSIONS}/{serial}/action", {"accept": ""}).status_code == 200


def test_force_beyond_what_a_counter_holds_is_over_limit(service: Api, person: Person) -> None:
    issue(service, person, 1, force=True)
    assert issue(service, person, INF, force=True).status_code == 413


@pytest.mark.parametrize(
    "changes",
    [
        {"holder": "user:nobody"},
        {"holder": "nobody"},
        {"source": "project:none"},
        {"source": None},
        {"resource": "no.such"},
        {"holder": "x" * 5000},
        {"holder": ""},
    ],
)
def test_unknown_holding_is_not_found_with_the_provision(
    service: Api, person: Person, changes: dict[str, Any]
) -> None:
    provision = {**provisions(person, 1)[0], **changes}
    response = service.post(COMMISSIONS, {"provisions": [provision]})
    assert response.status_code == 404
    assert response.json()["itemNotFound"]["data"] == {"name": "NoHoldingError", "provision": provision}


def test_first_failing_provision_undoes_all(service: Api, person: Person) -> None:
    wanted = [*provisions(person, 1), {**provisions(person, 1)[0], "resource": "no.such"}]
    assert service.post(COMMISSIONS, {"provisions": wanted}).status_code == 404
    assert usage(person) == [(0, 0), (0, 0)]
    assert not Commission.objects.exists()


def test_equal_provisions_are_summed_before_the_check(service: Api, person: Person) -> None:
    wanted = provisions(person, 3) + provisions(person, 3) + provisions(person, -2)
    assert service.post(COMMISSIONS, {"provisions": wanted}).status_code == 201
    assert usage(person) == [(0, 4), (0, 4)]
    response = service.post(COMMISSIONS, {"provisions": provisions(person, 3) + provisions(person, 3)})
    assert response.json()["overLimit"]["data"]["provision"]["quantity"] == 6


def test_no_provisions_is_a_commission_too(service: Api, person: Person) -> None:
    serial = service.post(COMMISSIONS, {"provisions": []}).json()["serial"]
    assert service.get(f"{COMMISSIONS}/{serial}").json()["provisions"] == []
    assert service.post(f"{COMMISSIONS}/{serial}/action", {"accept": ""}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "x"},
        {"provisions": None},
        {"provisions": {}},
        {"provisions": "x"},
        {"provisions": [1]},
        {"provisions": [{"holder": "a"}]},
        {"provisions": [{"holder": "a", "source": "b", "resource": "c"}]},
        {"provisions": [{"holder": ["a"], "source": "b", "resource": "c", "quantity": 1}]},
        {"provisions": [{"holder": "a", "source": {}, "resource": "c", "quantity": 1}]},
        {"provisions": [{"holder": "a", "source": "b", "resource": 3, "quantity": 1}]},
        {"provisions": [{"holder": "a", "source": "b", "resource": "c", "quantity": True}]},
        {"provisions": [{"holder": "a", "source": "b", "resource": "c", "quantity": "1"}]},
        {"provisions": [{"holder": "a", "source": "b", "resource": "c", "quantity": 1.5}]},
        {"provisions": [{"holder": "a", "source": "b", "resource": "c", "quantity": 2**63}]},
        {"provisions": [{"holder": "a", "source": "b", "resource": "c", "quantity": 2**63 - 1}] * 2},
        {"provisions": [{"holder": "a", "source": "b", "resource": "c", "quantity": 1}] * 501},
        {"provisions": [], "force": "yes"},
        {"provisions": [], "force": None},
        {"provisions": [], "auto_accept": 1},
        {"provisions": [], "name": 7},
        {"provisions": [], "name": "x" * 5000},
        [],
        "text",
        None,
    ],
)
def test_malformed_commissions_are_bad_requests(service: Api, person: Person, body: Any) -> None:
    import json

    response = service.post(COMMISSIONS, json.dumps(body))
    assert response.status_code == 400
    assert "data" not in response.json()["badRequest"]
    assert not Commission.objects.exists()


def test_list_and_show(service: Api, person: Person) -> None:
    serial = issue(service, person, 1).json()["serial"]
    assert service.get(COMMISSIONS).json() == [serial]
    shown = service.get(f"{COMMISSIONS}/{serial}").json()
    assert shown["issue_time"].endswith("+00:00")
    assert (shown["serial"], shown["name"]) == (serial, "test")
    assert shown["provisions"] == provisions(person, 1)


def test_another_component_sees_nothing_and_resolves_nothing(
    service: Api, person: Person, client: Client
) -> None:
    serial = issue(service, person, 1).json()["serial"]
    other = Api(client, public.register_component(name="b", base_url=BASE_URL, ui_url=UI_URL, services=()))
    assert other.get(COMMISSIONS).json() == []
    shown = other.get(f"{COMMISSIONS}/{serial}")
    assert (shown.status_code, shown.content) == (404, b"")
    assert other.post(f"{COMMISSIONS}/{serial}/action", {"accept": ""}).status_code == 404
    assert usage(person) == [(0, 1), (0, 1)]


@pytest.mark.parametrize("body", [{}, {"accept": "", "reject": ""}, {"other": ""}, []])
def test_action_wants_exactly_one_verb(service: Api, person: Person, body: Any) -> None:
    import json

    serial = issue(service, person, 1).json()["serial"]
    assert service.post(f"{COMMISSIONS}/{serial}/action", json.dumps(body)).status_code == 400


@pytest.mark.parametrize("serial", [0, 999999, 2**63, 10**29])
def test_unknown_serials_are_not_found(service: Api, serial: int) -> None:
    assert service.get(f"{COMMISSIONS}/{serial}").status_code == 404
    assert service.post(f"{COMMISSIONS}/{serial}/action", {"accept": ""}).status_code == 404


def test_bulk_resolution_reports_each_serial(service: Api, person: Person) -> None:
    accepted, rejected, both = (issue(service, person, 1).json()["serial"] for _ in range(3))
    body = {"accept": [accepted, both, 999999], "reject": [rejected, both]}
    response = service.post(f"{COMMISSIONS}/action", body)
    assert response.status_code == 200
    assert response.json() == {
        "accepted": [accepted],
        "rejected": [rejected],
        "failed": [
            [999999, {"itemNotFound": {"code": 404, "message": "serial 999999 does not exist"}}],
            [both, {"badRequest": {"code": 400, "message": f"cannot both accept and reject serial {both}"}}],
        ],
    }
    assert service.get(COMMISSIONS).json() == [both]
    assert usage(person) == [(1, 2), (1, 2)]


@pytest.mark.parametrize(
    "body", [{"accept": 1}, {"accept": ["x"]}, {"reject": [True]}, {"reject": None}, {"accept": [1.0]}, []]
)
def test_bulk_resolution_wants_lists_of_integers(service: Api, body: Any) -> None:
    import json

    assert service.post(f"{COMMISSIONS}/action", json.dumps(body)).status_code == 400


def test_bulk_resolution_of_nothing(service: Api) -> None:
    answer: dict[str, list[int]] = {"accepted": [], "rejected": [], "failed": []}
    assert service.post(f"{COMMISSIONS}/action", {}).json() == answer
    huge = service.post(f"{COMMISSIONS}/action", {"accept": [-1, 2**70]}).json()
    assert [serial for serial, _ in huge["failed"]] == [-1, 2**70]


def test_every_provision_leaves_a_log_row(service: Api, person: Person) -> None:
    serial = issue(service, person, 2).json()["serial"]
    service.post(f"{COMMISSIONS}/{serial}/action", {"reject": ""})
    rows = ProvisionLog.objects.filter(serial=serial)
    assert [(row.delta_quantity, row.reason, row.usage_max) for row in rows] == [(2, "REJECT:test", 0)] * 2


def test_user_token_is_no_service_token(service: Api, person: Person) -> None:
    assert person.api.get(COMMISSIONS).json()["unauthorized"]["message"] == "Invalid X-Auth-Token"


def test_wrong_verb_names_the_permitted_ones(service: Api) -> None:
    response = service.call("DELETE", COMMISSIONS)
    assert (response.status_code, response["Allow"]) == (405, "GET,POST")


def test_issue_and_accept_query_counts(
    service: Api, person: Person, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    wanted = provisions(person, 1) + provisions(person, 1, "demo.ram")
    with django_assert_max_num_queries(7):
        serial = service.post(COMMISSIONS, {"provisions": wanted}).json()["serial"]
    with django_assert_max_num_queries(10):
        service.post(f"{COMMISSIONS}/{serial}/action", {"accept": ""})
