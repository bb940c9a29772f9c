"""A second proof after the password: authenticator codes, passkeys, recovery codes (identity contract 4.5).

Only logins by password ask for it; other providers have second factors of their own.
"""

from __future__ import annotations

import base64
import enum
import io
import json
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pyotp
from django.conf import settings
from django.db.models import F
from django.utils.translation import gettext as _

from astakos.models import Passkey, RecoveryCode, TotpDevice, User
from synnefo import audit, clock, crypto, rate_limit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound, TooManyRequests

_PURPOSE = "totp"
_STEP = 30
#: How many steps a person's clock may be off, in both directions.
_WINDOW = 1
RECOVERY_CODES = 10
MAX_PASSKEYS = 10
MAX_PASSKEY_JSON = 16 << 10
_ATTEMPTS, _ATTEMPTS_PERIOD = 5, 300
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


class Need(enum.StrEnum):
    """What follows the right password."""

    NOTHING = "nothing"
    CHALLENGE = "challenge"
    SET_UP = "set_up"


@dataclass(frozen=True, slots=True)
class TotpSetup:
    """What an authenticator application needs; shown once."""

    secret: str
    uri: str
    qr_code: str


@dataclass(frozen=True, slots=True)
class Factors:
    """The second factors of a user, for the profile page."""

    has_totp: bool
    recovery_codes_left: int
    passkeys: tuple[Passkey, ...]

    @property
    def is_protected(self) -> bool:
        """Tell whether a password alone is not enough."""
        return self.has_totp or bool(self.passkeys)


def factors_of(user: User) -> Factors:
    """Return the second factors that *user* has set up."""
    return Factors(
        has_totp=TotpDevice.objects.filter(user=user, confirmed__isnull=False).exists(),
        recovery_codes_left=RecoveryCode.objects.filter(user=user, used__isnull=True).count(),
        passkeys=tuple(user.passkeys.all()),
    )


def need_of(user: User) -> Need:
    """Return what *user* must do after the right password."""
    policy = settings.ASTAKOS_SECOND_FACTOR_POLICY
    if policy == "off":
        return Need.NOTHING
    if factors_of(user).is_protected:
        return Need.CHALLENGE
    return Need.SET_UP if policy == "required" else Need.NOTHING


def _locked(user_id: int) -> User:
    try:
        return lock_one(User.objects.filter(pk=user_id))
    except User.DoesNotExist:
        raise NotFound(f"User with ID {user_id} does not exist") from None


