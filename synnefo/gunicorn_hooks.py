"""What gunicorn needs to know about this project's request headers.

WSGI writes ``X-Foo`` and ``X_Foo`` to the same variable, so servers drop the second form as a spoof.
Clients do send user-defined names with underscores, so those headers, and only those, are renamed.
"""

from __future__ import annotations

import gc
from typing import Any

#: Families whose last part is chosen by users. The family part itself must be spelled with dashes.
USER_NAMED_HEADERS = (
    "X-IMAGE-META-",
    "X-OBJECT-META-",
    "X-CONTAINER-META-",
    "X-CONTAINER-POLICY-",
    "X-ACCOUNT-META-",
    "X-ACCOUNT-GROUP-",
)


def normalise_headers(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return *headers* with underscores turned to dashes where users choose names, others dropped."""
    return [
        (name.replace("_", "-"), value)
        for name, value in headers
        if "_" not in name or name.upper().startswith(USER_NAMED_HEADERS)
    ]


def pre_request(worker: Any, request: Any) -> None:
    """Gunicorn's hook, called before the WSGI environment is made."""
    request.headers = normalise_headers(request.headers)


def post_worker_init(worker: Any) -> None:
    """Gunicorn's hook, called when a worker has loaded the application and before it serves.

    Loads what Django would load at the first request, and takes all that stays for good out of the garbage
    collector's sight: a long list makes it run many times, each time over every module.
    """
    from django.urls import get_resolver

    assert get_resolver().url_patterns
    gc.collect()
    gc.freeze()
