"""Authenticator codes, recovery codes and passkeys (identity contract 4.5)."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pyotp
import pytest
from django.db import connection

from astakos.logic import second_factor
from astakos.logic.second_factor import Need
from astakos.models import Passkey, RecoveryCode, TotpDevice, User
from synnefo import clock
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound, TooManyRequests
from tests.astakos.conftest import MakeUser
from tests.lab.authenticator import Authenticator
from tests.markers import needs_postgres

pytestmark = pytest.mark.db
ADMIN = Credentials.administrator()
NOW = dt.datetime(2031, 5, 4, 10, 20, 15, tzinfo=dt.UTC)


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.moment = NOW

    def __call__(self) -> dt.datetime:
        return self.moment

    def forward(self, seconds: int) -> None:
        self.moment += dt.timedelta(seconds=seconds)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Clock:
    watch = Clock()
    monkeypatch.setattr(clock, "now", watch)
    return watch


@pytest.fixture
def maria(make_user: MakeUser) -> User:
    return make_user().row


def code_at(secret: str, moment: dt.datetime) -> str:
    return pyotp.TOTP(secret).at(moment)


def enrol(user: User, watch: Clock) -> tuple[str, list[str]]:
    secret = second_factor.begin_totp(ADMIN, user_id=user.pk).secret
    codes = second_factor.confirm_totp(ADMIN, user_id=user.pk, code=code_at(secret, watch.moment))
    watch.forward(30)
    return secret, codes


def test_an_application_counts_after_its_first_code(maria: User, watch: Clock) -> None:
    setup = second_factor.begin_totp(ADMIN, user_id=maria.pk)
    assert setup.uri.startswith("otpauth://totp/") and setup.qr_code.startswith("data:image/svg+xml;base64,")
    assert second_factor.need_of(maria) is Need.NOTHING
    assert setup.secret not in TotpDevice.objects.get().secret
    with pytest.raises(BadRequest):
        second_factor.confirm_totp(ADMIN, user_id=maria.pk, code="000000")
    pending = second_factor.pending_totp(user_id=maria.pk)
    assert pending is not None and pending.secret == setup.secret
    codes = second_factor.confirm_totp(ADMIN, user_id=maria.pk, code=code_at(setup.secret, NOW))
    assert len(set(codes)) == second_factor.RECOVERY_CODES
    assert second_factor.need_of(maria) is Need.CHALLENGE
    with pytest.raises(Conflict):
        second_factor.begin_totp(ADMIN, user_id=maria.pk)


@pytest.mark.parametrize(
    ("policy", "protected", "need"),
    [
        ("off", True, Need.NOTHING), ("off", False, Need.NOTHING),
        ("optional", True, Need.CHALLENGE), ("optional", False, Need.NOTHING),
        ("required", True, Need.CHALLENGE), ("required", False, Need.SET_UP),
    ],
)  # fmt: skip
def test_what_follows_the_password_is_policy(
    maria: User, settings: Any, watch: Clock, policy: str, protected: bool, need: Need
) -> None:
    if protected:
        enrol(maria, watch)
    settings.ASTAKOS_SECOND_FACTOR_POLICY = policy
    assert second_factor.need_of(maria) is need


def test_a_code_is_good_once(maria: User, watch: Clock) -> None:
    secret, _codes = enrol(maria, watch)
    code = code_at(secret, watch.moment)
    second_factor.check_code(user=maria, code=f" {code[:3]} {code[3:]} ")
    with pytest.raises(BadRequest):
        second_factor.check_code(user=maria, code=code)


def test_an_older_code_is_refused_after_a_newer_one(maria: User, watch: Clock) -> None:
    secret, _codes = enrol(maria, watch)
    watch.forward(60)
    older, newer = code_at(secret, watch.moment - dt.timedelta(seconds=30)), code_at(secret, watch.moment)
    second_factor.check_code(user=maria, code=newer)
    with pytest.raises(BadRequest):
        second_factor.check_code(user=maria, code=older)


@pytest.mark.parametrize(
    ("offset", "accepted"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)]
)
def test_a_clock_may_be_off_by_one_step(maria: User, watch: Clock, offset: int, accepted: bool) -> None:
    secret, _codes = enrol(maria, watch)
    watch.forward(300)
    code = code_at(secret, watch.moment + dt.timedelta(seconds=offset))
    if accepted:
        second_factor.check_code(user=maria, code=code)
    else:
        with pytest.raises(BadRequest):
            second_factor.check_code(user=maria, code=code)


def test_the_code_of_the_first_confirmation_is_used(maria: User, watch: Clock) -> None:
    secret = second_factor.begin_totp(ADMIN, user_id=maria.pk).secret
    code = code_at(secret, watch.moment)
    second_factor.confirm_totp(ADMIN, user_id=maria.pk, code=code)
    with pytest.raises(BadRequest):
        second_factor.check_code(user=maria, code=code)


def test_guessing_ends_after_five_codes(maria: User, watch: Clock) -> None:
    secret, _codes = enrol(maria, watch)
    for _attempt in range(5):
        with pytest.raises(BadRequest):
            second_factor.check_code(user=maria, code="12")
    with pytest.raises(TooManyRequests):
        second_factor.check_code(user=maria, code=code_at(secret, watch.moment))
    watch.forward(300)
    second_factor.check_code(user=maria, code=code_at(secret, watch.moment))


def test_a_recovery_code_is_good_once_in_any_spelling(maria: User, watch: Clock) -> None:
    _secret, codes = enrol(maria, watch)
    assert not RecoveryCode.objects.filter(code_digest__in=codes).exists()
    second_factor.check_code(user=maria, code=codes[0].upper().replace("-", " "))
    with pytest.raises(BadRequest):
        second_factor.check_code(user=maria, code=codes[0])
    assert second_factor.factors_of(maria).recovery_codes_left == second_factor.RECOVERY_CODES - 1
    fresh = second_factor.renew_recovery_codes(ADMIN, user_id=maria.pk)
    with pytest.raises(BadRequest):
        second_factor.check_code(user=maria, code=codes[1])
    second_factor.check_code(user=maria, code=fresh[0])


def test_recovery_codes_of_another_user_are_worth_nothing(
    make_user: MakeUser, maria: User, watch: Clock
) -> None:
    _secret, codes = enrol(maria, watch)
    other = make_user("other@lab.example").row
    enrol(other, watch)
    with pytest.raises(BadRequest):
        second_factor.check_code(user=other, code=codes[0])


def test_recovery_codes_need_a_second_factor(maria: User) -> None:
    with pytest.raises(Conflict):
        second_factor.renew_recovery_codes(ADMIN, user_id=maria.pk)


def test_the_last_factor_stays_where_policy_needs_one(maria: User, settings: Any, watch: Clock) -> None:
    enrol(maria, watch)
    settings.ASTAKOS_SECOND_FACTOR_POLICY = "required"
    with pytest.raises(Forbidden):
        second_factor.remove_totp(ADMIN, user_id=maria.pk)
    settings.ASTAKOS_SECOND_FACTOR_POLICY = "optional"
    second_factor.remove_totp(ADMIN, user_id=maria.pk)
    assert not second_factor.factors_of(maria).is_protected
    assert not RecoveryCode.objects.exists()


# -- passkeys ----------------------------------------------------------------------------------------------


def add_passkey(user: User) -> Authenticator:
    authenticator = Authenticator()
    options, challenge = second_factor.begin_passkey(user=user)
    second_factor.add_passkey(
        ADMIN, user_id=user.pk, name="Laptop", answer=authenticator.make(options), challenge=challenge
    )
    return authenticator


def ask(user: User) -> tuple[str, str]:
    asked = second_factor.begin_passkey_check(user=user)
    assert asked is not None
    return asked


def test_a_passkey_is_made_and_used(maria: User) -> None:
    assert second_factor.begin_passkey_check(user=maria) is None
    authenticator = add_passkey(maria)
    assert second_factor.factors_of(maria).recovery_codes_left == second_factor.RECOVERY_CODES
    options, challenge = ask(maria)
    second_factor.check_passkey(user=maria, answer=authenticator.use(options), challenge=challenge)
    assert Passkey.objects.get().sign_count == 1


def test_an_answer_to_another_challenge_is_refused(maria: User) -> None:
    authenticator = add_passkey(maria)
    options, _challenge = ask(maria)
    answer = authenticator.use(options)
    with pytest.raises(BadRequest):
        second_factor.check_passkey(user=maria, answer=answer, challenge=ask(maria)[1])


def test_an_answer_is_refused_the_second_time(maria: User) -> None:
    authenticator = add_passkey(maria)
    options, challenge = ask(maria)
    answer = authenticator.use(options)
    second_factor.check_passkey(user=maria, answer=answer, challenge=challenge)
    with pytest.raises(BadRequest):
        second_factor.check_passkey(user=maria, answer=answer, challenge=challenge)


def test_a_passkey_of_another_site_is_refused(maria: User) -> None:
    authenticator = add_passkey(maria)
    authenticator.origin = "https://evil.example"
    options, challenge = ask(maria)
    with pytest.raises(BadRequest):
        second_factor.check_passkey(user=maria, answer=authenticator.use(options), challenge=challenge)


def test_a_passkey_of_somebody_else_is_refused(make_user: MakeUser, maria: User) -> None:
    add_passkey(maria)
    other = add_passkey(make_user("other@lab.example").row)
    options, challenge = ask(maria)
    with pytest.raises(BadRequest):
        second_factor.check_passkey(user=maria, answer=other.use(options), challenge=challenge)


@pytest.mark.parametrize("answer", ["", "[]", "{}", '{"id": 5}', "x" * 20_000, '{"id": "a", "response": 1}'])
def test_what_is_no_passkey_is_refused(maria: User, answer: str) -> None:
    add_passkey(maria)
    _options, challenge = ask(maria)
    with pytest.raises(BadRequest):
        second_factor.check_passkey(user=maria, answer=answer, challenge=challenge)
    with pytest.raises(BadRequest):
        second_factor.add_passkey(ADMIN, user_id=maria.pk, name="x", answer=answer, challenge=challenge)


def test_a_passkey_is_removed_by_its_owner_only(make_user: MakeUser, maria: User) -> None:
    add_passkey(maria)
    row = Passkey.objects.get()
    with pytest.raises(NotFound):
        second_factor.remove_passkey(ADMIN, user_id=make_user("other@lab.example").row.pk, passkey_id=row.pk)
    second_factor.remove_passkey(ADMIN, user_id=maria.pk, passkey_id=row.pk)
    assert not Passkey.objects.exists()


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_who_show_the_same_code_one_gets_in(make_user: MakeUser, watch: Clock) -> None:
    maria = make_user().row
    secret, _codes = enrol(maria, watch)
    code = code_at(secret, watch.moment)
    barrier, results = threading.Barrier(4), []

    def show() -> None:
        try:
            barrier.wait(60)
            second_factor.check_code(user=maria, code=code)
            results.append(True)
        except BadRequest:
            results.append(False)
        finally:
            connection.close()

    threads = [threading.Thread(target=show) for _thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(results) == [False, False, False, True]
