"""Colours and names of all states that pages show (web contract 6.4, 11.2)."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

_TONES = {
    "ok": (
        "active", "in_use", "available", "enabled", "accepted", "accepted member", "accepted/active",
        "approved", "in use", "ok", "sent",
    ),
    "busy": (
        "build", "start", "shutdown", "reboot", "resize", "reassign", "connecting", "disconnecting",
        "destroy",
        "attaching_volume", "detaching_volume", "rescue", "unrescue", "creating", "attaching", "detaching",
        "deleting", "backing_up", "restoring_backup", "pending", "pending review", "requested",
        "join requested",
        "leave requested", "pending e-mail verification", "pending moderation",
    ),
    "danger": (
        "error", "error_deleting", "error_restoring", "unavailable", "denied", "suspended", "terminated",
        "rejected", "expired",
    ),
    "warn": ("warning", "over quota", "required"),
}  # fmt: skip
_TONE_BY_STATE = {state: tone for tone, found in _TONES.items() for state in found}

_LABELS = {
    "active": _("Active"),
    "stopped": _("Stopped"),
    "build": _("Building"),
    "start": _("Starting"),
    "shutdown": _("Shutting down"),
    "reboot": _("Rebooting"),
    "resize": _("Resizing"),
    "reassign": _("Changing project"),
    "destroy": _("Destroying"),
    "error": _("Error"),
    "unknown": _("Unknown"),
    "deleted": _("Deleted"),
    "pending": _("Pending"),
    "approved": _("Approved"),
    "replaced": _("Replaced"),
    "denied": _("Denied"),
    "dismissed": _("Dismissed"),
    "cancelled": _("Cancelled"),
    "suspended": _("Suspended"),
    "terminated": _("Terminated"),
    "uninitialized": _("Uninitialized"),
    "accepted": _("Accepted"),
    "requested": _("Requested"),
    "rejected": _("Rejected"),
    "removed": _("Removed"),
    "enabled": _("Enabled"),
    "disabled": _("Disabled"),
    "available": _("Available"),
    "expired": _("Expired"),
}


def tone_of(state: str) -> str:
    """Return ok, busy, danger, warn or neutral."""
    return _TONE_BY_STATE.get(state.lower(), "neutral")


def label_of(state: str) -> str:
    """Return the name people read."""
    return str(_LABELS.get(state.lower(), state))
