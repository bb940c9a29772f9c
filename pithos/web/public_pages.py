"""Pages about published objects, for people: a folder's contents, and what a link leads to."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation

from branding import preferences
from pithos.api.links import public_url
from pithos.logic.objects import ObjectView
from pithos.logic.public_folders import MAX_SHOWN, is_folder, published_below


def page_for(request: HttpRequest, view: ObjectView) -> HttpResponse | None:
    """Return the page that a browser gets instead of the object; None for the object itself.

    A folder has no bytes of its own to show, so browsers get its contents; a file's page is asked for.
    """
    if is_folder(view):
        if "preview" in request.GET or "text/html" in request.headers.get("Accept", ""):
            return _folder(request, view)
        return None
    return _file(request, view) if "preview" in request.GET else None


def _folder(request: HttpRequest, view: ObjectView) -> HttpResponse:
    children = published_below(view)
    rows = [(child, public_url(child.public_id)) for child in children]
    return _render(
        request, "pithos/public_folder.html", view, {"rows": rows, "is_cut": len(rows) >= MAX_SHOWN}
    )


def _file(request: HttpRequest, view: ObjectView) -> HttpResponse:
    return _render(request, "pithos/public_file.html", view, {"address": request.path})


def _render(
    request: HttpRequest, template: str, view: ObjectView, context: dict[str, object]
) -> HttpResponse:
    # Nothing about the owner, and of the path only the last part: the link was given, not the place.
    name = view.address.name.rstrip("/").rpartition("/")[2] or view.address.name
    with translation.override(preferences.language_of(request)):
        return render(request, template, {"view": view, "name": name, **context})
