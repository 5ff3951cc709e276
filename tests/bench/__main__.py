"""`make bench`: every figure as one JSON line, on standard output and in bench.jsonl.

It only measures: the required value of a figure is in its `bar`.
"""

import sys
from pathlib import Path

from tests.bench import (
    alerts,
    bus,
    counters,
    draining,
    edge,
    ground,
    importing,
    ingest,
    keeping,
    simulators,
    store,
)
from tests.bench.analytics import site_figures
from tests.boards import board_bench
from tests.e2e import alert_latency

_ROOMS = {
    "ground": ground,
    "store": store,
    "edge": edge,
    "keeping": keeping,
    "draining": draining,
    "ingest": ingest,
    "import": importing,
    "counters": counters,
    "site-figures": site_figures,
    "bus": bus,
    "simulators": simulators,
    "boards": board_bench,
    "alerts": alerts,
    "alert-latency": alert_latency,
}


def main(wanted: list[str]) -> None:
    """Run the rooms that are named, or all."""
    with Path("bench.jsonl").open("w", encoding="utf-8") as out:
        for name in wanted or _ROOMS:
            if name not in _ROOMS:
                sys.exit(f"{name} is no bench; known are {', '.join(_ROOMS)}")
            for result in _ROOMS[name].results():
                print(result.line(), flush=True)
                print(result.line(), file=out, flush=True)


main(sys.argv[1:])
