"""The built-in captcha: work for the visitor's computer instead of a puzzle for people (web contract 2.2).

A page carries a signed challenge. Its script looks for a number that gives the challenge's SHA-256 digest
enough leading zero bits. Without scripts the form is accepted once the challenge is old enough: nobody
is kept out. A field that people don't see catches programs that fill in everything. A challenge counts once.
"""

from __future__ import annotations

import hashlib
import secrets

from django.conf import settings
from django.core import signing

from synnefo.rate_limit import count_attempt

#: Fields of the form. The trap has a name that programs like to fill in.
CHALLENGE, SOLUTION, TRAP = "captcha_challenge", "captcha_solution", "website"
#: Seconds in which a challenge must be answered.
LIFETIME = 1800
#: Seconds after which a challenge counts without its solution.
PATIENCE = 20
_SALT = "astakos.captcha"
_MAX_SOLUTION_LENGTH = 20


def challenge() -> str:
    """Return a new signed challenge."""
    return signing.TimestampSigner(salt=_SALT).sign(secrets.token_urlsafe(12))


def is_solved(answer: str) -> bool:
    """Tell whether an answer (challenge, solution and trap in lines) is good; a good one is used up."""
    given, solution, trap = [*answer.split("\n"), "", ""][:3]
    if trap or not _is_valid(given):
        return False
    if not (_has_zeros(given, solution) or not _is_younger(given, PATIENCE)):
        return False
    return not count_attempt(f"captcha:{given}", limit=1, period=2 * LIFETIME).exceeded


def _is_younger(given: str, seconds: int) -> bool:
    try:
        signing.TimestampSigner(salt=_SALT).unsign(given, max_age=seconds)
    except signing.BadSignature:
        return False
    return True


def _is_valid(given: str) -> bool:
    return _is_younger(given, LIFETIME)


def _has_zeros(given: str, solution: str) -> bool:
    if not solution.isascii() or not solution.isdigit() or len(solution) > _MAX_SOLUTION_LENGTH:
        return False
    digest = hashlib.sha256(f"{given}.{solution}".encode()).digest()
    return int.from_bytes(digest) >> (256 - settings.ASTAKOS_CAPTCHA_WORK_BITS) == 0
