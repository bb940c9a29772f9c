"""``{% load ui %}``: forms, sizes, times, states and the other parts pages are made of (web contract 6.3)."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from django import forms, template
from django.conf import settings
from django.template.base import NodeList
from django.template.context import Context
from django.template.loader_tags import BlockNode
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from branding import states
from synnefo import clock
from synnefo.units import INF

register = template.Library()

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")
_AUTOCOMPLETE = {
    "username": "username",
    "email": "email",
    "password": "current-password",
    "old_password": "current-password",
    "password1": "new-password",
    "password2": "new-password",
    "new_password1": "new-password",
    "new_password2": "new-password",
    "first_name": "given-name",
    "last_name": "family-name",
}


@register.simple_tag(takes_context=True)
def page_title(context: Context) -> str:
    """Return the content of the page's block ``title`` once more, for its heading."""
    rendered: str = BlockNode("title", NodeList()).render(context)
    return rendered


@register.simple_tag
def icon(name: str, css_class: str = "") -> SafeString:
    """Return the picture *name* of icons.svg; it says nothing to screen readers."""
    return _icon(name, css_class, settings.STATIC_URL)


@lru_cache(maxsize=512, typed=True)
def _icon(name: str, css_class: str, _static_url: str) -> SafeString:
    """Return the same picture as before: a page has dozens of them, and to put one together takes long."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        css_class,
        static("branding/icons.svg"),
        name,
    )


@register.inclusion_tag("branding/parts/form_fields.html")
def form_fields(form: forms.Form) -> dict[str, Any]:
    """Render all fields of *form*: summary of errors, hidden fields, labelled fields with their errors."""
    for bound in form:
        _prepare(bound)
    return {"form": form}


@register.inclusion_tag("branding/parts/field.html")
def form_field(bound: forms.BoundField) -> dict[str, Any]:
    """Render one field with its label, hint and errors."""
    _prepare(bound)
    return {"field": bound}


def _prepare(bound: forms.BoundField) -> None:
    """Link hint and errors to the field, and tell browsers what to fill in."""
    attributes = bound.field.widget.attrs
    described = []
    if bound.help_text:
        described.append(f"{bound.auto_id}_hint")
    if bound.errors:
        described.append(f"{bound.auto_id}_error")
        attributes["aria-invalid"] = "true"
    if described:
        attributes["aria-describedby"] = " ".join(described)
    if bound.name in _AUTOCOMPLETE:
        attributes.setdefault("autocomplete", _AUTOCOMPLETE[bound.name])


@register.filter
def is_checkbox(bound: forms.BoundField) -> bool:
    """Tell whether the label belongs behind the field."""
    return isinstance(bound.field.widget, forms.CheckboxInput)


@register.filter
def is_group(bound: forms.BoundField) -> bool:
    """Tell whether the field is several controls, which need a legend instead of a label."""
    return isinstance(bound.field.widget, forms.RadioSelect | forms.CheckboxSelectMultiple)


@register.filter
def message_kind(tags: str) -> str:
    """Return the look of a message: info, success, warning or error."""
    for kind in ("error", "warning", "success"):
        if kind in tags.split():
            return kind
    return "info"


@register.filter
def message_icon(kind: str) -> str:
    """Return the icon of a kind of message."""
    return {"error": "alert", "warning": "alert", "success": "check-circle"}.get(kind, "info")


def size_text(number: int) -> str:
    """Return *number* bytes with a binary unit and at most two decimals."""
    value, unit = float(number), 0
    while abs(value) >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    if unit == 0:
        return ngettext("%(count)s byte", "%(count)s bytes", number) % {"count": number}
    return f"{number_text(value)} {_UNITS[unit]}"


def number_text(value: float) -> str:
    """Return *value* with at most two decimals, as the visitor's language writes numbers."""
    rounded = round(value, 2)
    decimals = 0 if rounded == int(rounded) else (1 if round(rounded, 1) == rounded else 2)
    return formats.number_format(rounded, decimal_pos=decimals, force_grouping=True)


def quantity_text(number: int, unit: str) -> str:
    """Return a quantity of a resource; *unit* is ``bytes`` or empty."""
    if number >= INF:
        return _("Unlimited")
    return size_text(number) if unit == "bytes" else number_text(number)


@register.simple_tag(name="bytes")
def bytes_tag(number: int | None) -> str:
    """Return a size, with the exact number as its title."""
    if number is None:
        return "–"
    if number >= INF:
        return _("Unlimited")
    return format_html('<span title="{}">{}</span>', f"{number} bytes", size_text(number))


@register.simple_tag
def amount(number: int | None, unit: str = "") -> str:
    """Show how much of a resource there is: with its unit, or that there is no limit."""
    if number is None or number >= INF:
        return _("Unlimited")
    return quantity_text(number, unit)


