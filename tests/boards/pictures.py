"""`make boards-pictures`: photograph every board, drawn by Grafana's own components.

The boards are those of the simulated site, their queries are answered by a real InfluxDB, and the
page is drawn by `viewer/` (@grafana/ui) in Chromium at three widths, light and dark. The pictures
are written to a folder, for people; no test depends on them. Node, npm and Chromium are needed.

    python -m tests.boards.pictures OUT [--board NAME]... [--width PX]... [--theme light|dark]...
        [--language zh|en] [--scale 0.6]
"""

import argparse
import asyncio
import base64
import contextlib
import functools
import http.server
import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from grafana import build
from jieneng.cli.boards.grafana_commands import board_site
from jieneng.storage import influxql
from tests.boards import simulated_site
from tests.boards.board_queries import Json, Server, answers, panels, time_range, variables
from tests.boards.conftest import DATABASE, write
from tests.boards.memory_store import MemoryStore
from tests.servers import Influx, cache_folder, free_port

VIEWER = Path(__file__).parent / "viewer"
_COMMITTED = build.PROVISIONING / "dashboards" / "jieneng"
WIDTHS = (1920, 1366, 390)
THEMES = ("light", "dark")
_ROW_PX = 38
_YEARS = (2020, 2022, 2023, 2024, 2025)
_PHONE_PX = 769
#: Values of variables in the pictures, where the first one shows less.
_CHOSEN = {"one-meter": {"meter": "e-b1-light"}, "electricity": {"meter": "e-b1-hvac"}}


def main() -> None:
    """Take the pictures that the arguments ask for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--board", action="append")
    parser.add_argument("--width", action="append", type=int)
    parser.add_argument("--theme", action="append")
    parser.add_argument("--language", default="zh")
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    site = _built_viewer()
    (site / "data").mkdir(exist_ok=True)
    heights = _fetch(site / "data", options.language, options.board)
    with _serving(site) as url:
        shots = [
            (f"{name}-{width}-{theme}", f"{url}/?board={name}&theme={theme}", width, rows)
            for name, rows in heights.items()
            for width in options.width or WIDTHS
            for theme in options.theme or THEMES
        ]
        asyncio.run(_photograph(shots, options.out, options.scale))


def _built_viewer() -> Path:
    """Build the viewer outside of the repository, and return its folder.

    The packages of the lock file are installed once.
    """
    work = cache_folder() / "board-viewer"
    work.mkdir(parents=True, exist_ok=True)
    lock = VIEWER / "package-lock.json"
    is_installed = (work / "node_modules").is_dir() and (
        (work / lock.name).is_file() and (work / lock.name).read_bytes() == lock.read_bytes()
    )
    shutil.copytree(VIEWER, work, dirs_exist_ok=True)
    if not is_installed:
        subprocess.run(["npm", "install", "--ignore-scripts"], cwd=work, check=True)
    _write_checked_boards(work)
    subprocess.run(["npm", "run", "--silent", "types"], cwd=work, check=True)
    subprocess.run(["npm", "run", "--silent", "build"], cwd=work, check=True)
    return work / "dist"


def _write_checked_boards(work: Path) -> None:
    """Write the committed boards as TypeScript, which is checked against @grafana/schema."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(_COMMITTED.glob("*.json"))]
    (work / "src" / "boards.generated.ts").write_text(
        "import type { CheckedBoard } from './boardCheck';\n\n"
        f"export const BOARDS: CheckedBoard[] = [\n{','.join(texts)}];\n",
        encoding="utf-8",
    )


