"""Programs of others that benchmarks run beside ours, each in a virtual environment of its own.

    python -m benchmarks.peers recbole

makes the environment of `benchmarks/peers/recbole.txt` in runs/peers/recbole; benchmarks make it themselves where it is missing.
The file names every package with its version, and nothing else is installed: what a peer only needs for things that are not
measured (ray, plotly) is left out.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).parent
FOLDER = Path("runs/peers")
"""Where environments are made."""
MARK = "requirements.sha256"


def environment(name: str, folder: Path = FOLDER) -> Path:
    """The Python of a peer's environment, which is made where it is missing or of other versions."""
    wanted = HERE / f"{name}.txt"
    digest, place = hashlib.sha256(wanted.read_bytes()).hexdigest(), folder / name
    python, mark = place / "bin" / "python", place / MARK
    if not mark.is_file() or mark.read_text(encoding="utf-8") != digest:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "--no-deps", "-r", str(wanted)], check=True)
        mark.write_text(digest, encoding="utf-8")
    return python.absolute()


class Peer:
    """A script of this folder in its environment: asked by lines of JSON, it answers each by one. Use it as a context."""

    def __init__(self, name: str, script: str, arguments: Sequence[str], environ: Mapping[str, str]) -> None:
        python = environment(name)
        command = [str(python), str(HERE / script), *arguments]
        # What a peer leaves lying about, lies in its own folder.
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(environ), cwd=python.parent.parent
        )

    def ask(self, **question: Any) -> dict[str, Any]:
        """The answer to a question. Raises RuntimeError when the peer has ended."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        # What a peer's libraries print by themselves is not an answer.
        for line in self.process.stdout:
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise RuntimeError(f"{self.process.args} ended with {self.process.wait()}; what it said stands above.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
