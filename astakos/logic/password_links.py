"""Links by which the owner of an address chooses a password (identity contract 4.3)."""

from __future__ import annotations

from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.utils.encoding import force_bytes, force_str
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from astakos.logic import mails
from astakos.models import User
from synnefo.errors import NotFound

_LOCAL = "local"
#: Marks the login method of somebody whose address was signed up more than once: whoever proves the address
#: chooses the password, because any of the sign-ups may have been a stranger's.
CHOOSE_PASSWORD = {"choose_password": True}


class _Tokens(PasswordResetTokenGenerator):
    """Links that end with the next log-in or change of password; without a password only with the latter."""

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        if user.has_usable_password():
            return str(super()._make_hash_value(user, timestamp))
        # The link that proves the address signs in by itself; the way to a first password outlives that.
        return f"{user.pk}{user.password}{timestamp}{user.email}"


_tokens = _Tokens()


def reset_url(user: User) -> str:
    """Return the page where *user* chooses a new password; good until it is used or expires."""
    reference = urlsafe_base64_encode(force_bytes(user.pk))
    return mails.page_url(f"local/reset/confirm/{reference}/{_tokens.make_token(user)}/")


def is_good(user: User, token: str) -> bool:
    """Tell whether *token* is of a link to *user* that can still be used."""
    return bool(_tokens.check_token(user, token))


def user_of_link(*, reference: str, token: str) -> User:
    """Return the user whom a link was mailed to; raises ``NotFound`` when it is not good any more."""
    try:
        key = int(force_str(urlsafe_base64_decode(reference)))
        user = User.objects.filter(pk=key, is_active=True).first() if 0 < key < 2**63 else None
    except ValueError:
        user = None
    if user is None or not is_good(user, token):
        raise NotFound(_("This link is invalid, was used already or has expired"))
    return user


def has_to_choose(user: User) -> bool:
    """Tell whether *user* has to choose the first password, as none of the sign-ups' counts."""
    if user.has_usable_password():
        return False
    method = user.auth_providers.filter(module=_LOCAL, active=True).first()
    return method is not None and bool(method.info_data.get("choose_password"))


def mail_choice(user: User) -> None:
    """Mail *user* the link to the page where the first password is chosen."""
    mails.send_to_user(
        "password_choice",
        "PASSWORD_CHOICE_EMAIL_SUBJECT",
        gettext_noop("Your password at %(service)s"),
        user=user,
        context={"user": user, "url": reset_url(user)},
    )
