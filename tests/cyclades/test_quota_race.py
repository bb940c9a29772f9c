"""Concurrent creations against one quota (compute contract 15, real threads)."""

from __future__ import annotations

import json
import threading
from collections import Counter

import pytest
from django.db import connections
from django.test import Client

from cyclades.models import Server
from tests.markers import needs_postgres

pytestmark = [pytest.mark.db, needs_postgres]

THREADS = 50
LIMIT = 10


@pytest.mark.django_db(transaction=True)
def test_fifty_creations_with_a_quota_of_ten_make_exactly_ten(person, backend, create_body, submitted):
    barrier = threading.Barrier(THREADS)
    statuses: list[int] = []

    def create() -> None:
        try:
            barrier.wait(timeout=60)
            response = Client(raise_request_exception=False).post(
                "/cyclades/compute/v2.0/servers",
                json.dumps({"server": create_body}),
                content_type="application/json",
                headers={"X-Auth-Token": person.api.token},
            )
            statuses.append(response.status_code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=create) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert Counter(statuses) == {202: LIMIT, 413: THREADS - LIMIT}
    assert Server.objects.count() == LIMIT
    assert person.usage("cyclades.vm") == (LIMIT, 0)
