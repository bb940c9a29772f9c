"""The shell's own pages and their parts: search, notifications, events, shortcuts (web contract 4.1)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods, require_safe

from branding import activity, notification_texts, search, visitors
from synnefo import notifications
from synnefo.api import json_response
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest

#: Notifications that the panel beside a page shows; the page of all has the others.
_IN_PANEL = 10


@require_safe
@visitors.page
def find(request: HttpRequest, credentials: Credentials) -> HttpResponse:
    """Search everything the visitor has; the box of an open page gets the first few of each kind."""
    text = search.clean(request.GET.get("q", ""))
    is_part = visitors.is_script(request)
    limit = search.FEW if is_part else search.MANY
    found = search.find(request, credentials, text=text, limit=limit)
    context = {
        "q": text,
        "found": found,
        "count": sum(len(group.hits) for group in found),
        "is_short": len(text) < search.MIN_LENGTH,
        "min_length": search.MIN_LENGTH,
        "max_length": search.MAX_LENGTH,
    }
    return _answer(request, "search", context)


@require_safe
@visitors.page
def notes(request: HttpRequest, credentials: Credentials) -> HttpResponse:
    """Show what is under way and what the visitor was told, newest first."""
    before = _number(request.GET.get("before", ""), "before")
    limit = _IN_PANEL if visitors.is_script(request) else notifications.PAGE
    page = notifications.page_of(credentials, before=before, limit=limit)
    context = {
        "tasks": activity.tasks_of(credentials) if before is None else [],
        "notes": [notification_texts.shown(note) for note in page.notes],
        "next": page.next,
        "before": before,
        "newest": page.notes[0].id if page.notes else 0,
        "has_unread": any(not note.is_read for note in page.notes),
    }
    return _answer(request, "notifications", context)


@require_http_methods(["GET", "HEAD", "POST"])
@visitors.page
def mark_read(request: HttpRequest, credentials: Credentials) -> HttpResponse:
    """Mark what the visitor has seen as read; who comes back from the login page gets the list again."""
    if request.method != "POST":
        return HttpResponseRedirect(reverse("branding-notifications"))
    up_to = _number(request.POST.get("up_to", ""), "up_to")
    if up_to is None:
        raise BadRequest("up_to: the number of the newest notification that was read.")
    notifications.mark_read(credentials, up_to=up_to)
    if visitors.is_script(request):
        return json_response({"unread": notifications.unread_count(credentials)})
    response = HttpResponseRedirect(reverse("branding-notifications"))
    response.status_code = 303
    return response


@require_safe
@visitors.part
def events(request: HttpRequest, credentials: Credentials) -> HttpResponse:
    """Tell an open page what changed since it asked last; 304 when nothing did.

    As ``text/event-stream`` the answer ends after what there is, and the browser asks again with its last
    id: a thread of the server is never held by a page that waits.
    """
    is_stream = "text/event-stream" in request.headers.get("Accept", "")
    since = request.headers.get("Last-Event-ID", "") if is_stream else ""
    changes = activity.changes_of(
        credentials,
        topics=activity.topics_in(request.GET.get("topics", "")[:1000]),
        since=activity.moment_in(since or request.GET.get("since", "")),
    )
    tasks = activity.tasks_of(credentials)
    state = {"unread": notifications.unread_count(credentials), "tasks": len(tasks)}
    if is_stream:
        return _stream(changes, state)
    running = [task.id for task in tasks]
    etag = f'"{hashlib.sha256(f"{changes.mark}{state}{running}".encode()).hexdigest()[:24]}"'
    if request.headers.get("If-None-Match") == etag:
        response = HttpResponse(status=304)
    else:
        listed = [activity.as_json(change) for change in changes.changes]
        response = json_response(
            {**state, "cursor": changes.cursor, "reset": changes.reset, "changes": listed}
        )
    response["ETag"], response["X-Events-Cursor"] = etag, changes.cursor
    return _private(response)


def _stream(changes: activity.Changes, state: dict[str, int]) -> HttpResponse:
    interval = settings.UI_UPDATE_INTERVAL_FAST if state["tasks"] else settings.UI_UPDATE_INTERVAL
    parts = [f"retry: {interval}\nid: {changes.cursor}\nevent: state\ndata: {json.dumps(state)}\n\n"]
    if changes.reset:
        parts.append(f"id: {changes.cursor}\nevent: reset\ndata: {{}}\n\n")
    for change in changes.changes:
        data = {"id": change.id, "updated": activity.as_json(change)["updated"]}
        parts.append(f"id: {changes.cursor}\nevent: {change.kind}\ndata: {json.dumps(data)}\n\n")
    return _private(HttpResponse("".join(parts), content_type="text/event-stream; charset=utf-8"))


@require_safe
@visitors.page
def shortcuts(request: HttpRequest, credentials: Credentials) -> HttpResponse:
    """List the keyboard's shortcuts, with the switch that turns the single keys off."""
    return _answer(request, "shortcuts", {})


def _answer(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    """Return the page *name*, or its part for a script of an open page."""
    directory = "branding/parts" if visitors.is_script(request) else "branding"
    response = render(request, f"{directory}/{name}.html", context)
    return _private(response)


def _private(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "private, no-store"
    patch_vary_headers(response, ["HX-Request", "Accept", "Cookie", "Accept-Language"])
    return response


def _number(text: str, name: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadRequest(f"{name}: a number.")
    return int(text)
