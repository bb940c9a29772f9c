"""The progress monitor forwards everything and delays nothing (ganeti-backend contract 7)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gtools.json_stream import JsonStream
from gtools.progress_monitor import main
from synnefo.amqp import Client, connect
from synnefo.messages import Progress, decode

pytestmark = pytest.mark.functional

COPY = {"type": "image-copy-progress", "timestamp": 5.5, "progress": 50.25, "position": 1, "total": 2}
TASK = {"type": "image-helper", "subtype": "task-start", "task": "MountImage", "timestamp": 6.0}
FAILURE = {"type": "image-error", "messages": ["no space — really"], "timestamp": 7.0}


#: The program, but for how long it tries to send what is left at the end.
MONITOR = """
import sys
from gtools import progress_monitor
progress_monitor.LINGER_SECONDS = float(sys.argv[1])
sys.exit(progress_monitor.main(sys.argv[2:]))
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Client]:
    client = connect([f"embedded://{tmp_path}/broker"])
    client.exchange_declare("ganeti")
    client.queue_declare("q")
    client.queue_bind("q", "ganeti", "ganeti.snf.event.progress")
    yield client
    client.close()


def run_monitor(
    hosts: list[str], *pieces: bytes, pause: float = 0.0, linger: float = 60.0
) -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | {"SNF_AMQP_HOSTS": repr(hosts), "SYNNEFO_SETTINGS_DIR": "/nonexistent"}
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", MONITOR, str(linger), "snf-7"],
            stdin=subprocess.PIPE,
            stderr=stderr,
            env=environment,
        )
        assert process.stdin is not None
        for piece in pieces:
            process.stdin.write(piece)
            process.stdin.flush()
            time.sleep(pause)
        process.stdin.close()
        returncode = process.wait(120)
        stderr.seek(0)
        return subprocess.CompletedProcess([], returncode, b"", stderr.read())


def received(broker: Client) -> list[Progress]:
    found = []
    while (delivery := broker.get("q")) is not None:
        message = decode(delivery.body)
        assert isinstance(message, Progress)
        found.append(message)
        broker.ack(delivery)
    return found


def test_concatenated_objects_are_forwarded_in_order(broker: Client, tmp_path: Path) -> None:
    body = json.dumps(COPY) + json.dumps(TASK) + "\n\t " + json.dumps(FAILURE, ensure_ascii=False)
    cut = body.encode().index("—".encode()) + 1
    result = run_monitor(
        [f"embedded://{tmp_path}/broker"], body.encode()[:cut], body.encode()[cut:], pause=0.1
    )
    assert result.returncode == 0
    messages = received(broker)
    assert [message.type for message in messages] == [
        "image-copy-progress",
        "image-helper",
        "image-error",
    ]
    assert {message.instance for message in messages} == {"snf-7"}
    assert messages[0].progress == 50.25
    assert messages[2].messages == ("no space — really",)
    assert abs(messages[0].event_time[0] - time.time()) < 60


def test_garbage_between_objects_is_skipped(broker: Client, tmp_path: Path) -> None:
    body = b'oops {"type": "unknown"} {broken} ' + json.dumps(TASK).encode() + b' {"type": "image-er'
    result = run_monitor([f"embedded://{tmp_path}/broker"], body)
    assert result.returncode == 0
    assert [message.task for message in received(broker)] == ["MountImage"]


def test_dead_broker_neither_blocks_nor_fails_the_deployment() -> None:
    result = run_monitor(
        ["amqp://guest:guest@127.0.0.1:1/"], *[json.dumps(COPY).encode() * 500] * 3, linger=2
    )
    assert result.returncode == 0
    assert b"could not be sent" in result.stderr


def test_broken_settings_do_not_fail_the_deployment(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("AMQP_HOSTS = 5\n")
    result = subprocess.run(
        [sys.executable, "-m", "gtools.progress_monitor", "snf-7"],
        input=json.dumps(COPY).encode(),
        capture_output=True,
        env=os.environ | {"SYNNEFO_SETTINGS_DIR": str(tmp_path)},
        timeout=120,
        check=False,
    )
    assert result.returncode == 0
    assert b"AMQP_HOSTS" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_wrong_call_shows_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    assert "usage" in capsys.readouterr().err


@given(
    st.lists(
        st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=9), max_size=3), max_size=5
    ),
    st.integers(min_value=1, max_value=40),
)
@settings(max_examples=100, deadline=None)
def test_objects_survive_any_chunking(objects: list[dict[str, object]], size: int) -> None:
    data = b"".join(json.dumps(value, ensure_ascii=False).encode() for value in objects)
    stream = JsonStream()
    found: list[dict[str, object]] = []
    for start in range(0, len(data), size):
        found.extend(stream.feed(data[start : start + size]))
    found.extend(stream.feed(b""))
    assert found == objects
