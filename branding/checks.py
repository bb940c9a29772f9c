"""System checks of the brand: colours that are valid and readable (web contract 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps.config import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

from branding import identity

_DEFAULTS = {
    "light": {
        "bg": "#ffffff",
        "text": "#1b2430",
        "muted": "#556070",
        "control": "#7b8796",
        "accent": "#0b5cad",
    },
    "dark": {
        "bg": "#11161d",
        "text": "#e8edf4",
        "muted": "#a7b2c1",
        "control": "#76839a",
        "accent": "#74b5ff",
    },
}
#: How much each colour must stand out from the page's background.
_NEEDED = {"text": 4.5, "muted": 4.5, "accent": 4.5, "control": 3.0}


def check_colors(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """Report values of ``BRANDING_COLORS`` that cannot be used and pairs that cannot be read."""
    problems = identity.color_problems()
    if problems:
        return [Error(f"BRANDING_COLORS: {problem}", id="branding.E001") for problem in problems]
    messages: list[CheckMessage] = []
    for theme, defaults in _DEFAULTS.items():
        colors = defaults | settings.BRANDING_COLORS.get(theme, {})
        for token, needed in _NEEDED.items():
            if not (colors[token].startswith("#") and colors["bg"].startswith("#")):
                continue
            found = contrast(colors[token], colors["bg"])
            if found < needed:
                text = (
                    f"BRANDING_COLORS: '{token}' on 'bg' ({theme}) has contrast {found:.1f}, below {needed}"
                )
                messages.append(Warning(text, id="branding.W001"))
    return messages


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours written as #rrggbb, from 1 to 21."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