def _count_attempt(user: User) -> None:
    """Raise ``TooManyRequests`` when somebody who knows the password guesses codes."""
    attempts = rate_limit.count_attempt(f"second-factor:{user.pk}", limit=_ATTEMPTS, period=_ATTEMPTS_PERIOD)
    if attempts.exceeded:
        raise TooManyRequests(
            _("Too many wrong codes. Please try again in %(minutes)s minutes.")
            % {"minutes": attempts.retry_after // 60 + 1},
            retry_after=attempts.retry_after,
        )


def _refuse() -> BadRequest:
    return BadRequest(_("This code is not right or was used before"))


# -- authenticator applications ----------------------------------------------------------------------------


def begin_totp(credentials: Credentials, *, user_id: int) -> TotpSetup:
    """Give *user* a new secret; it counts once a code made from it was shown.

    Raises ``Conflict`` when an application is set up already.
    """
    secret = pyotp.random_base32()
    with atomic():
        user = _locked(user_id)
        if TotpDevice.objects.filter(user=user, confirmed__isnull=False).exists():
            raise Conflict(_("An authenticator application is set up already"))
        TotpDevice.objects.update_or_create(
            user=user,
            defaults={
                "secret": crypto.encrypt(secret, _PURPOSE),
                "confirmed": None,
                "last_step": 0,
                "created": clock.now(),
            },
        )
        audit.record(credentials, "user.begin_totp", f"user:{user.uuid}")
    return _setup(user, secret)


def pending_totp(*, user_id: int) -> TotpSetup | None:
    """Return the secret that waits for its first code, so that a wrong code does not start all over."""
    device = TotpDevice.objects.filter(user_id=user_id, confirmed__isnull=True).select_related("user").first()
    return None if device is None else _setup(device.user, crypto.decrypt(device.secret, _PURPOSE))


def _setup(user: User, secret: str) -> TotpSetup:
    issuer = settings.BRANDING_SERVICE_NAME
    uri = pyotp.TOTP(secret).provisioning_uri(name=user.username, issuer_name=issuer)
    return TotpSetup(secret, uri, _qr_code(uri))


def _qr_code(text: str) -> str:
    """Return a picture of *text* as a data URL."""
    import qrcode
    from qrcode.image.svg import SvgPathFillImage

    stream = io.BytesIO()
    qrcode.make(text, image_factory=SvgPathFillImage).save(stream)
    return f"data:image/svg+xml;base64,{base64.b64encode(stream.getvalue()).decode()}"


def confirm_totp(credentials: Credentials, *, user_id: int, code: str) -> list[str]:
    """Put the application into force with its first code and return fresh recovery codes.

    Raises ``BadRequest`` for a wrong code, ``NotFound`` when nothing was begun.
    """
    with atomic():
        user = _locked(user_id)
        _count_attempt(user)
        device = TotpDevice.objects.filter(user=user, confirmed__isnull=True).first()
        if device is None:
            raise NotFound(_("There is no authenticator application to confirm"))
        step = _matching_step(device, code)
        if step is not None:
            TotpDevice.objects.filter(pk=device.pk).update(confirmed=clock.now(), last_step=step)
            rate_limit.forget(f"second-factor:{user.pk}")
            audit.record(credentials, "user.confirm_totp", f"user:{user.uuid}")
            codes = _new_recovery_codes(user)
    # Outside, so that the count of attempts stays.
    if step is None:
        raise _refuse()
    return codes


def remove_totp(credentials: Credentials, *, user_id: int) -> None:
    """Forget the application; raises ``Forbidden`` when policy needs it."""
    with atomic():
        user = _locked(user_id)
        _check_removable(user, keeps=user.passkeys.exists())
        TotpDevice.objects.filter(user=user).delete()
        _drop_useless_recovery_codes(user)
        audit.record(credentials, "user.remove_totp", f"user:{user.uuid}")


def _check_removable(user: User, *, keeps: bool) -> None:
    if settings.ASTAKOS_SECOND_FACTOR_POLICY == "required" and not keeps:
        raise Forbidden(_("Your account needs a second factor; add another one first"))


def _drop_useless_recovery_codes(user: User) -> None:
    if not factors_of(user).is_protected:
        RecoveryCode.objects.filter(user=user).delete()


def _matching_step(device: TotpDevice, code: str) -> int | None:
    """Return the time step whose code this is, or ``None``; every step is compared."""
    digits = "".join(code.split())
    if not (digits.isascii() and digits.isdigit() and len(digits) == 6):
        return None
    generator = pyotp.TOTP(crypto.decrypt(device.secret, _PURPOSE), interval=_STEP)
    now = int(clock.now().timestamp()) // _STEP
    found = None
    for step in range(now - _WINDOW, now + _WINDOW + 1):
        if crypto.constant_time_equal(generator.generate_otp(step), digits):
            found = step
    return found


def _use_totp(user: User, code: str) -> bool:
    device = TotpDevice.objects.filter(user=user, confirmed__isnull=False).first()
    step = None if device is None else _matching_step(device, code)
    if device is None or step is None:
        return False
    # One of two who show the same code at the same time changes the row; the other is a replay.
    return bool(TotpDevice.objects.filter(pk=device.pk, last_step__lt=step).update(last_step=step))


# -- recovery codes ----------------------------------------------------------------------------------------


def _normalized(code: str) -> str:
    return "".join(char for char in code.lower() if char in _ALPHABET)


def _digest(user: User, code: str) -> str:
    return crypto.token_digest(f"recovery:{user.pk}:{_normalized(code)}")


def _new_recovery_codes(user: User) -> list[str]:
    RecoveryCode.objects.filter(user=user).delete()
    codes = [
        "-".join("".join(secrets.choice(_ALPHABET) for _char in range(5)) for _part in range(3))
        for _code in range(RECOVERY_CODES)
    ]
    RecoveryCode.objects.bulk_create(
        RecoveryCode(user=user, code_digest=_digest(user, code)) for code in codes
    )
    return codes


def renew_recovery_codes(credentials: Credentials, *, user_id: int) -> list[str]:
    """Replace all recovery codes and return the new ones; raises ``Conflict`` without a second factor."""
    with atomic():
        user = _locked(user_id)
        if not factors_of(user).is_protected:
            raise Conflict(_("Set up an authenticator application or a passkey first"))
        audit.record(credentials, "user.renew_recovery_codes", f"user:{user.uuid}")
        return _new_recovery_codes(user)


def _use_recovery_code(user: User, code: str) -> bool:
    unused = RecoveryCode.objects.filter(user=user, code_digest=_digest(user, code), used__isnull=True)
    return bool(unused.update(used=clock.now()))


def check_code(*, user: User, code: str) -> None:
    """Accept an authenticator code or a recovery code, each good once.

    Raises ``BadRequest`` for others, ``TooManyRequests`` after too many.
    """
    _count_attempt(user)
    with atomic():
        accepted = _use_totp(user, code[:64]) or _use_recovery_code(user, code[:64])
        if accepted:
            _note_success(user, "code")
    if not accepted:
        raise _refuse()


def _note_success(user: User, kind: str) -> None:
    rate_limit.forget(f"second-factor:{user.pk}")
    audit.record(Credentials(user_id=user.uuid), "user.second_factor", f"user:{user.uuid}", kind=kind)


# -- passkeys ----------------------------------------------------------------------------------------------


def _site() -> tuple[str, str]:
    """Return the host that passkeys belong to and the origin of our pages."""
    parts = urlsplit(settings.ASTAKOS_BASE_URL)
    return parts.hostname or "", f"{parts.scheme}://{parts.netloc}"


def begin_passkey(*, user: User) -> tuple[str, str]:
    """Return what a browser needs to make a passkey, as JSON, and the challenge to keep in the session."""
    import webauthn
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        PublicKeyCredentialDescriptor,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    host, _origin = _site()
    options = webauthn.generate_registration_options(
        rp_id=host,
        rp_name=settings.BRANDING_SERVICE_NAME,
        user_id=user.uuid.encode(),
        user_name=user.username,
        user_display_name=user.realname,
        exclude_credentials=[
            PublicKeyCredentialDescriptor(id=webauthn.base64url_to_bytes(row.credential_id))
            for row in user.passkeys.all()
        ],
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
    )
    return webauthn.options_to_json(options), _base64url(options.challenge)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _credential(text: str) -> dict[str, Any]:
    """Return what the browser sent; raises ``BadRequest`` when it is no credential."""
    try:
        found = json.loads(text) if len(text) <= MAX_PASSKEY_JSON else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _refuse_passkey()
    return found


def _refuse_passkey() -> BadRequest:
    return BadRequest(_("The passkey was not accepted"))


def add_passkey(
    credentials: Credentials, *, user_id: int, name: str, answer: str, challenge: str
) -> list[str]:
    """Store the passkey that a browser made and return recovery codes if it is the first factor.

    ``challenge`` is from the session. Raises ``BadRequest`` for an answer that does not fit.
    """
    import webauthn
    from webauthn.helpers.exceptions import WebAuthnException

    host, origin = _site()
    try:
        made = webauthn.verify_registration_response(
            credential=_credential(answer),
            expected_challenge=webauthn.base64url_to_bytes(challenge),
            expected_rp_id=host,
            expected_origin=origin,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise _refuse_passkey() from error
    with atomic():
        user = _locked(user_id)
        if user.passkeys.count() >= MAX_PASSKEYS:
            raise Conflict(_("An account has at most %(count)s passkeys") % {"count": MAX_PASSKEYS})
        was_protected = factors_of(user).is_protected
        identifier = _base64url(made.credential_id)
        if Passkey.objects.filter(credential_id=identifier).exists():
            raise Conflict(_("This passkey is known already"))
        Passkey.objects.create(
            user=user,
            name=name.strip()[:80] or _("Passkey"),
            credential_id=identifier,
            public_key=_base64url(made.credential_public_key),
            sign_count=made.sign_count,
            created=clock.now(),
        )
        audit.record(credentials, "user.add_passkey", f"user:{user.uuid}", name=name[:80])
        return [] if was_protected else _new_recovery_codes(user)


def remove_passkey(credentials: Credentials, *, user_id: int, passkey_id: int) -> None:
    """Forget a passkey; raises ``NotFound``, or ``Forbidden`` when policy needs it."""
    with atomic():
        user = _locked(user_id)
        row = user.passkeys.filter(pk=passkey_id).first()
        if row is None:
            raise NotFound(_("The account has no such passkey"))
        others = user.passkeys.exclude(pk=row.pk).exists()
        _check_removable(user, keeps=others or factors_of(user).has_totp)
        row.delete()
        _drop_useless_recovery_codes(user)
        audit.record(credentials, "user.remove_passkey", f"user:{user.uuid}", name=row.name)


def begin_passkey_check(*, user: User) -> tuple[str, str] | None:
    """Return what a browser needs to use one of the user's passkeys and the challenge; ``None`` without."""
    import webauthn
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor, UserVerificationRequirement

    known = [webauthn.base64url_to_bytes(row.credential_id) for row in user.passkeys.all()]
    if not known:
        return None
    options = webauthn.generate_authentication_options(
        rp_id=_site()[0],
        allow_credentials=[PublicKeyCredentialDescriptor(id=identifier) for identifier in known],
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    return webauthn.options_to_json(options), _base64url(options.challenge)


def check_passkey(*, user: User, answer: str, challenge: str) -> None:
    """Accept the answer of one of the user's passkeys to *challenge*, which is from the session.

    Raises ``BadRequest`` for others; ``TooManyRequests`` after too many.
    """
    import webauthn
    from webauthn.helpers.exceptions import WebAuthnException

    _count_attempt(user)
    credential = _credential(answer)
    row = user.passkeys.filter(credential_id=str(credential.get("id", ""))[:1400]).first()
    if row is None:
        raise _refuse_passkey()
    host, origin = _site()
    try:
        shown = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=webauthn.base64url_to_bytes(challenge),
            expected_rp_id=host,
            expected_origin=origin,
            credential_public_key=webauthn.base64url_to_bytes(row.public_key),
            credential_current_sign_count=row.sign_count,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise _refuse_passkey() from error
    # A counter that another login moved on meanwhile means a copied key; keys without one stay at zero.
    unmoved = Passkey.objects.filter(pk=row.pk, sign_count=row.sign_count)
    moved = F("sign_count") if shown.new_sign_count == 0 else shown.new_sign_count
    with atomic():
        accepted = bool(unmoved.update(sign_count=moved, last_used=clock.now()))
        if accepted:
            _note_success(user, "passkey")
    if not accepted:
        raise _refuse_passkey()
