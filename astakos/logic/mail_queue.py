"""Mail that waits for the mail server: kept until it was taken, so that none is lost (identity contract 4.6).

A mail is a row from the moment its cause is committed. Delivery takes the row by moving its next attempt
into the future; a process that dies in between leaves a row that is tried again.
"""

from __future__ import annotations

import datetime as dt
import logging
import smtplib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import connections, transaction
from django.db.models import F

from astakos.models import QueuedMail
from synnefo import clock
from synnefo.db.locks import atomic

log = logging.getLogger("astakos.mails")

_FIRST_PAUSE = 60
_LONGEST_PAUSE = 6 * 3600
_AFTER_SUCCESS = 20
#: What a mail server that is down, busy or unwilling raises.
DELIVERY_ERRORS = (OSError, smtplib.SMTPException)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How many mails left and how many still wait."""

    sent: int
    failed: int


def message_of(*, subject: str, body: str, html: str, to: Sequence[str]) -> EmailMultiAlternatives:
    """Return a message of plain text, with an HTML alternative unless that is empty."""
    message = EmailMultiAlternatives(subject, body, settings.SERVER_EMAIL, list(to))
    if html:
        message.attach_alternative(html, "text/html")
    return message


def enqueue(*, template: str, subject: str, body: str, html: str, to: Sequence[str]) -> None:
    """Keep one mail in the caller's transaction and hand it over after the commit."""
    now = clock.now()
    mail = QueuedMail.objects.create(
        template=template[:64],
        subject=subject[:255],
        body=body,
        html=html,
        recipients=list(to),
        created=now,
        next_attempt=now,
    )
    transaction.on_commit(lambda: _hand_over(mail.pk))


def _hand_over(mail_id: int) -> None:
    if settings.ASTAKOS_MAILS_IN_BACKGROUND:
        _executor().submit(_deliver_in_background, mail_id)
    else:
        _deliver_with_others(mail_id)


@lru_cache(maxsize=1)
def _executor() -> ThreadPoolExecutor:
    """One thread for the process, made on first use and therefore after a fork; exit waits for it."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")


def _deliver_in_background(mail_id: int) -> None:
    try:
        _deliver_with_others(mail_id)
    except Exception:  # the edge of the thread; the row is still there for the next attempt
        log.exception("delivery of mail %s failed", mail_id)
    finally:
        connections.close_all()


def _deliver_with_others(mail_id: int) -> None:
    """Deliver one mail; when the server takes it, those that failed before may go as well."""
    if deliver(mail_id):
        send_due(limit=_AFTER_SUCCESS)


def deliver(mail_id: int) -> bool:
    """Try to send one mail that is due and tell whether the mail server took it."""
    mail = _claim(mail_id)
    if mail is None:
        return False
    message = message_of(subject=mail.subject, body=mail.body, html=mail.html, to=mail.recipients)
    try:
        message.send()
    except DELIVERY_ERRORS as error:
        _note_failure(mail, error)
        return False
    QueuedMail.objects.filter(pk=mail.pk).delete()
    return True


def _claim(mail_id: int) -> QueuedMail | None:
    """Take a due mail for this process: whoever moves its next attempt has it."""
    now = clock.now()
    with atomic():
        mail = QueuedMail.objects.filter(pk=mail_id, next_attempt__lte=now).first()
        if mail is None:
            return None
        pause = min(_FIRST_PAUSE * 2 ** min(mail.attempts, 10), _LONGEST_PAUSE)
        taken = QueuedMail.objects.filter(pk=mail_id, attempts=mail.attempts).update(
            attempts=F("attempts") + 1, next_attempt=now + dt.timedelta(seconds=pause)
        )
    return mail if taken else None


def _note_failure(mail: QueuedMail, error: Exception) -> None:
    refused = isinstance(error, smtplib.SMTPRecipientsRefused) and all(
        code >= 500 for code, _text in error.recipients.values()
    )
    too_old = mail.created < clock.now() - dt.timedelta(days=settings.ASTAKOS_MAILS_KEPT_DAYS)
    if refused or too_old:
        log.error("the mail '%s' of %s is given up: %s", mail.template, mail.created, error)
        QueuedMail.objects.filter(pk=mail.pk).delete()
        return
    log.warning("cannot send the mail '%s', it will be tried again: %s", mail.template, error)
    QueuedMail.objects.filter(pk=mail.pk).update(last_error=str(error)[:1000])


def send_due(*, limit: int = 1000) -> Delivery:
    """Try all mails whose next attempt is due, the oldest first, at most *limit*."""
    due = QueuedMail.objects.filter(next_attempt__lte=clock.now()).order_by("id")
    sent = failed = 0
    for mail_id in list(due.values_list("pk", flat=True)[:limit]):
        if deliver(mail_id):
            sent += 1
        else:
            failed += 1
    return Delivery(sent, failed)
