"""A site of one building, and the commands that a case runs on it, in this process.

The building has 5,000 m2 and 100 persons since 2018, an electricity meter `e-a` with a nameplate of
400 kW and a water meter `w-a` with 16 m3/h.
"""

import io
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from jieneng import cli

HOUR = timedelta(hours=1)
SITE = '[site]\nid = "huaian"\nname = "行政中心"\ntimezone = "Asia/Shanghai"\n'
AREA = """
[[area]]
id = "house"
name = "1号楼"
floor_area_m2 = [{from = 2018-01-01, value = 5000.0}]
headcount = [{from = 2018-01-01, value = 100}]
"""


class Done(NamedTuple):
    """The end of a command: its exit code and its output."""

    code: int
    out: str
    err: str


def meter(meter_id: str, *keys: str, name: str | None = None) -> str:
    """Return a `[[meter]]` of the building; its medium follows from the first letter of its id.

    Args:
        meter_id: e-..., w-..., g-... or h-...
        keys: further lines of TOML, such as `rated_max = 400.0`.
        name: name for people; its id in capitals if omitted.
    """
    medium = {"e": "electricity", "w": "water", "g": "gas", "h": "heat"}[meter_id[0]]
    head = f'\n[[meter]]\nid = "{meter_id}"\nname = "{name or meter_id.upper()}"\n'
    place = "" if any(key.startswith("area") for key in keys) else 'area = "house"\n'
    return f'{head}medium = "{medium}"\n{place}' + "".join(f"{key}\n" for key in keys)


USUAL_METERS = meter("e-a", "rated_max = 400.0") + meter("w-a", "rated_max = 16.0")


class CaseSite:
    """The folder of a site with its store.

    Args:
        folder: an empty folder.
        meters: the meters of `site.toml`, and further tables.
        areas: the areas of `site.toml`.
    """

    def __init__(self, folder: Path, meters: str = USUAL_METERS, areas: str = AREA) -> None:
        self.folder = folder
        (folder / "site.toml").write_text(SITE + areas + meters, encoding="utf-8")

    def file(self, name: str, lines: Iterable[str]) -> Path:
        """Write a text file into the folder."""
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def readings(
        self,
        rows: Iterable[tuple[datetime, float | str]],
        meter_id: str = "e-a",
        name: str = "readings.csv",
    ) -> Path:
        """Write a CSV file in the long form with local times."""
        quantity = "energy_kwh" if meter_id[0] == "e" else "volume_m3"
        lines = [f"{time:%Y-%m-%dT%H:%M:%S},{meter_id},{quantity},{value}" for time, value in rows]
        return self.file(name, ["time,meter,quantity,value", *lines])

    def run(self, *arguments: object) -> Done:
        """Run `jieneng ... --site FOLDER`."""
        argv = ["jieneng", *map(str, arguments), "--site", str(self.folder)]
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.object(sys, "argv", argv),
            mock.patch.dict(os.environ),  # a command sets the language of its process
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                cli.main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
        return Done(code, out.getvalue(), err.getvalue())

    def load(self, file: Path, *options: object) -> Done:
        """Import a file of readings, which must be accepted."""
        done = self.run("import", "readings", file, *options)
        assert done.code == 0, done.err + done.out
        return done

    def figures(self, period: object = 2025) -> list[Mapping[str, Any]]:
        """Return the figures of a period."""
        done = self.run("indicators", "--period", period, "--format", "json")
        assert done.code == 0, done.err
        found: list[Mapping[str, Any]] = json.loads(done.out)
        return found

    def figure(
        self, indicator: str = "energy_per_floor_area", period: object = 2025, scope: str = "house"
    ) -> Mapping[str, Any]:
        """Return a figure; of carbon, the one with the fixed factors."""
        return next(
            figure
            for figure in self.figures(period)
            if (figure["scope"], figure["indicator"]) == (scope, indicator)
            and figure["factor_series"] in (None, "fixed")
        )


def codes(figure: Mapping[str, Any]) -> set[str]:
    """Return the codes of a figure's findings."""
    return {finding["code"] for finding in figure["findings"]}


def hours(start: datetime, end: datetime, step: timedelta = HOUR) -> list[datetime]:
    """Return the local times from `start` to before `end`."""
    count = -(-(end - start) // step)
    return [start + number * step for number in range(count)]


def year_hours(year: int, step: timedelta = HOUR) -> list[datetime]:
    """Return the local times of a year."""
    return hours(datetime(year, 1, 1), datetime(year + 1, 1, 1), step)


def steady(times: Sequence[datetime], value: float) -> list[tuple[datetime, float | str]]:
    """Return a row with the same value for each time."""
    return [(time, value) for time in times]
