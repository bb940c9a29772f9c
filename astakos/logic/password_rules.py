"""What a password that a user chooses must be like."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from astakos.logic.users import MAX_PASSWORD_LENGTH
from astakos.models import User
from synnefo.errors import BadRequest


def check_new_password(password: str, *, user: User) -> None:
    """Raise ``BadRequest`` with all the reasons why ``AUTH_PASSWORD_VALIDATORS`` refuse *password*."""
    if not 1 <= len(password) <= MAX_PASSWORD_LENGTH or "\0" in password:
        raise BadRequest(_("A password has 1 to %(limit)s characters") % {"limit": MAX_PASSWORD_LENGTH})
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise BadRequest(" ".join(error.messages)) from None
