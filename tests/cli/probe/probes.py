"""A run of `jieneng edge probe`, as a person in front of a meter types it, and its result."""

import asyncio
import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

from tests.cli import run


async def probe(
    *arguments: object, cwd: Path | None = None, typed: str = "", language: str = "en"
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, while the meters of this process answer."""

    return await asyncio.to_thread(
        run.jieneng,
        *("edge", "probe", "--delay", "0", *arguments),
        language=language,
        cwd=cwd,
        typed=typed,
    )


def pasted(text: str) -> dict[str, Any]:
    """The TOML at the end."""
    return tomllib.loads(re.split("^# (?:To paste:|可粘贴：)$", text, flags=re.MULTILINE)[-1])


def site(path: Path, port: int, **more: Any) -> Path:
    (path / "site.toml").write_text(
        f"""[site]
id = "s"
name = "s"
[[area]]
id = "a"
name = "a"
[[bus]]
id = "b"
agent = "agent-1"
host = "127.0.0.1"
port = {port}
timeout_s = {more.get("timeout_s", 1.0)}
[[meter]]
id = "m-1"
name = "m"
medium = "electricity"
model = "{more.get("model", "acrel-dtsd1352")}"
bus = "b"
unit = 1
area = "a"
rated_max = {more.get("rated_max", 60.0)}
ct = [{{from = 2020-01-01, value = {more.get("ct", 1.0)}}}]
"""
    )
    return path


def records(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]
