"""Write what the demo needs to show alerts: faults of its meters, and rules with short times.

Law: the demo names no receiver, so nothing is sent to anybody.
"""

from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Final

from analytics.alerts.alert_files import ALERTS_FILE
from jieneng.config_file import decode, read
from jieneng.metering.site import Site
from simulators.faults import FaultsFile
from simulators.scripting.fault_check import SCRIPT_FILE
from simulators.scripting.fault_script import FaultScript
from simulators.simulated_site import SimulatedSite

#: Meter behind which a pipe bursts, and the flow from it [m3/h].
BURST_METER: Final = "w-b2"
_BURST_RATE: Final = 3.6
#: The pipe burst in the night before the last midnight, because the history contains all of it.
_BURST_TIME: Final = time(0, 30)
#: Meter that falls silent, time after the start at which it does [s], and duration of the silence
#: [s].
SILENT_METER: Final = "e-ct-cold"
_SILENT_AFTER_S: Final = 20
_SILENT_S: Final = 120
#: Limit of the rule about silent meters, and time beyond it after which the alert fires [s]. The
#: newest readings of the history are some hours old when the services start.
_SILENT_LIMIT_S: Final = 15
_SILENT_FOR_S: Final = 20

_RULES: Final = f"""\
# Rules of the demo, with times of seconds, so that nobody has to wait. The packaged rule takes half
# an hour for a silent meter. There is no receiver here, so nothing is sent; docs/alerts.md says how
# to name one.

[[rule]]
id = "meter-silent"
signal = "reading_age"
above = {_SILENT_LIMIT_S}.0
for_s = {_SILENT_FOR_S}.0
severity = "warning"

[grouping]
wait_s = 2.0
"""


def write_alerts(folder: Path, site: Site, now_ms: int) -> None:
    """Write `alerts.toml` and the faults, except those that a kept folder has already.

    Args:
        folder: the demo's folder.
        site: the site.
        now_ms: the time [UTC, ms].
    """
    (folder / ALERTS_FILE).write_text(_RULES, encoding="utf-8")
    if (folder / SCRIPT_FILE).exists():
        return  # the pipe has been bursting since then
    today = datetime.fromtimestamp(now_ms / 1000, site.zone).date()
    burst = datetime.combine(today - timedelta(days=1), _BURST_TIME, site.zone)
    (folder / SCRIPT_FILE).write_text(
        f"""\
# The faults of the demo's meters. docs/simulators.md explains the keys.

[[fault]]
kind = "leak"
meter = "{BURST_METER}"
start = {burst.isoformat()}
rate = {_BURST_RATE}

[[fault]]
kind = "no_answer"
meter = "{SILENT_METER}"
after_s = {_SILENT_AFTER_S}
duration_s = {_SILENT_S}
""",
        encoding="utf-8",
    )


def place_faults(simulated: SimulatedSite, folder: Path, seed: int, now_ms: int) -> None:
    """Let the past of simulated meters contain the faults of the demo."""
    faults = decode(read(folder / SCRIPT_FILE), FaultsFile).fault
    FaultScript(simulated, seed, now_ms).place(faults)
