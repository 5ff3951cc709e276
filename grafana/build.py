"""Build the boards and provisioning files that are committed in the repository.

A board is a module in `grafana/boards/` with a function `board(site)`. To add a board, add such a
module: `build` finds it, and writes a JSON file with the name of the module.

Law: the same source and the same site give the same bytes. The committed files are the output of
`build` for the example site in Chinese. `check` returns the files that differ from this output.
"""

import importlib
import json
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from grafana import boards, data_source
from grafana.alerting.grafana_alerting import (
    Recipients,
    grafana_alerting,
    provisioning_file,
)
from grafana.board_frame import FOLDER, FOLDER_UID
from grafana.board_site import BoardSite
from grafana.field_display import Json

#: Folder of the committed files, and the folder in which Grafana's container reads them.
PROVISIONING: Final = Path(__file__).parent / "provisioning"
MOUNT_PATH: Final = "/etc/grafana/provisioning"

_PROVIDER: Final = f"""\
# Made by `jieneng grafana build`.
apiVersion: 1
providers:
  - name: jieneng
    folder: {FOLDER}
    folderUid: {FOLDER_UID}
    type: file
    disableDeletion: true
    allowUiUpdates: false
    updateIntervalSeconds: 30
    options:
      path: {MOUNT_PATH}/dashboards/jieneng
"""


def board_functions() -> dict[str, Callable[[BoardSite], Json | None]]:
    """Return the `board` functions of the modules in `grafana/boards/`, by the JSON file's name.

    The name of the JSON file is that of the module, with hyphens: the module `targets_overview`
    builds `targets-overview.json`. A module without a `board` function is left out.
    """
    found = {}
    for module in sorted(pkgutil.iter_modules(boards.__path__), key=lambda module: module.name):
        board = getattr(importlib.import_module(f"{boards.__name__}.{module.name}"), "board", None)
        if board is not None:
            found[module.name.replace("_", "-")] = board
    return found


def site_boards(site: BoardSite) -> dict[str, Json]:
    """Return the boards of a site, by the JSON file's name; no board of a medium without meters."""
    made = {name: board(site) for name, board in board_functions().items()}
    return {name: board for name, board in made.items() if board is not None}


def files(site: BoardSite, recipients: Recipients | None = None) -> dict[str, str]:
    """Return the content of each file, by its path in the provisioning folder.

    Args:
        site: the site and the language.
        recipients: receivers of Grafana's notices; None if Grafana has the dead-man rules alone.
    """
    alerting = grafana_alerting(site, recipients)
    return {
        "alerting/jieneng.json": _text(provisioning_file(alerting)),
        "datasources/jieneng.yaml": data_source.DATA_SOURCES_YAML,
        "dashboards/jieneng.yaml": _PROVIDER,
        **{
            f"dashboards/jieneng/{name}.json": _text(board)
            for name, board in site_boards(site).items()
        },
    }


def secret_variables(recipients: Recipients | None) -> list[str]:
    """Return the environment variables from which Grafana takes the secrets of receivers."""
    if recipients is None:
        return []
    found = {
        variable
        for integrations in recipients.integrations.values()
        for one in integrations
        for variable in one.variables.values()
    }
    return sorted(found)


def build(
    site: BoardSite, out: Path = PROVISIONING, recipients: Recipients | None = None
) -> list[Path]:
    """Write all files, and return their paths."""
    written = []
    for name, text in files(site, recipients).items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def check(
    site: BoardSite, out: Path = PROVISIONING, recipients: Recipients | None = None
) -> list[Path]:
    """Return the files that differ from a fresh build: changed, missing or superfluous."""
    wanted = {out / name: text for name, text in files(site, recipients).items()}
    there = {path for path in out.rglob("*") if path.is_file()}
    return sorted(
        path
        for path in {*wanted, *there}
        if path not in there or path.read_text(encoding="utf-8") != wanted.get(path)
    )


def _text(board: Json) -> str:
    return json.dumps(board, ensure_ascii=False, indent=2) + "\n"
