"""How many queries a request may cost; one of them is the token's."""

from __future__ import annotations

import pytest
from django.db import connection

pytestmark = pytest.mark.db


@pytest.fixture
def full(maria):
    for number in range(20):
        maria.put(f"docs/d{number % 3}/{number}", b"x", x_object_meta_color="blue", x_object_sharing="read=*")
    return maria


def test_reading_an_object(full, nikos, django_assert_max_num_queries):
    for person, most in ((full, 2), (nikos, 2)):
        with django_assert_max_num_queries(most):
            assert person.head("docs/d1/1", account=full.uuid).status_code == 200
        with django_assert_max_num_queries(most):
            assert person.read("docs/d1/1", account=full.uuid) == b"x"


def test_changing_an_object(full, django_assert_max_num_queries):
    # The transaction's beginning and end count too; elsewhere nothing travels together.
    together = connection.vendor == "postgresql"
    with django_assert_max_num_queries(6 if together else 16):
        assert full.put("docs/new", b"fresh").status_code == 201
    with django_assert_max_num_queries(8 if together else 18):
        assert full.put("docs/new", b"again").status_code == 201
    with django_assert_max_num_queries(8 if together else 18):
        assert full.delete("docs/new").status_code == 204


def test_listings_do_not_depend_on_the_number_of_objects(full, django_assert_max_num_queries):
    for query in ("format=json", "format=json&delimiter=/", "format=json&limit=5", "format=json&meta=color"):
        with django_assert_max_num_queries(7):
            assert full.get("docs", query=query).status_code == 200


def test_showing_a_container_and_an_account(full, django_assert_max_num_queries):
    with django_assert_max_num_queries(4):
        assert full.head("docs").status_code == 204
    with django_assert_max_num_queries(12):
        assert full.head().status_code == 204