def _fetch(out: Path, language: str, wanted: Sequence[str] | None) -> dict[str, tuple[int, int]]:
    """Write each board with the answers to its queries.

    Returns:
        The heights of each board in grid rows, beside each other and stacked, by its name.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        path = Path(name)
        (path / "site").mkdir()
        folder = simulated_site.write_folder(path / "site")
        store = MemoryStore()
        asyncio.run(
            simulated_site.fill(folder, store, years=_YEARS, detail_days=15, gauge_hours=171)
        )
        influx = Influx(path / "influx")
        influx.start()
        server = Server(influx.url, DATABASE)
        server.ask(influxql.create_database(DATABASE))
        write(server, list(store.lines()))
        of, *_ = board_site(folder.path, language)
        boards = build.site_boards(of)
        now_ms = simulated_site.now_ms(folder.site)
        heights = {}
        for key, board in boards.items():
            if wanted and key not in wanted:
                continue
            page = _page(board, server, now_ms, _CHOSEN.get(key, {}))
            (out / f"{key}.json").write_text(json.dumps(page), encoding="utf-8")
            places = [panel["gridPos"] for panel in board["panels"]]
            heights[key] = (
                max(place["y"] + place["h"] for place in places),
                sum(place["h"] for place in places),
            )
        influx.stop()
    return heights


def _page(board: Json, server: Server, now_ms: int, other: Mapping[str, str]) -> Json:
    chosen = {**variables(board, server), **other}
    fetched = []
    for panel in panels(board):
        span = time_range(board, panel, now_ms)
        found = [series for _, series in answers(board, panel, server, chosen, now_ms)]
        fetched.append(
            {
                "panel": panel["id"],
                "startMs": span.start_ms,
                "endMs": span.end_ms,
                "series": found,
            }
        )
    shown = [
        {
            "name": variable["name"],
            "label": variable["label"],
            "value": chosen[variable["name"]],
            "text": _text(variable, chosen[variable["name"]]),
        }
        for variable in board["templating"]["list"]
    ]
    return {"board": board, "answers": fetched, "variables": shown}


def _text(variable: Json, value: str) -> str:
    texts = {option["value"]: option["text"] for option in variable["options"]}
    return str(texts.get(value, value))


@contextlib.contextmanager
def _serving(folder: Path) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log nothing."""


async def _photograph(
    shots: Sequence[tuple[str, str, int, tuple[int, int]]], out: Path, scale: float = 1.0
) -> None:
    """Take pictures of (name, URL, width, heights in rows)."""
    port = free_port()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = await asyncio.create_subprocess_exec(
            *("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *(f"--remote-debugging-port={port}", f"--user-data-dir={profile}", "about:blank"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with aiohttp.ClientSession() as session:
                socket = await _connect(session, port)
                page = _Page(await session.ws_connect(socket, max_msg_size=0))
                for name, url, width, rows in shots:
                    height = (170 if width < _PHONE_PX else 110) + _ROW_PX * rows[
                        1 if width < _PHONE_PX else 0
                    ]
                    picture = await page.picture(url, width, height, scale)
                    (out / f"{name}.png").write_bytes(picture)
                    print(name, *page.errors, flush=True)
                    page.errors.clear()
        finally:
            browser.terminate()
            await browser.wait()


async def _connect(session: aiohttp.ClientSession, port: int) -> str:
    """Return the address of the browser's first page once it answers."""
    for _ in range(150):
        with contextlib.suppress(aiohttp.ClientError):
            async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                for target in await answer.json():
                    if target["type"] == "page":
                        return str(target["webSocketDebuggerUrl"])
        await asyncio.sleep(0.2)
    raise RuntimeError("Chromium did not start")


class _Page:
    """A page of Chromium, driven by its debugging protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self.errors: list[str] = []

    async def picture(self, url: str, width: int, height: int, scale: float) -> bytes:
        """Return the PNG of a page of a size, once it is drawn."""
        await self._call("Runtime.enable")
        await self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )
        await self._call("Page.navigate", url=url)
        for _ in range(300):
            drawn = await self._call(
                "Runtime.evaluate", expression="document.body?.getAttribute('data-drawn')"
            )
            if drawn["result"].get("value") == "yes":
                break
            await asyncio.sleep(0.1)
        else:
            self.errors.append("not drawn in time")
        shot = await self._call("Page.captureScreenshot", format="png")
        return base64.b64decode(shot["data"])

    async def _call(self, method: str, **parameters: object) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive_json()
            if message.get("method") == "Runtime.exceptionThrown":
                details = message["params"]["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description", "")[:400])
            if message.get("id") == self._number:
                result: dict[str, Any] = message.get("result", {})
                return result


if __name__ == "__main__":
    main()
