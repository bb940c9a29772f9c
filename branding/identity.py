"""Names, pictures and colours of this cloud as pages use them (administrator's contract 7.7)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urljoin, urlsplit

import nh3
from django.conf import settings
from django.contrib.staticfiles import finders
from django.templatetags.static import static

from synnefo import __version__, clock

AREAS = ("dashboard", "compute", "console", "storage")
_SAFE_TAGS = {"a", "b", "strong", "em", "i", "br", "p", "ul", "li", "code", "img"}
_SAFE_ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "width", "height"}}
_COLOR = re.compile(r"#[0-9a-fA-F]{6}|(?:rgb|hsl|oklch)\([0-9.,%/ a-z+-]{1,60}\)")
_TOKEN = re.compile(r"[a-z]+(?:-[a-z]+)*")


@dataclass(frozen=True)
class Logo:
    """One picture in both sizes and both themes; ``alt`` is its text."""

    url: str
    srcset: str
    dark_url: str
    alt: str
    is_shipped: bool


def image_url(value: str) -> str:
    """Return the address of the picture *value*, which is a name or already an address."""
    if urlsplit(value).scheme or value.startswith("/"):
        return value
    return urljoin(_image_base(), value)


def _image_base() -> str:
    base: str | None = settings.BRANDING_IMAGE_MEDIA_URL
    if base is None:
        return static("branding/images/")
    return base if base.endswith("/") else f"{base}/"


def logo(area: str) -> Logo:
    """Return the logo of *area*, one of ``AREAS``."""
    name = f"BRANDING_{area.upper()}_LOGO_URL"
    value: str = getattr(settings, name)
    if area == "dashboard" and settings.BRANDING_DASHBOARD_URL:
        value = settings.BRANDING_DASHBOARD_URL
    dark: str = getattr(settings, f"BRANDING_{area.upper()}_LOGO_DARK_URL")
    url = image_url(value)
    return Logo(
        url=url,
        srcset=f"{url} 1x, {_double(url)} 2x" if _has_double(value) else "",
        dark_url=image_url(dark) if dark else "",
        alt=f"{settings.BRANDING_SERVICE_NAME} {area.title()}",
        is_shipped=value == f"{area}_logo.png" and settings.BRANDING_IMAGE_MEDIA_URL is None,
    )


def _double(url: str) -> str:
    stem, dot, extension = url.rpartition(".")
    return f"{stem}@2x{dot}{extension}"


def _has_double(value: str) -> bool:
    if value.endswith(".svg"):
        return False
    if settings.BRANDING_IMAGE_MEDIA_URL is None and not urlsplit(value).scheme and value[:1] != "/":
        return finders.find(f"branding/images/{_double(value)}") is not None
    return bool(settings.BRANDING_HAS_2X)


def copyright_message() -> str:
    """Return the footer's copyright line."""
    message: str | None = settings.BRANDING_COPYRIGHT_MESSAGE
    if message is None:
        return f"Copyright (c) 2011-{clock.now().year} {settings.BRANDING_COMPANY_NAME}"
    return message


@lru_cache(maxsize=32)
def clean_html(text: str) -> str:
    """Return *text*, which an administrator wrote, with nothing but harmless markup left in it."""
    return nh3.clean(
        text, tags=_SAFE_TAGS, attributes=_SAFE_ATTRIBUTES, url_schemes={"http", "https", "mailto"}
    )


def template_values() -> dict[str, Any]:
    """Return everything templates know as ``BRANDING_…``."""
    values: dict[str, Any] = {
        name: getattr(settings, name)
        for name in (
            *("BRANDING_SERVICE_NAME", "BRANDING_SERVICE_URL"),
            *("BRANDING_COMPANY_NAME", "BRANDING_COMPANY_URL"),
            *("BRANDING_SHOW_COPYRIGHT", "BRANDING_FONTS_CSS_URLS"),
        )
    }
    logos = {area: logo(area) for area in AREAS}
    return (
        values
        | {f"BRANDING_{area.upper()}_LOGO_URL": found.url for area, found in logos.items()}
        | {
            "BRANDING_LOGOS": logos,
            "BRANDING_IMAGE_MEDIA_URL": _image_base(),
            "BRANDING_FAVICON_URL": image_url(settings.BRANDING_FAVICON_URL),
            "BRANDING_CLOUDBAR_HOME_URL": image_url(settings.BRANDING_CLOUDBAR_HOME_URL),
            "BRANDING_COPYRIGHT_MESSAGE": copyright_message(),
            "BRANDING_FOOTER_EXTRA_MESSAGE": clean_html(settings.BRANDING_FOOTER_EXTRA_MESSAGE),
            "BRANDING_SYNNEFO_VERSION": __version__,
            "SYNNEFO_VERSION": __version__,
            "BRANDING_SUPPORT": settings.CONTACT_EMAIL,
            "BRANDING_THEME_VERSION": theme_version(),
        }
    )


def color_problems() -> list[str]:
    """Return what is wrong with ``BRANDING_COLORS``: unknown themes, names or values."""
    problems = []
    for theme, colors in settings.BRANDING_COLORS.items():
        if theme not in ("light", "dark") or not isinstance(colors, dict):
            problems.append(f"'{theme}' is not 'light' or 'dark' with a dictionary of colours")
            continue
        for token, value in colors.items():
            if not _TOKEN.fullmatch(str(token)):
                problems.append(f"'{token}' is not the name of a colour")
            elif not _COLOR.fullmatch(str(value)):
                problems.append(f"the colour '{token}' must look like #rrggbb, rgb(), hsl() or oklch()")
    return problems


def theme_css() -> str:
    """Return the style sheet that fills the layer ``brand`` from ``BRANDING_COLORS``."""
    light = _declarations("light")
    dark = _declarations("dark")
    rules = []
    if light:
        rules.append(f':root:not([data-theme="dark"]) {{ {light} }}')
    if dark:
        rules.append(f':root[data-theme="dark"] {{ {dark} }}')
        rules.append(f'@media (prefers-color-scheme: dark) {{ :root[data-theme="system"] {{ {dark} }} }}')
    return f"@layer brand {{ {' '.join(rules)} }}\n"


def _declarations(theme: str) -> str:
    colors = settings.BRANDING_COLORS.get(theme, {})
    return " ".join(
        f"--c-{token}: {value};"
        for token, value in colors.items()
        if _TOKEN.fullmatch(str(token)) and _COLOR.fullmatch(str(value))
    )


def theme_version() -> str:
    """Return what changes whenever the theme does."""
    return hashlib.sha256(theme_css().encode()).hexdigest()[:12]


def outside_hosts() -> dict[str, set[str]]:
    """Return the hosts that branding settings refer to, by directive of the content security policy."""
    pictures = [
        *(logo(area).url for area in AREAS),
        *(logo(area).dark_url for area in AREAS),
        image_url(settings.BRANDING_FAVICON_URL),
        image_url(settings.BRANDING_CLOUDBAR_HOME_URL),
    ]
    fonts = _origins(settings.BRANDING_FONTS_CSS_URLS)
    return {"img-src": _origins(pictures), "style-src": fonts, "font-src": fonts}


def _origins(urls: list[str] | tuple[str, ...]) -> set[str]:
    parts = [urlsplit(url) for url in urls]
    return {
        f"{part.scheme}://{part.netloc}" for part in parts if part.scheme in ("http", "https") and part.netloc
    }
