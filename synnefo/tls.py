"""Connections to servers whose certificates prove nothing."""

from __future__ import annotations

import ssl


def unverified_context() -> ssl.SSLContext:
    """Return a context that accepts any certificate.

    It has read none of the machine's own, which would take longer than most requests.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
