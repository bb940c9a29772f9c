"""Mails: rendered from templates, kept until the mail server took them (identity contract 4.6).

A mail is in the language of whoever receives it, whatever that of the acting user or of the command is:
``send_to_user`` and ``send_to_staff`` see to that, and nothing else sends mail.
A site replaces a mail by a template of the same name in its template directory, under ``astakos/mail/`` or
under the name that earlier releases used.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from django.conf import settings
from django.template import TemplateDoesNotExist
from django.template.backends.django import Template
from django.template.loader import get_template, select_template
from django.utils import translation
from django.utils.translation import gettext as _

from astakos.logic import mail_queue
from astakos.logic.preferences import language_of
from astakos.models import User
from branding import identity as brand
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic
from synnefo.errors import BadRequest, NotFound

log = logging.getLogger("astakos.mails")

Recipients = Sequence[tuple[str, str]]
MAX_TEXT_LENGTH = 64 << 10

#: Template -> its name in earlier releases, which sites have replacements of (administrator's contract 7.8).
LEGACY_NAMES = {
    "activation": "im/activation_email",
    "moderation": "im/account_pending_moderation_notification",
    "accepted": "im/account_activated_notification",
    "welcome": "im/welcome_email",
    "invitation": "im/invitation",
    "feedback": "im/feedback_mail",
    "plain": "im/plain_email",
    "email_change_new": "registration/email_change_email_new_email",
    "email_change_old": "registration/email_change_email_old_email",
    "password_reset": "registration/password_email",
    "project_creation": "im/projects/project_creation_notification",
    "project_modification": "im/projects/project_modification_notification",
    "project_approval": "im/projects/project_approval_notification",
    "project_denial": "im/projects/project_denial_notification",
    "project_membership_change": "im/projects/project_membership_change_notification",
    "project_membership_enroll": "im/projects/project_membership_enroll_notification",
    "project_membership_request": "im/projects/project_membership_request_notification",
    "project_membership_leave_request": "im/projects/project_membership_leave_request_notification",
    "project_suspension": "im/projects/project_suspension_notification",
    "project_unsuspension": "im/projects/project_unsuspension_notification",
    "project_termination": "im/projects/project_termination_notification",
    "project_reinstatement": "im/projects/project_reinstatement_notification",
    "application_approved_admin": "im/application_approved_admin_email",
}


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


def page_url(path: str) -> str:
    """Return the address of the page *path* (below ``ui/``), for a mail."""
    return f"{settings.ASTAKOS_BASE_URL.rstrip('/')}/ui/{path}"


def activation_url(user: User) -> str:
    """Return the link by which *user* proves the address."""
    return page_url(f"activate?auth={user.verification_code}&next={page_url('')}")


def subject(text_id: str, default: str, **fields: object) -> str:
    """Return a mail's subject: *default*, or what ``ASTAKOS_<text_id>_MESSAGE`` says, with *fields* in it."""
    chosen: str = getattr(settings, f"ASTAKOS_{text_id}_MESSAGE", default)
    fields = {"service": settings.BRANDING_SERVICE_NAME, **fields}
    try:
        return chosen % fields
    except (KeyError, ValueError, TypeError) as error:
        log.error("ASTAKOS_%s_MESSAGE cannot be filled in: %s", text_id, error)
        return default % fields


def _context(context: Mapping[str, Any]) -> dict[str, Any]:
    base_url = settings.ASTAKOS_BASE_URL.rstrip("/")
    return {
        **brand.template_values(),
        "base_url": base_url,
        "baseurl": base_url,
        "contact": settings.CONTACT_EMAIL,
        "support": settings.CONTACT_EMAIL,
        **context,
    }


def _plain_template(template: str) -> tuple[Template, str]:
    """Return the text template that applies and the name it was found under, without its suffix."""
    names = [f"astakos/mail/{template}"]
    if template in LEGACY_NAMES:
        names.insert(0, LEGACY_NAMES[template])
    chosen: Any = select_template([f"{name}.txt" for name in names])
    return chosen, str(chosen.template.name).removesuffix(".txt")


