"""The account state machine, every state against every transition (identity contract 4.2)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from astakos.logic import accounts, users
from astakos.models import User
from synnefo.credentials import Credentials
from synnefo.errors import MethodNotAllowed

pytestmark = [pytest.mark.db, pytest.mark.django_db]
STAFF = Credentials.administrator()

#: What each state admits; everything else is refused.
ALLOWED = {
    "unverified": {"send_verification", "verify", "delete"},
    "pending": {"accept", "reject", "delete"},
    "rejected": {"accept", "delete"},
    "active": {"deactivate"},
    "inactive": {"activate", "deactivate"},
}
STEPS: dict[str, tuple[str, ...]] = {
    "unverified": (),
    "pending": ("verify",),
    "rejected": ("verify", "reject"),
    "active": ("verify", "accept"),
    "inactive": ("verify", "accept", "deactivate"),
}


def apply(transition: str, user: User) -> None:
    function: Callable[..., object] = getattr(accounts, transition)
    function(STAFF, user_id=user.pk)


def user_in(state: str) -> User:
    user = users.create(
        STAFF, email="maria@lab.example", first_name="Maria", last_name="Doe", password="a-password"
    )
    for step in STEPS[state]:
        apply(step, user)
    return User.objects.get(pk=user.pk)


@pytest.mark.parametrize("state", sorted(STEPS))
@pytest.mark.parametrize("transition", sorted(accounts.TRANSITIONS))
def test_transition(state: str, transition: str) -> None:
    user = user_in(state)
    before = accounts.status_text(user)
    if transition in ALLOWED[state]:
        apply(transition, user)
    else:
        with pytest.raises(MethodNotAllowed, match="Cannot"):
            apply(transition, user)
        assert accounts.status_text(User.objects.get(pk=user.pk)) == before


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("unverified", "Pending email verification"),
        ("pending", "Pending moderation"),
        ("rejected", "Rejected"),
        ("active", "Accepted/Active (accepted policy: manual)"),
        ("inactive", "Accepted/Inactive (accepted policy: manual)"),
    ],
)
def test_status_text(state: str, text: str) -> None:
    assert accounts.status_text(user_in(state)) == text


def test_deactivation_twice_still_comes_back_whole() -> None:
    user = user_in("inactive")
    apply("deactivate", user)
    apply("activate", user)
    row = User.objects.select_related("base_project").get(pk=user.pk)
    assert row.base_project is not None
    assert row.base_project.get_state_display() == "active"
    assert row.memberships.get().get_state_display() == "accepted"
