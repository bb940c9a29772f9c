"""What a commission leaves behind when the database goes away in the middle of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError, connection

from astakos import public
from astakos.logic import ledger_postgres
from astakos.logic.ledger import CommissionRequest, Issued
from astakos.models import Commission, Holding
from synnefo.db.locks import atomic
from tests.astakos.conftest import Api, MakeUser
from tests.markers import needs_postgres

pytestmark = [pytest.mark.fault, needs_postgres, pytest.mark.django_db(transaction=True)]
COMMISSIONS = "account/v1.0/commissions"


def end_session() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def test_killed_session_is_unavailable_and_changes_nothing(
    service: Api, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make_user()
    provisions = [p.as_dict() for p in public.charge(user.uuid, user.uuid, {"demo.vm": 1})]
    issue = ledger_postgres.issue

    def interrupted(request: CommissionRequest, *more: Any) -> Issued:
        end_session()
        return issue(request, *more)

    with monkeypatch.context() as patch:
        patch.setattr(ledger_postgres, "issue", interrupted)
        response = service.post(COMMISSIONS, {"provisions": provisions})
    assert response.status_code == 503
    assert "serviceUnavailable" in response.json()
    assert int(response["Retry-After"]) > 0
    connection.close()
    assert not Commission.objects.exists()
    assert set(Holding.objects.values_list("usage_min", "usage_max")) == {(0, 0)}
    assert service.post(COMMISSIONS, {"provisions": provisions}).status_code == 201


def test_session_killed_before_the_callers_commit_changes_nothing(make_user: MakeUser, service: Api) -> None:
    user = make_user()
    charge = public.charge(user.uuid, user.uuid, {"demo.vm": 1})
    with pytest.raises(OperationalError), atomic():
        public.issue_commission(clientkey="demo", name="", provisions=charge)
        end_session()
    connection.close()
    assert not Commission.objects.exists()
    assert set(Holding.objects.values_list("usage_min", "usage_max")) == {(0, 0)}
