"""How many queries a request may cost; one of them is the token's."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.db


@pytest.fixture
def full(maria):
    for number in range(20):
        maria.put(f"docs/d{number % 3}/{number}", b"x", x_object_meta_color="blue", x_object_sharing="read=*")
    return maria


def test_reading_an_object(full, nikos, django_assert_max_num_queries):
    for person in (full, nikos):
        with django_assert_max_num_queries(5):
            assert person.head("docs/d1/1", account=full.uuid).status_code == 200
        with django_assert_max_num_queries(5):
            assert person.read("docs/d1/1", account=full.uuid) == b"x"


def test_writing_an_object(full, django_assert_max_num_queries):
    with django_assert_max_num_queries(30):
        assert full.put("docs/new", b"fresh").status_code == 201
    with django_assert_max_num_queries(32):
        assert full.put("docs/new", b"again").status_code == 201


def test_listings_do_not_depend_on_the_number_of_objects(full, django_assert_max_num_queries):
    for query in ("format=json", "format=json&delimiter=/", "format=json&limit=5", "format=json&meta=color"):
        with django_assert_max_num_queries(7):
            assert full.get("docs", query=query).status_code == 200


def test_showing_a_container_and_an_account(full, django_assert_max_num_queries):
    with django_assert_max_num_queries(4):
        assert full.head("docs").status_code == 204
    with django_assert_max_num_queries(12):
        assert full.head().status_code == 204
