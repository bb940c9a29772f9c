"""Names and tags on their way to Ganeti and back (Ganeti contract 2)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyclades.ganeti import names

pytestmark = pytest.mark.unit

IDS = st.integers(min_value=1, max_value=10**18 - 1)


@given(IDS)
def test_every_id_comes_back_from_its_name(number):
    assert names.server_id_of(names.instance_name(number)) == number
    assert names.network_id_of(names.network_name(number)) == number
    assert names.port_id_of(names.nic_name(number)) == number
    assert names.volume_id_of(names.disk_name(number)) == number


@pytest.mark.parametrize(
    "name",
    [
        None,
        "",
        "snf-",
        "snf-1a",
        "snf--1",
        "web1.example.org",
        "snf-net-1",
        "snf-1\n",
        "snf-٣",
        "snf-" + "9" * 30,
    ],
)
def test_other_names_are_not_ours(name):
    assert names.server_id_of(name) is None


@given(st.text())
def test_no_text_upsets_the_parsers(text):
    for parse in (names.server_id_of, names.network_id_of, names.port_id_of, names.volume_id_of):
        assert parse(text) is None or text.startswith("snf-")


def test_volumes_of_old_installations_keep_their_disk_name():
    assert names.disk_name(7, "a-uuid") == "a-uuid"


@pytest.mark.parametrize(
    ("prefix", "index", "full"), [("aa:00:0", 0, "aa:00:00"), ("aa:01:f", 11, "aa:01:fb")]
)
def test_a_backend_adds_its_digit_to_the_mac_prefix(prefix, index, full):
    assert names.backend_mac_prefix(prefix, index) == full


@pytest.mark.parametrize(
    ("prefix", "index"), [("aa:00:0", 16), ("aa:00", 1), ("zz:00:0", 1), ("aa:00:00", 1)]
)
def test_what_begins_no_mac_address_is_refused(prefix, index):
    with pytest.raises(ValueError, match="MAC"):
        names.backend_mac_prefix(prefix, index)


@pytest.mark.parametrize(
    ("tag", "encoded"),
    [
        ("cyclades:user:web", "cyclades:user:web"),
        ("cyclades:user:a b", "cyclades:user:a+b"),
        ("cyclades:user:a+b", "cyclades:user:a/2Bb"),
        ("cyclades:user:a_b", "cyclades:user:a*b"),
        ("cyclades:user:a~b", "cyclades:user:a/7Eb"),
        ("cyclades:user:ü", "cyclades:user:/C3/BC"),
    ],
)
def test_tags_take_the_form_that_ganeti_accepts(tag, encoded):
    assert names.encode_tag(tag) == encoded
    assert names.decode_tag(encoded) == tag


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="/,"), max_size=60))
def test_every_tag_survives_the_way_to_ganeti_and_back(text):
    tag = f"cyclades:user:{text}"
    encoded = names.encode_tag(tag)
    assert re.fullmatch(r"[A-Za-z0-9_.+*/:@-]+", encoded)
    assert names.decode_tag(encoded) == tag
    assert names.is_valid_tag(tag) == (len(encoded) <= 128)


@given(st.text())
def test_no_tag_of_ganeti_upsets_the_decoder(text):
    names.decode_tag(text)


@pytest.mark.parametrize("encoded", ["web", "synnefo:network:snf-nic-1:protected", "cyclades:user:a/2Fb"])
def test_tags_that_are_not_our_servers_are_ignored(encoded):
    assert names.decode_tag(encoded) is None


@pytest.mark.parametrize("profile", ["ENABLED", "DISABLED", "PROTECTED"])
def test_a_firewall_tag_leads_back_to_its_profile(profile):
    tag = names.firewall_tag(profile, 9)
    assert tag.split(":")[2] == "snf-nic-9"
    assert names.firewall_profile(tag.split(":")[3], public=False) == profile


def test_without_a_tag_private_nics_have_no_profile():
    assert names.firewall_profile(None, public=False) is None
    assert names.firewall_profile(None, public=True) == "DISABLED"
