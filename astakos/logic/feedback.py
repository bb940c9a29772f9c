"""Users' feedback to the support staff."""

from __future__ import annotations

from django.template.loader import render_to_string

from astakos.logic import mails
from astakos.logic.authentication import Identity


def send(identity: Identity, *, message: str, data: str) -> bool:
    """Mail *message* to ``FEEDBACK_NOTIFICATIONS_RECIPIENTS``; return whether it left."""
    body = render_to_string(
        "astakos/mail/feedback.txt",
        {"message": message, "data": data, "email": identity.email, "uuid": identity.uuid},
    )
    return mails.deliver_now(subject="Feedback from a user", body=body, to=mails.feedback_recipients())
