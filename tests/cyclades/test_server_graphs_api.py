"""From what a server's ``stats`` answers to its pictures, over files laid out as collectd does."""

from __future__ import annotations

import io
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache
from PIL import Image

from tests.stats.rrd_files import Instance, needs_rrdtool

pytestmark = pytest.mark.db


@pytest.mark.parametrize("old", [False, True])
def test_the_addresses_that_a_server_answers_lead_to_its_graphs(
    person, make_server, client, settings, tmp_path: Path, old: bool
) -> None:
    needs_rrdtool()
    cache.clear()
    for setting, graph in (("CPU_BAR", "cpu-bar"), ("CPU_TIMESERIES", "cpu-ts"), ("NET_BAR", "net-bar"),
                           ("NET_TIMESERIES", "net-ts")):  # fmt: skip
        setattr(settings, f"{setting}_GRAPH_URL", f"{settings.STATS_BASE_URL}/v1.0/{graph}/%s")
    settings.RRD_PREFIX = str(tmp_path)
    settings.CYCLADES_STATS_LEGACY_TOKENS = old
    server = make_server()
    files = Instance(tmp_path / f"snf-{server.pk}")
    files.cpu(95)
    files.interface(0, received=3, sent=3)
    stats = person.api.get(f"servers/{server.pk}/stats").json()["stats"]
    assert stats.pop("refresh") == 60

    def picture(key: str) -> Image.Image:
        answer = client.get(urlsplit(stats[key]).path)
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/png"), answer.content
        return Image.open(io.BytesIO(answer.content)).convert("RGB")

    assert picture("cpuBar").getpixel((5, 5)) == (0xFF, 0, 0)
    assert picture("netBar").getpixel((1, 2)) == (0, 0xA1, 0)
    assert picture("cpuTimeSeries").width == picture("netTimeSeries").width > 400
    cache.clear()
