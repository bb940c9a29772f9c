"""What ``install_packages.sh`` could not install, for the reasons of skipped tests."""

from __future__ import annotations

import json

from tests.lab.instance import cache_directory


def why_missing(reason: str) -> str:
    """``reason``, and what the package script said when it could not install everything."""
    try:
        report = json.loads((cache_directory() / "missing.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return f"{reason} (run tests/lab/install_packages.sh)"
    if "not installed" not in reason or not report["missing"]:
        return reason
    return f"{reason}: {report['reason']} to install {' '.join(report['missing'])}"
