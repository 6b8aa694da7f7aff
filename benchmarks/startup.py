"""How long `import instructrec` and `instructrec --help` take in a fresh process.

python -m benchmarks.startup --json
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

from benchmarks.calibration import add_json_option, finish

STARTS = {
    "python_s": ["-c", "pass"],
    "import_s": ["-c", "import instructrec"],
    "help_s": ["-m", "instructrec", "--help"],
}
"""What is started; the bare interpreter shows what of the others is not ours."""
TARGETS = {"import_s": 0.3, "help_s": 0.5}


def median_seconds(arguments: list[str], *, repeats: int) -> float:
    """Median wall time of starting the interpreter with these arguments; the first start, which fills caches, is not counted."""
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def main() -> None:
    """Print a table and, with --json, one JSON object as the last line or in a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    add_json_option(parser)
    options = parser.parse_args()
    found = {name: round(median_seconds(arguments, repeats=options.repeats), 3) for name, arguments in STARTS.items()}
    for name, seconds in found.items():
        target = f"  (target {TARGETS[name]})" if name in TARGETS else ""
        print(f"{name:<10} {seconds:7.3f}{target}")
    finish(found, options.json)


if __name__ == "__main__":
    main()
