"""Programs that take seconds to load and a moment to run, loaded once and forked for each run.

What they do is their own from the first line of their ``main`` on; only the loading is shared.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.lab.forked_client import ask
from tests.lab.instance import LabError

SERVER = Path(__file__).with_name("fork_server.py")


class Forked:
    """One program, loaded when it is first run; see ``fork_server``."""

    def __init__(self, python: str | Path, code: str, *, environment: Mapping[str, str]) -> None:
        self._command = [str(python), str(SERVER)]
        self._code, self._environment = code, dict(environment)
        self._folder = tempfile.TemporaryDirectory(prefix="synnefo-forked-")
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """Where the server listens."""
        return Path(self._folder.name) / "socket"

    def start(self) -> None:
        """Start loading the program unless it is loaded."""
        if self._server is None:
            with (Path(self._folder.name) / "log").open("wb") as log:
                self._server = subprocess.Popen(
                    [*self._command, str(self.socket), self._code], env=self._environment,
                    stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip

    def stop(self) -> None:
        """End the server, which ends with its standard input."""
        if self._server is not None:
            assert self._server.stdin is not None
            self._server.stdin.close()
            self._server.wait(timeout=30)
            self._server = None
        self._folder.cleanup()

    def run(
        self, argv: Sequence[str], *, environment: Mapping[str, str], input: str = "", timeout: float = 180
    ) -> subprocess.CompletedProcess[str]:
        """Run the program as ``subprocess.run`` would with ``text`` and ``capture_output``.

        Parameters: ``argv`` begins with the program's name; ``timeout`` in seconds.
        """
        self.start()
        with tempfile.TemporaryDirectory(dir=self._folder.name) as folder:
            files = {name: str(Path(folder, name)) for name in ("stdin", "stdout", "stderr")}
            for name, path in files.items():
                Path(path).write_text(input if name == "stdin" else "", encoding="utf-8")
            request = {"argv": list(argv), "env": dict(environment), "cwd": os.getcwd(), **files}
            status = self._ask(json.dumps(request).encode() + b"\n", timeout)
            printed = [Path(files[name]).read_text(encoding="utf-8") for name in ("stdout", "stderr")]
        return subprocess.CompletedProcess(list(argv), status, *printed)

    def _ask(self, request: bytes, timeout: float) -> int:
        try:
            return ask(str(self.socket), request, timeout=timeout)
        except OSError as error:
            said = (Path(self._folder.name) / "log").read_text()
            raise LabError(f"no answer ({error}) from a program that said: {said[-4000:]}") from error


@contextlib.contextmanager
def forked(python: str | Path, code: str, *, environment: Mapping[str, str]) -> Iterator[Forked]:
    """Offer a program, and end its server afterwards."""
    program = Forked(python, code, environment=environment)
    try:
        yield program
    finally:
        program.stop()
