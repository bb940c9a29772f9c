"""Commissions of many processes at once, as web workers and services issue them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest
from django.db import connection

from astakos.models import Commission, Holding, Provision, ProvisionLog
from tests.astakos.commission_processes import COMMISSIONS, HOLDINGS
from tests.markers import needs_postgres

pytestmark = [pytest.mark.functional, needs_postgres, pytest.mark.django_db(transaction=True)]
LIMIT = 40


def test_two_hundred_commissions_of_eight_processes_add_up() -> None:
    Holding.objects.bulk_create(
        Holding(holder="project:p", source=None, resource=f"r{number}", limit=LIMIT)
        for number in range(HOLDINGS)
    )
    command = [sys.executable, "-m", "tests.astakos.commission_processes", connection.settings_dict["NAME"]]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stderr
    outcomes = json.loads(ran.stdout)
    expected: Counter[str] = Counter()
    for outcome in outcomes:
        expected.update(outcome["held"])
    settled, refused = (sum(outcome[how] for outcome in outcomes) for how in ("settled", "refused"))
    assert settled + refused == COMMISSIONS
    assert settled > 20 and refused > 20
    for row in Holding.objects.all():
        assert row.usage_min == row.usage_max == expected[row.resource]
        assert 0 <= row.usage_max <= LIMIT
    assert not Commission.objects.exists()
    assert not Provision.objects.exists()
    assert ProvisionLog.objects.values("serial").distinct().count() == settled
