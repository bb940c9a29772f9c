"""Users' feedback to the support staff (identity contract 1.5)."""

from __future__ import annotations

from django.utils.translation import gettext_noop

from astakos.logic import mails
from astakos.logic.authentication import Identity
from astakos.models import User
from synnefo import rate_limit
from synnefo.errors import TooManyRequests

MAX_MESSAGE_LENGTH = 64 << 10
MAX_DATA_LENGTH = 64 << 10
_PER_HOUR = 20


def send(sender: Identity | User, *, message: str, data: str) -> bool:
    """Mail *message* to ``FEEDBACK_NOTIFICATIONS_RECIPIENTS``; return whether it left.

    Raises ``TooManyRequests`` for somebody who sends one after the other.
    """
    attempts = rate_limit.count_attempt(f"feedback:{sender.uuid}", limit=_PER_HOUR, period=3600)
    if attempts.exceeded:
        raise TooManyRequests(
            f"Too many messages; try again in {attempts.retry_after} seconds",
            retry_after=attempts.retry_after,
        )
    return mails.deliver_to_staff(
        "feedback",
        "FEEDBACK_EMAIL_SUBJECT",
        gettext_noop("Feedback from %(service)s"),
        to=mails.feedback_recipients(),
        context={
            "message": message[:MAX_MESSAGE_LENGTH],
            "data": data[:MAX_DATA_LENGTH],
            "user": sender,
            "email": sender.email,
            "uuid": sender.uuid,
        },
    )
