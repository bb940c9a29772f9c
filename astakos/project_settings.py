"""Settings of projects and their mails (identity contract 3, 5)."""

from __future__ import annotations
