"""Settings of login methods, provider policies and second factors (identity contract 4.5, 5)."""

from __future__ import annotations
