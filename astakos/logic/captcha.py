"""Captchas: what a page shows and how an answer is checked (identity contract 4.3, web contract 2.2).

Without a service's keys the built-in one is used.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from django.conf import settings
from django.utils.translation import gettext as _

from astakos.logic import proof_of_work
from synnefo.errors import BadRequest, ServiceUnavailable

log = logging.getLogger("astakos.captcha")

_MAX_ANSWER_LENGTH = 16 << 10
_MAX_REPLY_BYTES = 64 << 10


class CaptchaRequired(BadRequest):
    """The visitor has to solve a captcha, or has not solved it."""


@dataclass(frozen=True, slots=True)
class Captcha:
    """One kind of captcha: its script, the class of its box, the form field it fills in, who checks it."""

    script: str
    css_class: str
    field: str
    verify_url: str
    #: Sources that the page's policy must allow.
    origins: tuple[str, ...]
    has_score: bool = False


_GOOGLE = ("https://www.google.com", "https://www.gstatic.com")
_HCAPTCHA = ("https://hcaptcha.com", "https://*.hcaptcha.com")
KINDS: Mapping[str, Captcha] = {
    "recaptcha-v2": Captcha(
        script="https://www.google.com/recaptcha/api.js",
        css_class="g-recaptcha",
        field="g-recaptcha-response",
        verify_url="https://www.google.com/recaptcha/api/siteverify",
        origins=_GOOGLE,
    ),
    "recaptcha-v3": Captcha(
        script="https://www.google.com/recaptcha/api.js?render={key}",
        css_class="g-recaptcha-v3",
        field="g-recaptcha-response",
        verify_url="https://www.google.com/recaptcha/api/siteverify",
        origins=_GOOGLE,
        has_score=True,
    ),
    "hcaptcha": Captcha(
        script="https://js.hcaptcha.com/1/api.js",
        css_class="h-captcha",
        field="h-captcha-response",
        verify_url="https://api.hcaptcha.com/siteverify",
        origins=_HCAPTCHA,
    ),
}


@dataclass(frozen=True, slots=True)
class Box:
    """What a page needs to show the captcha; ``options`` are data attributes by name."""

    script: str
    css_class: str
    field: str
    site_key: str
    options: tuple[tuple[str, str], ...] = ()
    origins: tuple[str, ...] = ()
    #: Of the built-in captcha: challenge, how much work, and the seconds after which none is needed.
    challenge: str = ""
    bits: int = 0
    patience: int = proof_of_work.PATIENCE


def is_enabled() -> bool:
    """Tell whether captchas are asked for at all."""
    return bool(settings.ASTAKOS_RECAPTCHA_ENABLED)


def _service() -> Captcha | None:
    """Return the service that is asked, ``None`` for the built-in captcha."""
    name = settings.ASTAKOS_CAPTCHA_PROVIDER
    if name == "auto":
        name = "recaptcha-v2" if settings.ASTAKOS_RECAPTCHA_PUBLIC_KEY else "built-in"
    return None if name == "built-in" else KINDS[name]


def box() -> Box | None:
    """Return what to show, ``None`` when captchas are off."""
    if not is_enabled():
        return None
    kind = _service()
    if kind is None:
        bits = settings.ASTAKOS_CAPTCHA_WORK_BITS
        return Box("", "captcha", "", "", challenge=proof_of_work.challenge(), bits=bits)
    key = settings.ASTAKOS_RECAPTCHA_PUBLIC_KEY
    options = settings.ASTAKOS_RECAPTCHA_OPTIONS
    known = tuple((name, str(options[name])) for name in ("theme", "size") if options.get(name))
    return Box(kind.script.format(key=quote(key)), kind.css_class, kind.field, key, known, kind.origins)


def answer_in(form: Mapping[str, Any]) -> str:
    """Return the visitor's answer out of a posted form; empty when there is none."""
    kind = _service()
    if kind is not None:
        return str(form.get(kind.field, ""))
    fields = (proof_of_work.CHALLENGE, proof_of_work.SOLUTION, proof_of_work.TRAP)
    return "\n".join(str(form.get(name, "")).replace("\n", " ") for name in fields).rstrip("\n")


def check(answer: str, *, address: str) -> None:
    """Raise ``CaptchaRequired`` unless *answer* is right; *address* is the client's.

    A service that does not answer lets nobody through: raises ``ServiceUnavailable``.
    """
    if not 1 <= len(answer) <= _MAX_ANSWER_LENGTH:
        raise CaptchaRequired(_("Please show that you are not a program"))
    kind = _service()
    if kind is None:
        if not proof_of_work.is_solved(answer):
            raise CaptchaRequired(_("That was too quick for a person. Try again."))
        return
    reply = _ask(settings.ASTAKOS_CAPTCHA_VERIFY_URL or kind.verify_url, answer, address)
    score = reply.get("score", 0)
    low = kind.has_score and (
        not isinstance(score, int | float) or score < settings.ASTAKOS_CAPTCHA_MIN_SCORE
    )
    if reply.get("success") is not True or low:
        raise CaptchaRequired(_("The captcha was not solved. Try again."))


def _ask(url: str, answer: str, address: str) -> dict[str, Any]:
    fields = {"secret": settings.ASTAKOS_RECAPTCHA_PRIVATE_KEY, "response": answer}
    if address:
        fields["remoteip"] = address
    try:
        answered = httpx.post(
            url, data=fields, timeout=float(settings.ASTAKOS_CAPTCHA_TIMEOUT), follow_redirects=False
        )
        answered.raise_for_status()
        reply = answered.json() if len(answered.content) <= _MAX_REPLY_BYTES else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        log.error("the captcha cannot be checked: %s", error)
        raise ServiceUnavailable(_("The captcha cannot be checked now. Try again in a minute.")) from None
    if not isinstance(reply, dict):
        log.error("the captcha's service sent no JSON object")
        raise ServiceUnavailable(_("The captcha cannot be checked now. Try again in a minute."))
    return reply