def _html_template(text: Template, name: str) -> Template | None:
    """Return the HTML form of a mail; a site that replaced only the text is not contradicted by ours."""
    try:
        found: Any = get_template(f"{name}.html")
    except TemplateDoesNotExist:
        return None
    same_place = PurePath(found.origin.name).parent == PurePath(text.origin.name).parent
    return found if same_place else None


def render(template: str, context: Mapping[str, Any]) -> tuple[str, str]:
    """Return a mail's text and its HTML form, which may be empty."""
    values = _context(context)
    text, name = _plain_template(template)
    html = _html_template(text, name)
    return text.render(dict(values)), "" if html is None else html.render(dict(values))


def in_language_of(user: User) -> translation.override:
    """Return the context in which texts for *user* are made."""
    return translation.override(language_of(user))


def in_language_of_site() -> translation.override:
    """Return the context in which texts for staff and for people without an account are made."""
    return translation.override(settings.LANGUAGE_CODE)


def send_to_user(
    template: str,
    text_id: str,
    default: str,
    *,
    user: User,
    context: Mapping[str, Any],
    to: str = "",
    **fields: object,
) -> None:
    """Queue a mail for *user*, at another address than the account's if *to* is one.

    *default* is the subject's message id, *text_id* and *fields* are those of ``subject``.
    """
    with in_language_of(user):
        text = subject(text_id, _(default), **fields)
        _send(template, subject=text, to=[to or user.email], context=context)


def send_to_guest(template: str, text_id: str, default: str, *, to: str, context: Mapping[str, Any]) -> None:
    """Queue a mail for somebody without an account; nobody knows another language than the site's."""
    with in_language_of_site():
        _send(template, subject=subject(text_id, _(default)), to=[to], context=context)


def send_to_staff(
    template: str,
    text_id: str,
    default: str,
    *,
    to: Sequence[str],
    context: Mapping[str, Any],
    **fields: object,
) -> None:
    """Queue a mail for staff, in the site's own language."""
    with in_language_of_site():
        _send(template, subject=_for_staff(text_id, default, fields), to=to, context=context)


def deliver_to_staff(
    template: str, text_id: str, default: str, *, to: Sequence[str], context: Mapping[str, Any]
) -> bool:
    """Send a mail for staff at once and tell whether it was taken; nobody to send to counts as that."""
    if not to:
        log.warning("nobody is configured to receive the mail '%s'", template)
        return True
    with in_language_of_site():
        text = _one_line(_for_staff(text_id, default, {}))
        body, html = render(template, context)
    try:
        mail_queue.message_of(subject=text, body=body, html=html, to=to).send()
    except mail_queue.DELIVERY_ERRORS as error:
        log.error("cannot send the mail '%s': %s", template, error)
        return False
    return True


def _for_staff(text_id: str, default: str, fields: Mapping[str, object]) -> str:
    return f"{settings.EMAIL_SUBJECT_PREFIX}{subject(text_id, _(default), **fields)}"


def _send(template: str, *, subject: str, to: Sequence[str], context: Mapping[str, Any]) -> None:
    """Queue one mail in the caller's transaction; *template* names a file of ``astakos/mail``."""
    if not to:
        log.info("nobody is configured to receive the mail '%s'", template)
        return
    body, html = render(template, context)
    mail_queue.enqueue(template=template, subject=_one_line(subject), body=body, html=html, to=to)


def _one_line(text: str) -> str:
    """A subject may hold names that people chose; a line break in it would start another header."""
    return " ".join(text.split())[:255]


def send_plain(credentials: Credentials, *, user_id: int, text: str, title: str = "") -> None:
    """Mail a text of an operator's to a user; raises ``NotFound``, ``BadRequest`` for an unusable text."""
    if not 1 <= len(text.strip()) <= MAX_TEXT_LENGTH:
        raise BadRequest(f"A mail has 1 to {MAX_TEXT_LENGTH} characters")
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise NotFound(f"User with ID {user_id} does not exist")
    with atomic(), in_language_of(user):
        chosen = title or subject("PLAIN_EMAIL_SUBJECT", _("Message from %(service)s"))
        _send("plain", subject=chosen, to=[user.email], context={"user": user, "text": text})
        audit.record(credentials, "user.mail", f"user:{user.uuid}", title=chosen[:255])
