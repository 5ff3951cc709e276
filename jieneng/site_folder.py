"""A site's folder: the only place that knows which file holds what.

`site.toml` is the one file that must be there. Meter models are the packaged ones, and any
`models/*.toml` beside `site.toml`, which go before a packaged one of the same id; so does a
file beside `site.toml` itself that has the table `[model]`.
"""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from jieneng import config_file
from jieneng.metering import site_check
from jieneng.metering.catalog import model_check
from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.catalog.model_forms import DEFAULT_PROTOCOL, MODEL_FORMS, protocol_problem
from jieneng.metering.errors import ConfigError, Problem
from jieneng.metering.site import Site

SITE_FILE: Final = "site.toml"
_Settings = TypeVar("_Settings", bound=msgspec.Struct)


class SiteFolder(msgspec.Struct, frozen=True):
    """A site that was read and found right.

    Attributes:
        path: the folder.
        site: its `site.toml`.
        models: by id.
    """

    path: Path
    site: Site
    models: Mapping[str, Model]


def load(path: Path) -> SiteFolder:
    """Read a site's folder.

    Raises:
        ConfigError: with every problem of `site.toml` and of the models beside it.
    """
    document = config_file.read(path / SITE_FILE)
    models, problems = _read_models(path)
    try:
        site = config_file.decode(document, Site)
    except ConfigError as error:
        raise ConfigError([*error.problems, *problems]) from error
    problems += [document.locate(problem) for problem in site_check.check(site, models)]
    if problems:
        raise ConfigError(problems)
    return SiteFolder(path, site, models)


def read_settings(path: Path, form: type[_Settings]) -> _Settings:
    """A service's own file, or its defaults where the file is not there.

    Raises:
        ConfigError: what stands in it is wrong, or it is not there and something has no default.
    """
    if path.exists():
        return config_file.decode(config_file.read(path), form)
    return config_file.decode(config_file.parse("", path.name), form)


def packaged_models() -> dict[str, Model]:
    """The library of meter models, by id."""
    models: dict[str, Model] = {}
    for entry in (resources.files("jieneng") / "metering" / "models").iterdir():
        if entry.name.endswith(".toml"):
            model = _decode_model(config_file.parse(entry.read_text(encoding="utf-8"), entry.name))
            models[model.id] = model
    return models


def _read_models(path: Path) -> tuple[dict[str, Model], list[Problem]]:
    models, problems = packaged_models(), list[Problem]()
    beside = [file for file in sorted(path.glob("*.toml")) if _is_model(file)]
    for file in (*beside, *sorted((path / "models").glob("*.toml"))):
        try:
            model = _decode_model(config_file.read(file))
        except ConfigError as error:
            problems += error.problems
        else:
            models[model.id] = model
    return models, problems


def _is_model(file: Path) -> bool:
    try:
        return "model" in config_file.read(file).data
    except ConfigError:  # said by whoever the file belongs to
        return False


def _decode_model(document: config_file.Document) -> Model:
    head = document.data.get("model")
    protocol = head.get("protocol", DEFAULT_PROTOCOL) if isinstance(head, dict) else None
    if protocol is not None and (problem := protocol_problem(protocol)):
        raise ConfigError([document.locate(problem)])
    form = MODEL_FORMS[protocol or DEFAULT_PROTOCOL]
    model = config_file.decode(document, form.model)
    if problems := model_check.check(model):
        raise ConfigError([document.locate(problem) for problem in problems])
    return model
