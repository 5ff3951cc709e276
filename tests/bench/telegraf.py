"""Telegraf, for comparison: built once on a machine from its published module.

It is built with the few plugins that the bench needs, as its own documentation offers (custom
builds), and kept in the user's cache folder. If `go` or its modules are not available, the bench
says so and reports without a comparison.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.bench.meters import NAMES, Meters

VERSION: Final = "1.37.2"
TOPIC: Final = "telegraf/modbus"
_MODULE: Final = "github.com/influxdata/telegraf/cmd/telegraf"
_TAGS: Final = (
    "custom,inputs.modbus,inputs.mqtt_consumer,outputs.influxdb,outputs.mqtt,parsers.influx,"
    "serializers.influx"
)
_BUILD_S: Final = 1800  # a minute where the modules are at hand


def program() -> Path | None:
    """The program, built where it has not been; None, and a word on stderr, where it can't be."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = caches / "jieneng-bench" / f"telegraf-{VERSION}-with-mqtt-consumer"
    built = folder / "telegraf"
    if built.exists():
        return built
    go = shutil.which("go")
    if go is None:
        sys.stderr.write("telegraf: go is not installed, so there is no peer\n")
        return None
    sys.stderr.write(f"telegraf: building {VERSION}, once on this machine\n")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "go.mod").write_text("module bench\n")
    environment = os.environ | {"CGO_ENABLED": "0"}
    for command in (
        [go, "get", "-tool", "-tags", _TAGS, f"{_MODULE}@v{VERSION}"],
        [go, "build", "-mod=mod", "-tags", _TAGS, "-o", "telegraf.new", _MODULE],
    ):
        try:
            subprocess.run(
                command, cwd=folder, env=environment, check=True, timeout=_BUILD_S,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            said = (getattr(error, "stderr", None) or b"").decode(errors="replace")
            sys.stderr.write(f"telegraf: can't be built, so there is no peer: {error}\n{said}\n")
            return None
    (folder / "telegraf.new").rename(built)
    return built


def write_config(file: Path, meters: Meters, broker_port: int) -> None:
    """One input a link with a request a meter, as its documentation has it; the rest by default.

    All metrics of a flush are sent in one message (`layout`), which costs less than the default of
    a message for each metric.
    """
    head = (
        '[agent]\n  interval = "1s"\n  omit_hostname = true\n'
        "[[outputs.mqtt]]\n"
        f'  servers = ["127.0.0.1:{broker_port}"]\n  topic = "{TOPIC}"\n  qos = 1\n'
        '  keep_alive = 30\n  layout = "batch"\n  data_format = "influx"\n'
    )
    lines = [head]
    fields = "".join(
        f'      {{ address={2 * row}, name="{name}", type="FLOAT32" }},\n'
        for row, name in enumerate(NAMES)
    )
    for link, unit in meters:
        if unit == 1:
            lines.append(
                f'[[inputs.modbus]]\n  name = "link-{link}"\n  timeout = "1s"\n'
                f'  controller = "tcp://127.0.0.1:{meters.ports[link]}"\n'
                '  configuration_type = "request"\n'
            )
        lines.append(
            f'  [[inputs.modbus.request]]\n    slave_id = {unit}\n    byte_order = "ABCD"\n'
            f'    register = "holding"\n    fields = [\n{fields}    ]\n'
        )
    file.write_text("".join(lines))


def write_consumer_config(file: Path, topic: str, broker_port: int, influx_url: str) -> None:
    """Configure one input and one output, with writes as large and as frequent as the ingest's."""
    file.write_text(
        "[agent]\n  omit_hostname = true\n"
        '  metric_batch_size = 5000\n  metric_buffer_limit = 100000\n  flush_interval = "500ms"\n'
        "[[inputs.mqtt_consumer]]\n"
        f'  servers = ["tcp://127.0.0.1:{broker_port}"]\n  topics = ["{topic}"]\n  qos = 1\n'
        '  topic_tag = ""\n  data_format = "influx"\n'
        "[[outputs.influxdb]]\n"
        f'  urls = ["{influx_url}"]\n  database = "telegraf"\n'
    )


def polls(payload: bytes) -> int:
    """Return the number of polls in a message, one in each line."""
    return payload.count(b"\n")
