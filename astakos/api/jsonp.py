"""JSON for scripts of other sites, which load it as a call of a function they name."""

from __future__ import annotations

import json
import re
from typing import Any

from django.http import HttpRequest, HttpResponse

from synnefo.api import json_response
from synnefo.errors import BadRequest

_CALLBACK = re.compile(r"[A-Za-z_$][\w$]{0,63}(?:\.[A-Za-z_$][\w$]{0,63}){0,4}", re.ASCII)


def jsonp_response(request: HttpRequest, data: Any) -> HttpResponse:
    """Return *data* as JSON, or as a call of the request's ``callback``, which must be an identifier."""
    callback = request.GET.get("callback")
    if callback is None:
        response = json_response(data)
    elif _CALLBACK.fullmatch(callback):
        # A comment in front keeps the answer from being taken for a file of another type.
        script = f"/**/{callback}({json.dumps(data)})"
        response = HttpResponse(script, content_type="application/javascript; charset=UTF-8")
    else:
        raise BadRequest("'callback' must be a JavaScript identifier")
    response["X-Content-Type-Options"] = "nosniff"
    return response