@register.simple_tag
def ago(moment: datetime | None) -> str:
    """Return a moment relative to now, with the exact time as its title."""
    if moment is None:
        return "–"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(timespec="seconds"),
        formats.date_format(timezone.localtime(moment), "DATETIME_FORMAT"),
        _relative(moment),
    )


def _relative(moment: datetime) -> str:
    seconds = (moment - clock.now()).total_seconds()
    if abs(seconds) < 60:
        return _("just now") if seconds <= 0 else _("in less than a minute")
    text = _("%(time)s ago") if seconds < 0 else _("in %(time)s")
    return text % {"time": _duration(abs(seconds)).replace(" ", "\u00a0")}


def _duration(seconds: float) -> str:
    """Return *seconds*, at least a minute, as so many of the largest unit; Django has no Greek for this."""
    minutes = int(seconds // 60)
    if minutes < 60:
        return ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}
    hours = minutes // 60
    if hours < 24:
        return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    days = hours // 24
    if days < 14:
        return ngettext("%(count)d day", "%(count)d days", days) % {"count": days}
    if days < 60:
        weeks = days // 7
        return ngettext("%(count)d week", "%(count)d weeks", weeks) % {"count": weeks}
    if days < 730:
        months = int(days / 30.44)
        return ngettext("%(count)d month", "%(count)d months", months) % {"count": months}
    years = int(days / 365.25)
    return ngettext("%(count)d year", "%(count)d years", years) % {"count": years}


@register.inclusion_tag("branding/parts/status_pill.html")
def status_pill(state: str, label: str = "") -> dict[str, Any]:
    """Show *state* by colour, icon and text; without *label* the text is the state's usual one."""
    tone = states.tone_of(str(state))
    return {
        "state": state,
        "tone": tone,
        "label": label or states.label_of(str(state)),
        "icon": {"ok": "check", "busy": "spinner", "danger": "alert", "warn": "alert"}.get(tone, "minus"),
    }


@register.inclusion_tag("branding/parts/quota_bar.html")
def quota_bar(
    used: int, limit: int | None, unit: str = "", pending: int = 0, note: str = ""
) -> dict[str, Any]:
    """Show how much of *limit* is used; *unit* is ``bytes`` or empty, ``None`` or infinity is no limit.

    The text is always there; the bar is left out when there is no limit. *note* replaces "… left".
    """
    unlimited = limit is None or limit >= INF
    shown_limit = 0 if unlimited or limit is None else limit
    share = min(100.0, 100.0 * used / shown_limit) if shown_limit else 0.0
    pending_share = min(100.0 - share, 100.0 * pending / shown_limit) if shown_limit else 0.0
    return {
        "unlimited": unlimited,
        "has_quota": unlimited or shown_limit > 0 or used > 0,
        "used": quantity_text(used, unit),
        "limit": quantity_text(shown_limit, unit),
        "percent": round(share),
        "used_width": f"{share:.2f}",
        "pending_width": f"{pending_share:.2f}",
        "pending": quantity_text(pending, unit) if pending > 0 else "",
        "tone": _quota_tone(used, shown_limit, share),
        "note": note or _quota_note(used + pending, shown_limit, unit, unlimited),
    }


def _quota_tone(used: int, limit: int, share: float) -> str:
    if used > 0 and used >= limit:
        return "full"
    return "high" if share > 66 else "warn" if share > 33 else "ok"


def _quota_note(used: int, limit: int, unit: str, unlimited: bool) -> str:
    """Say what is left of *limit*; *used* counts what is pending too, which nobody else can take any more."""
    if unlimited:
        return ""
    if used > limit:
        return _("Over limit by %(amount)s") % {"amount": quantity_text(used - limit, unit)}
    if limit == 0:
        return _("No quota")
    if used == limit:
        return _("Full")
    return _("%(amount)s left") % {"amount": quantity_text(limit - used, unit)}


@register.inclusion_tag("branding/parts/copy.html")
def copy(text: str, label: str = "", what: str = "value") -> dict[str, Any]:
    """Show *text* (or *label* in its place) with a button that copies it; *what* names it for tests."""
    return {"text": text, "label": label or text, "what": what}


@register.inclusion_tag("branding/parts/code_block.html")
def code_block(text: str, what: str = "command") -> dict[str, Any]:
    """Show commands or a file as preformatted text with a button that copies it."""
    return {"text": text, "what": what}


@register.inclusion_tag("branding/parts/pagination.html", takes_context=True)
def pagination(context: Context, page: Any) -> dict[str, Any]:
    """Show "1–50 of 231" and the ways to other pages; other parameters of the address are kept."""
    query = context["request"].GET.copy()
    query.pop("page", None)
    return {"page": page, "query": query.urlencode()}
