"""Graphs by their addresses: statuses, headers, pixels, and what a token may be."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from PIL import Image

from stats import checks
from stats.logic import bars, graphs, rrd, timeseries
from synnefo import checks as kernel_checks
from synnefo import stats_token
from synnefo.errors import ServiceUnavailable
from synnefo.logs import RequestIdFilter
from tests.stats.conftest import Get, seal
from tests.stats.rrd_files import Instance

GREEN, YELLOW, RED, BLUE = (0, 0xA1, 0), (0xDA, 0xAA, 0), (0xFF, 0, 0), (0, 0, 0xA1)
BORDER, EMPTY, WHITE = (0x5C, 0xA1, 0xC0), (0xEA, 0xEA, 0xEA), (0xFF, 0xFF, 0xFF)


def picture(answer: Any) -> Image.Image:
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "image/png"
    assert answer["Cache-Control"] == "max-age=60"
    return Image.open(io.BytesIO(answer.content)).convert("RGB")


def fault(answer: Any) -> tuple[int, str, str]:
    """Return status, key and message of a fault in JSON."""
    assert answer["Content-Type"].startswith("application/json")
    assert "no-store" in answer["Cache-Control"]
    ((name, fields),) = answer.json().items()
    assert fields["code"] == answer.status_code
    return answer.status_code, name, fields["message"]


def drawn(image: Image.Image) -> set[tuple[int, ...]]:
    # Pillow clears a table of at least this many places.
    return {color for _, color in image.getcolors(maxcolors=image.width * image.height)}


def has_text(image: Image.Image) -> bool:
    """Tell whether something light is on the dark ground; thin strokes of some fonts are not all white."""
    return any(min(color) > 0xC0 for color in drawn(image)) and (0, 0, 0) in drawn(image)


# -- bars ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "color"), [(12.3, GREEN), (74, GREEN), (76, YELLOW), (89, YELLOW), (91, RED), (250, RED)]
)
def test_bar_of_the_processor_is_as_long_and_as_alarming_as_its_use(
    instance: Instance, get: Get, percent: float, color: tuple[int, ...]
) -> None:
    instance.cpu(percent)
    image = picture(get("cpu-bar"))
    assert image.size == (210, 10)
    end = min(round(66 * percent / 100), 66)
    for row in (1, 5, 8):
        assert image.getpixel((1, row)) == image.getpixel((end - 1, row)) == color
        assert end > 64 or image.getpixel((end + 2, row)) == EMPTY
    corners = ((0, 0), (67, 0), (0, 9), (67, 9))
    assert {image.getpixel(place) for place in corners} == {BORDER}
    assert has_text(image.crop((68, 0, 210, 10)))
    assert WHITE not in drawn(image.crop((0, 0, 68, 10)))


def test_bar_of_a_processor_without_recent_values_is_empty(instance: Instance, get: Get) -> None:
    instance.cpu(80, age=3600)
    image = picture(get("cpu-bar"))
    assert drawn(image.crop((1, 1, 67, 9))) == {EMPTY}


def test_the_value_is_the_last_known_one(instance: Instance) -> None:
    path = instance.cpu(80, age=120)
    assert rrd.present_values(path, until=rrd.deadline())["value"] == pytest.approx(80, abs=0.5)


def test_bar_of_the_network_sums_the_interfaces(instance: Instance, get: Get) -> None:
    instance.interface(0, sent=30, received=5)
    instance.interface(1, sent=10, received=5)
    instance.interface(2, sent=90, received=90, age=3600)  # gone by now
    image = picture(get("net-bar"))
    # 40 Mbit/s and 10 Mbit/s of a scale that ends at 50.
    sent, received = round(66 * 40 / 50), round(66 * 10 / 50)
    for row in (1, 4):
        assert image.getpixel((sent - 1, row)) == GREEN
        assert image.getpixel((sent + 2, row)) == EMPTY
    for row in (5, 8):
        assert image.getpixel((received - 1, row)) == BLUE
        assert image.getpixel((received + 2, row)) == EMPTY


def test_scale_of_the_network_grows_in_steps(instance: Instance, get: Get) -> None:
    instance.interface(0, sent=60, received=0)
    image = picture(get("net-bar"))
    assert image.getpixel((round(66 * 0.6) - 2, 2)) == GREEN
    assert image.getpixel((round(66 * 0.6) + 2, 2)) == EMPTY
    assert drawn(image.crop((1, 5, 67, 9))) == {EMPTY}


def test_bars_are_drawn_as_the_site_wants_also_without_its_font(
    instance: Instance, get: Get, settings
) -> None:
    settings.IMAGE_WIDTH, settings.WIDTH, settings.HEIGHT = 120, 40, 16
    settings.FONT, settings.BAR_BG_COLOR = "no-such-font.ttf", [1, 2, 3]
    instance.cpu(50)
    image = picture(get("cpu-bar"))
    assert image.size == (120, 16)
    assert image.getpixel((38, 8)) == (1, 2, 3)
    assert has_text(image.crop((40, 0, 120, 16)))


def lines(answer: Any) -> set[tuple[int, ...]]:
    """Return the colours of the part where lines are, without the legend below it."""
    image = picture(answer)
    assert (image.width, image.height) > (400, 100)
    return drawn(image.crop((66, 4, 468, 114)))


# -- time series -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", ["cpu-ts", "cpu-ts-w"])
def test_graph_of_the_processor_has_a_line(instance: Instance, get: Get, graph: str) -> None:
    instance.cpu(50)
    assert (0, 0xFF, 0) in lines(get(graph))


@pytest.mark.parametrize("graph", ["net-ts", "net-ts-w"])
def test_graph_of_the_network_has_two_lines(instance: Instance, get: Get, graph: str) -> None:
    instance.interface(0, sent=3, received=1)
    instance.interface(1, sent=3, received=1)
    assert lines(get(graph)) >= {(0, 0xFF, 0), (0, 0, 0xFF)}


def test_an_interface_without_values_does_not_hide_the_others(instance: Instance, get: Get) -> None:
    instance.interface(0, sent=3, received=1)
    instance.interface(1, sent=3, received=1, age=40_000)
    assert lines(get("net-ts")) >= {(0, 0xFF, 0), (0, 0, 0xFF)}


def test_day_and_week_are_what_is_asked_of_rrdtool(instance: Instance, monkeypatch) -> None:
    asked: list[tuple[str, ...]] = []

    def run(*arguments: str, until: float) -> bytes:
        asked.append(arguments)
        return b""

    monkeypatch.setattr(rrd, "run", run)
    instance.empty_cpu()
    timeseries.cpu("snf-42", seconds=timeseries.DAY)
    timeseries.cpu("snf-42", seconds=timeseries.WEEK)
    assert [words[2] for words in asked] == ["--start=-86400", "--start=-604800"]
    assert {words[3] for words in asked} == {"--end=-20"}


def test_an_average_of_nothing_is_a_dash(instance: Instance, monkeypatch) -> None:
    asked: list[tuple[str, ...]] = []
    run = rrd.run

    def noted(*arguments: str, until: float) -> bytes:
        asked.append(arguments)
        return run(*arguments, until=until)

    monkeypatch.setattr(rrd, "run", noted)
    instance.interface(0, sent=3, received=1, age=3 * timeseries.DAY)
    for seconds, words in ((timeseries.DAY, {"COMMENT:average -\\l"}), (timeseries.WEEK, set())):
        assert timeseries.net("snf-42", seconds=seconds).startswith(b"\x89PNG")
        assert {word for word in asked[-1] if word.startswith("COMMENT")} == words
        assert sum(word.startswith("GPRINT") for word in asked[-1]) == (0 if words else 2)


def test_places_with_colons_are_read(instance: Instance, get: Get, tmp_path: Path, settings) -> None:
    odd = tmp_path / r"a:b\c d"
    settings.RRD_PREFIX = str(odd)
    Instance(odd / "snf-42").cpu(50)
    assert (0, 0xFF, 0) in lines(get("cpu-ts"))
    assert picture(get("cpu-bar")).getpixel((1, 1)) == GREEN


# -- tokens ----------------------------------------------------------------------------------------------

NOT_VALID = (400, "badRequest", "Invalid encrypted virtual server name")


@pytest.mark.parametrize("name", ["snf-12345678901", "snf-123456789012", "snf-1234567890123"])
@pytest.mark.parametrize("old", [False, True])
def test_names_of_every_length_come_back(client: Client, settings, monkeypatch, name: str, old: bool) -> None:
    monkeypatch.setattr(rrd, "PROGRAM", "true")
    settings.CYCLADES_STATS_LEGACY_TOKENS = old
    token = stats_token.seal_legacy(name, secret=graphs.token_secret()) if old else seal(name)
    # The token is read; there is no such instance.
    answer = client.get(f"/stats/v1.0/cpu-bar/{token}")
    assert fault(answer) == (404, "itemNotFound", "No such instance")


@pytest.mark.parametrize("name", ["../snf-1", "..", ".", "a/b", "/etc", "", "a\0b", "a b", "é", "-rf\n"])
def test_names_that_are_no_file_names_are_refused(get: Get, settings, name: str) -> None:
    assert fault(get("cpu-bar", seal(name))) == NOT_VALID
    settings.CYCLADES_STATS_LEGACY_TOKENS = True
    old = stats_token.seal_legacy(name, secret=graphs.token_secret())
    if "\0" not in name:
        assert fault(get("cpu-bar", old)) == NOT_VALID


def test_tokens_that_were_changed_or_are_old_or_anothers_are_refused(get: Get, token: str) -> None:
    half = len(token) // 2
    changed = token[:half] + ("A" if token[half] != "A" else "B") + token[half + 1 :]
    foreign = stats_token.seal("snf-42", secret="another", expires=1 << 40)
    legacy = stats_token.seal_legacy("snf-42", secret=graphs.token_secret())
    for wrong in (
        changed, foreign, legacy, seal("snf-42", seconds=-1), "x", "%00", "v2.", "v2.é", "A" * 5000, "%2e%2e",
    ):  # fmt: skip
        assert fault(get("cpu-bar", wrong)) == NOT_VALID, wrong


# -- what is missing or broken ---------------------------------------------------------------------------


def test_missing_files_are_told_apart(instance: Instance, get: Get, monkeypatch) -> None:
    monkeypatch.setattr(rrd, "PROGRAM", "true")
    for graph in graphs.GRAPHS:
        assert fault(get(graph)) == (404, "itemNotFound", "No such instance")
    instance.empty_cpu()
    for graph in ("net-bar", "net-ts", "net-ts-w"):
        assert fault(get(graph)) == (404, "itemNotFound", "VM has no attached NICs")
    (instance.folder / "interface").mkdir()
    (instance.folder / "interface" / "if_packets-eth0.rrd").touch()
    assert fault(get("net-bar")) == (404, "itemNotFound", "VM has no attached NICs")


@pytest.mark.parametrize("content", [b"", b"junk", b"RRD\x000003\0" + b"\xff" * 5000])
def test_damaged_files_are_a_fault_and_the_log_says_why(
    instance: Instance, get: Get, caplog, content: bytes
) -> None:
    instance.cpu(1).write_bytes(content)
    for graph in ("cpu-bar", "cpu-ts"):
        answer = get(graph)
        unreadable = "The statistics of this server cannot be read"
        assert fault(answer) == (503, "serviceUnavailable", unreadable)
        assert "Retry-After" in answer
        assert str(instance.folder) not in answer.content.decode()
    assert "rrdtool fetch: ERROR" in caplog.text


def test_a_host_without_the_program_says_so(get: Get, monkeypatch) -> None:
    monkeypatch.setattr(rrd, "PROGRAM", "no-such-program")
    assert fault(get("cpu-bar")) == (503, "serviceUnavailable", "This host cannot draw graphs")
    assert [found.id for found in checks.check_program(None)] == ["stats.W001"]


def test_a_program_that_hangs_is_given_up(instance: Instance, get: Get, monkeypatch) -> None:
    def hang(*_: Any, **options: Any) -> None:
        raise subprocess.TimeoutExpired("rrdtool", options["timeout"])

    instance.empty_cpu()
    monkeypatch.setattr(rrd, "PROGRAM", "true")
    monkeypatch.setattr(subprocess, "run", hang)
    assert fault(get("cpu-bar"))[0] == 503


def test_one_picture_has_one_deadline(instance: Instance, monkeypatch) -> None:
    left: list[float] = []
    now = [1000.0]

    def slow(*_: Any, **options: Any) -> Any:
        left.append(options["timeout"])
        now[0] += 4
        return subprocess.CompletedProcess([], 0, b"rx tx\n", b"")

    monkeypatch.setattr(rrd, "interface_files", lambda _: [Path("a"), Path("b"), Path("c"), Path("d")])
    monkeypatch.setattr(rrd, "PROGRAM", "true")
    monkeypatch.setattr(rrd.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(subprocess, "run", slow)
    with pytest.raises(ServiceUnavailable, match="in time"):
        bars.net("snf-42")
    assert left == [10, 6, 2]


def test_the_program_learns_no_secrets(monkeypatch) -> None:
    monkeypatch.setenv("SNF_SECRET_KEY", "canary")
    assert set(rrd._environment()) <= {"PATH", "HOME", "LC_ALL", "TZ"}


def test_logs_tell_no_token(instance: Instance, get: Get, token: str, caplog) -> None:
    caplog.handler.addFilter(RequestIdFilter())
    instance.cpu(1).write_bytes(b"junk")
    assert get("cpu-bar").status_code == 503
    assert get("net-ts-w").status_code == 404
    assert "GET /stats/v1.0/cpu-bar/***" in caplog.text
    assert "Service Unavailable: /stats/v1.0/cpu-bar/***" in caplog.text
    assert token not in caplog.text


# -- protocol --------------------------------------------------------------------------------------------


def test_other_verbs_are_not_allowed(client: Client, token: str) -> None:
    for verb in ("POST", "PUT", "DELETE", "HEAD"):
        answer = client.generic(verb, f"/stats/v1.0/cpu-bar/{token}")
        assert (answer.status_code, answer["Allow"]) == (405, "GET")


@pytest.mark.parametrize(
    "path", ["", "v1.0", "v1.0/cpu-bar", "v1.0/cpu-bar/", "v1.0/disk-bar/x", "v2/cpu-bar/x"]
)
def test_unknown_paths(client: Client, path: str) -> None:
    assert fault(client.get(f"/stats/{path}")) == (400, "badRequest", "API endpoint not found")


# -- how often is drawn ----------------------------------------------------------------------------------


@pytest.fixture
def counted(monkeypatch) -> Iterator[list[str]]:
    """What was drawn."""
    made: list[str] = []

    def draw(instance: str) -> bytes:
        made.append(instance)
        return b"a picture"

    monkeypatch.setattr(rrd, "PROGRAM", "true")
    monkeypatch.setattr(graphs, "GRAPHS", {"cpu-bar": draw, "net-bar": draw})
    yield made


def test_a_thousand_viewers_draw_once(counted: list[str]) -> None:
    """Each with a token of their own."""
    pictures = {graphs.picture(graph="cpu-bar", token=seal("snf-42")) for _ in range(1000)}
    assert pictures == {b"a picture"}
    assert counted == ["snf-42"]
    graphs.picture(graph="net-bar", token=seal("snf-42"))
    graphs.picture(graph="cpu-bar", token=seal("snf-43"))
    assert len(counted) == 3


def test_a_picture_that_another_made_meanwhile_is_taken(counted: list[str], monkeypatch) -> None:
    graphs.picture(graph="cpu-bar", token=seal("snf-42"))
    found = [None, cache.get]
    answers = iter(found)
    real = cache.get

    def late(key: str) -> Any:
        return None if next(answers, real) is None else real(key)

    monkeypatch.setattr(cache, "get", late)
    assert graphs.picture(graph="cpu-bar", token=seal("snf-42")) == b"a picture"
    assert counted == ["snf-42"]


def test_the_longest_names_fit_into_the_cache(counted: list[str]) -> None:
    graphs.picture(graph="cpu-bar", token=seal("a" * 255))
    assert counted == ["a" * 255]


# -- configuration ---------------------------------------------------------------------------------------


def test_secrets_that_everybody_knows_are_refused(settings) -> None:
    assert checks.check_secrets(None) == []
    settings.STATS_SECRET_KEY = "secret key"
    assert [found.id for found in checks.check_secrets(None)] == ["stats.E001"]
    settings.STATS_SECRET_KEY, settings.CYCLADES_STATS_SECRET_KEY = "one", "another"
    assert [found.id for found in checks.check_secrets(None)] == ["stats.E002"]


def test_secrets_of_a_fresh_installation_are_refused_before_production(settings) -> None:
    assert kernel_checks.check_sample_secrets(None) == []
    settings.SECRET_ENCRYPTION_KEY = "Password Encryption Key"
    assert [found.id for found in kernel_checks.check_sample_secrets(None)] == ["synnefo.E001"]


def test_one_secret_is_enough_for_both_sides(settings) -> None:
    from cyclades.logic import stats_links

    for name in ("STATS_SECRET_KEY", "CYCLADES_STATS_SECRET_KEY"):
        settings.STATS_SECRET_KEY = settings.CYCLADES_STATS_SECRET_KEY = ""
        setattr(settings, name, "shared")
        assert graphs.token_secret() == stats_links.token_secret() == "shared"


def test_sizes_and_colours_that_cannot_be_drawn_are_refused(settings) -> None:
    assert checks.check_sizes(None) == []
    settings.HEIGHT, settings.BAR_BG_COLOR = 1, (1, 2)
    assert [found.id for found in checks.check_sizes(None)] == ["stats.E003", "stats.E004"]


def test_graphs_leave_the_root_of_a_host_to_the_other_services(settings) -> None:
    assert checks.check_place(None) == []
    settings.STATS_BASE_URL = "https://stats.example.org/"
    assert [found.id for found in checks.check_place(None)] == ["stats.E005"]
    settings.SYNNEFO_SERVICES = ["stats"]
    assert checks.check_place(None) == []


def test_long_texts_stay_inside_the_picture(settings) -> None:
    text = "TX/RX: 12345.67/12345.67 Mbps"
    image, draw = bars._canvas(text)
    assert image.size == (210, 10)
    assert draw.textlength(text, bars._font(settings.FONT, 6)) < 210 - 68
