"""What a fault says on a page, in its reader's language; APIs stay English (web contract 6.5)."""

from __future__ import annotations

from typing import Any

from django.utils.translation import get_language, gettext

from branding import states
from synnefo.errors import SynnefoError
from synnefo.texts import Text


def text_of(error: SynnefoError) -> str:
    """Return the message of *error* in the language of this request; English where there is no other."""
    message = error.message
    if not message or (get_language() or "en").startswith("en"):
        return str(message)
    if not isinstance(message, Text):
        return gettext(message)
    return gettext(message.template) % {
        name: _value_text(name, value) for name, value in message.values.items()
    }


def _value_text(name: str, value: Any) -> Any:
    """Return the name of a state or an action as pages call it, other values as they are."""
    if name in ("state", "label"):
        return states.label_of(str(value))
    return gettext(str(value).capitalize()) if name in ("action", "word") else value
