"""Boards and provisioning files as they stand in the repository, made from these builders.

Law: the same source gives the same bytes; the committed files are what `build` writes, and
`check` says which are not.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from grafana import data_source
from grafana.boards import targets_overview
from grafana.panels import Json

#: Where the files are committed, and where Grafana's container looks for them.
PROVISIONING: Final = Path(__file__).parent / "provisioning"
MOUNTED: Final = "/etc/grafana/provisioning"

#: A board is a row here: the file's name, and what makes it.
BOARDS: Final[Mapping[str, Callable[[], Json]]] = {"targets-overview": targets_overview.board}

_PROVIDER: Final = f"""\
# Made by `jieneng grafana build`.
apiVersion: 1
providers:
  - name: jieneng
    folder: 节能
    folderUid: jieneng
    type: file
    disableDeletion: true
    allowUiUpdates: false
    updateIntervalSeconds: 30
    options:
      path: {MOUNTED}/dashboards/jieneng
"""


def files() -> dict[str, str]:
    """Text by path within the provisioning folder."""
    return {
        "datasources/jieneng.yaml": data_source.PROVISIONING,
        "dashboards/jieneng.yaml": _PROVIDER,
        **{f"dashboards/jieneng/{name}.json": _text(board()) for name, board in BOARDS.items()},
    }


def build(out: Path = PROVISIONING) -> list[Path]:
    """Write all files; gives their paths."""
    written = []
    for name, text in files().items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def check(out: Path = PROVISIONING) -> list[Path]:
    """The files that differ from a fresh build: changed, missing, or made by nobody."""
    wanted = {out / name: text for name, text in files().items()}
    there = {path for path in out.rglob("*") if path.is_file()}
    return sorted(
        path
        for path in {*wanted, *there}
        if path not in there or path.read_text(encoding="utf-8") != wanted.get(path)
    )


def _text(board: Json) -> str:
    return json.dumps(board, ensure_ascii=False, indent=2) + "\n"
