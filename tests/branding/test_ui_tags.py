"""The parts pages are made of (web contract 6.3)."""

from __future__ import annotations

import datetime as dt

import pytest
from django import forms
from django.template import Context, Template
from django.utils import translation

from branding import states
from branding.templatetags.ui import quantity_text, size_text
from synnefo import clock
from synnefo.units import INF

pytestmark = pytest.mark.unit


def render(source: str, **context: object) -> str:
    return Template("{% load ui %}" + source).render(Context(context))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (10 * 2**30, "10 GiB"),
        (1289748, "1.23 MiB"),
    ],
)
def test_sizes_have_binary_units_and_no_idle_zeros(number, text):
    assert size_text(number) == text


def test_numbers_follow_the_language():
    with translation.override("el"):
        assert size_text(1536) == "1,5 KiB"


def test_infinity_is_called_unlimited():
    assert quantity_text(INF, "bytes") == "Unlimited"


@pytest.mark.parametrize(
    ("used", "limit", "expected"),
    [
        (6, 10, "4 left"),
        (10, 10, "Full"),
        (12, 10, "Over limit by 2"),
        (0, 0, "No quota"),
        (3, None, "unlimited"),
    ],
)
def test_a_quota_bar_says_in_words_what_it_shows(used, limit, expected):
    assert expected in render("{% quota_bar used limit %}", used=used, limit=limit)


def test_nothing_is_divided_by_a_limit_of_zero():
    assert "<svg" not in render("{% quota_bar 0 0 %}")


def test_a_bar_without_limit_is_left_out():
    assert "<svg" not in render("{% quota_bar 5 limit %}", limit=INF)


def test_pending_quantities_have_their_own_segment():
    shown = render("{% quota_bar 2 10 '' 3 %}")
    assert "quota-pending" in shown and "5 left" in shown


@pytest.mark.parametrize(
    ("state", "tone"),
    [
        ("ACTIVE", "ok"),
        ("BUILD", "busy"),
        ("ERROR", "danger"),
        ("STOPPED", "neutral"),
        ("whatever", "neutral"),
    ],
)
def test_states_have_tones(state, tone):
    assert states.tone_of(state) == tone
    assert f'data-state="{state}"' in render("{% status_pill state %}", state=state)


def test_times_are_relative_with_the_exact_one_beside():
    html = render("{% ago moment %}", moment=clock.now() - dt.timedelta(hours=3))
    assert "3\xa0hours ago" in html and "datetime=" in html and "title=" in html
    assert "in 4\xa0weeks" in render("{% ago moment %}", moment=clock.now() + dt.timedelta(days=29))


def test_names_are_text_everywhere():
    evil = '"><svg/onload=alert(1)>'
    html = render("{% copy name %}{% code_block name %}{% status_pill name %}", name=evil)
    assert "<svg/onload" not in html


class _Form(forms.Form):
    username = forms.CharField(help_text="Yours")
    accept = forms.BooleanField(required=False)
    kind = forms.ChoiceField(choices=[("a", "A"), ("b", "B")], widget=forms.RadioSelect)


def test_errors_are_linked_to_their_fields():
    html = render("{% form_fields form %}", form=_Form({}))
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="id_username_hint id_username_error"' in html
    assert 'role="alert"' in html and 'href="#id_username"' in html


def test_fields_have_labels_and_say_what_to_fill_in():
    html = render("{% form_fields form %}", form=_Form())
    assert '<label for="id_username">' in html and 'autocomplete="username"' in html
    assert "<legend" in html and '<label for="id_accept">' in html
