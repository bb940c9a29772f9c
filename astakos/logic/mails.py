"""Mail about accounts: rendered now, sent after the commit, a failure is logged (identity contract 4.6)."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string

from astakos.models import User

log = logging.getLogger("astakos.mails")

Recipients = Sequence[tuple[str, str]]


def account_recipients(setting: str) -> list[str]:
    """Return the addresses that *setting* names, falling back as the settings' help says."""
    chosen: Recipients | None = getattr(settings, setting)
    if chosen is None:
        chosen = settings.ACCOUNT_NOTIFICATIONS_RECIPIENTS
    if chosen is None:
        chosen = (*settings.HELPDESK, *settings.MANAGERS, *settings.ADMINS)
    return _addresses(chosen)


def feedback_recipients() -> list[str]:
    """Return the addresses that receive users' feedback."""
    chosen: Recipients | None = settings.FEEDBACK_NOTIFICATIONS_RECIPIENTS
    return _addresses(settings.HELPDESK if chosen is None else chosen)


def _addresses(recipients: Recipients) -> list[str]:
    return list(dict.fromkeys(address for _, address in recipients))


def activation_url(user: User) -> str:
    """Return the link by which *user* proves the address."""
    base = settings.ASTAKOS_BASE_URL.rstrip("/")
    return f"{base}/ui/activate?auth={user.verification_code}&next={base}/ui/"


def subject(text_id: str, default: str, **fields: object) -> str:
    """Return a mail's subject: *default*, or what ``ASTAKOS_<text_id>_MESSAGE`` says, with *fields* in it."""
    chosen: str = getattr(settings, f"ASTAKOS_{text_id}_MESSAGE", default)
    return chosen % fields if fields else chosen


def send(template: str, *, subject: str, to: Sequence[str], context: Mapping[str, Any]) -> None:
    """Queue one mail for after the commit; *template* names a file of ``astakos/mail``."""
    if not to:
        log.info("nobody is configured to receive the mail '%s'", template)
        return
    body = render_to_string(
        f"astakos/mail/{template}.txt",
        {"base_url": settings.ASTAKOS_BASE_URL.rstrip("/"), "contact": settings.CONTACT_EMAIL, **context},
    )
    message = EmailMessage(subject, body, settings.SERVER_EMAIL, list(to))
    transaction.on_commit(lambda: _deliver(message, template))


def _deliver(message: EmailMessage, template: str) -> None:
    try:
        message.send()
    except (OSError, smtplib.SMTPException) as error:
        log.error("cannot send the mail '%s': %s", template, error)


def deliver_now(*, subject: str, body: str, to: Sequence[str]) -> bool:
    """Send one mail at once and return whether a mail server took it; nobody to send to counts as sent."""
    if not to:
        log.warning("nobody is configured to receive the mail '%s'", subject)
        return True
    try:
        EmailMessage(subject, body, settings.SERVER_EMAIL, list(to)).send()
    except (OSError, smtplib.SMTPException) as error:
        log.error("cannot send the mail '%s': %s", subject, error)
        return False
    return True
