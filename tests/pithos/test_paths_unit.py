"""Names: byte order, prefixes, ancestors, limits."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pithos.paths import ancestors, check_object, is_directory_type, prefix_end
from synnefo.errors import BadRequest

pytestmark = pytest.mark.unit

_names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(_names, _names)
def test_names_with_a_prefix_are_exactly_those_between_it_and_its_end(prefix, other):
    end = prefix_end(prefix)
    for name in (prefix + other, other):
        inside = name.encode() >= prefix.encode() and (end is None or name.encode() < end.encode())
        assert inside == name.startswith(prefix) or (end is None and not prefix.strip("\U0010ffff"))


@given(st.text(st.sampled_from("a\ud7ff\U0010ffff\uffff"), min_size=1, max_size=4))
def test_the_end_of_a_prefix_is_valid_unicode(prefix):
    assume(prefix.strip("\U0010ffff"))
    assert prefix_end(prefix).encode() > prefix.encode()


def test_ancestors_are_every_directory_name_with_and_without_slash():
    assert ancestors("a/b/c") == ["a", "a/", "a/b", "a/b/"]
    assert ancestors("plain") == []
    assert ancestors("a/") == ["a"]
    assert ancestors("/x") == ["/"]


@pytest.mark.parametrize("name", ["x" * 1025, "😀" * 513, "a\0b", ""])
def test_names_that_cannot_be_stored_are_refused(name):
    with pytest.raises(BadRequest):
        check_object(name)


@pytest.mark.parametrize("name", ["x" * 1024, "α" * 1024, " a ", "a/", "//", "\n"])
def test_unusual_names_are_names(name):
    assert check_object(name) == name


def test_directory_types_are_recognised_with_parameters():
    assert is_directory_type("application/directory; charset=utf-8")
    assert is_directory_type("Application/Folder")
    assert not is_directory_type("application/directoryx")
