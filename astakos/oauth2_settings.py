"""Settings of the OAuth2 provider, sessions and cookies (identity contract 1.8, 1.9, 5)."""

from __future__ import annotations
