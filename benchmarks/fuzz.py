"""A service under requests that nobody in their right mind would send: nothing may end in a server error.

    python -m benchmarks.fuzz --calls 100000 --json

Three parts, each with a service of its own inside of this process: `contract`, all checks of schemathesis on the OpenAPI, on
examples, on the edges of every shape, at random and in chains of calls (`contract_checks.py`); `people`, a state machine of what
people and the owner do, beside a model of what must follow (`tests/service/people_machine.py`); `hostile`, requests with halves of
surrogate pairs, numbers beyond all bounds, broken JSON and the like, and the forms of the page (`hostile_requests.py`).

server_errors: answers of 500 and above; contract_errors: what a check found, or where a model and the service did not agree;
routes: how many different ones were reached. Ends with 1 where there is any error.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.service.people_machine import People

from benchmarks.calibration import add_json_option, finish
from benchmarks.contract_checks import findings
from benchmarks.hostile_requests import send
from benchmarks.watched import Watched, small_run

SHOWN = 20
"""Errors that are printed of each part."""


def contract(service: Watched, calls: int, start: int) -> list[str]:
    """Rounds of all checks, each with another seed, until there were so many calls; what they found."""
    found: list[str] = []
    while service.calls < calls:
        found += findings(service, seed=start, examples=100, enough=lambda: service.calls >= calls)
        start += 1
    return found


def people(service: Watched, calls: int, start: int) -> list[str]:
    """Rounds of the state machine, each with another seed; where it and the service did not agree."""
    found: list[str] = []
    rules = settings(max_examples=5, stateful_step_count=50, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    while service.calls < calls:
        try:
            run_state_machine_as_test(seed(start)(lambda: People(service)), settings=rules)
        except Exception as problem:
            found.append("\n".join([f"{type(problem).__name__}: {problem}", *getattr(problem, "__notes__", ())]))
        start += 1
    return found


def hostile(service: Watched, calls: int, start: int) -> list[str]:
    """Hostile requests; what their answers broke of the contract."""
    dice, described = random.Random(start), service.app.openapi()
    found = []
    while service.calls < calls:
        found.append(send(service, dice, described))
    return [one for one in found if one]


PARTS: Mapping[str, tuple[Callable[[Watched, int, int], list[str]], float]] = {
    "contract": (contract, 0.3), "people": (people, 0.4), "hostile": (hostile, 0.3),
}  # fmt: skip
"""The parts, and the share of the calls that each makes."""


def main() -> None:
    """Run the parts one after another, print a line of each, and end with 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000, help="requests in all parts together")
    parser.add_argument("--seed", type=int, default=1, help="another one sends other requests")
    add_json_option(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = small_run(Path(folder) / "run")
        rows = {name: _part(name, run, Path(folder), args.calls, args.seed) for name in PARTS}
    total = {key: sum(row[key] for row in rows.values()) for key in ("calls", "server_errors", "contract_errors", "seconds")}
    routes = len({route for row in rows.values() for route in row["routes"]})
    finish(
        total
        | {"seconds": round(total["seconds"], 1), "routes": routes, "seed": args.seed}
        | {f"{name}_calls": row["calls"] for name, row in rows.items()},
        args.json,
    )
    sys.exit(1 if total["server_errors"] or total["contract_errors"] else 0)


def _part(name: str, run: Path, folder: Path, calls: int, start: int) -> dict[str, Any]:
    work, share = PARTS[name]
    service, began = Watched(run, f"sqlite:///{folder / f'{name}.db'}"), time.perf_counter()
    try:
        found = work(service, round(calls * share), start)
    finally:
        service.close()
    row = {
        "calls": service.calls, "server_errors": len(service.server_errors), "contract_errors": len(found),
        "seconds": time.perf_counter() - began, "routes": set(service.routes),
    }  # fmt: skip
    print(
        f"{name:9} {row['calls']:7,} calls  {len(row['routes']):3} routes  {row['server_errors']:3} server errors  "
        f"{row['contract_errors']:3} contract errors  {row['seconds']:7.1f} s",
        flush=True,
    )
    for error in [*service.server_errors[:SHOWN], *found[:SHOWN]]:
        print(f"  {error}", flush=True)
    return row


if __name__ == "__main__":
    main()
