"""Read a site's folder: the one module that knows which file holds what.

`site.toml` is the one file that must be there. Meter models are the packaged ones, and any
`models/*.toml` beside `site.toml`, which take precedence over a packaged one of the same id. A file
beside `site.toml` that has the table `[model]` is a meter model, too.

Laws:

1. `load` returns a site without any mistake, or raises all of them at once.
2. `examine` returns the part of a site that can be read, for a search for further mistakes.
"""

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from jieneng import config_file, value_problems
from jieneng.locale import languages
from jieneng.metering import site_check
from jieneng.metering.catalog import model_check
from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.catalog.model_forms import DEFAULT_PROTOCOL, MODEL_FORMS, protocol_problem
from jieneng.metering.errors import ConfigError, KeyPath, Problem, UnreadKeys
from jieneng.metering.site import Site
from jieneng.metering.site_rules import site_warnings

SITE_FILE: Final = "site.toml"
_MODEL_HEADER: Final = re.compile(rb"^\s*\[model\]", re.MULTILINE)
_Settings = TypeVar("_Settings", bound=msgspec.Struct)


class SiteFolder(msgspec.Struct, frozen=True):
    """A site without mistakes.

    Attributes:
        path: its folder.
        site: content of its `site.toml`.
        models: meter models by id.
    """

    path: Path
    site: Site
    models: Mapping[str, Model]


class Examination(msgspec.Struct, frozen=True):
    """A site that may have mistakes.

    Attributes:
        document: its `site.toml`.
        site: the site; what could not be read is `msgspec.UNSET` or the key's default.
        models: the meter models without mistakes, by id.
        problems: every mistake of `site.toml` and of the models beside it.
        warnings: probable mistakes.
        unread: places of `site.toml` and ids of models that could not be read.
    """

    document: config_file.Document
    site: Site
    models: Mapping[str, Model]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    unread: UnreadKeys

    def is_sound(self, table: str, row: int | None = None) -> bool:
        """Return True if a table of `site.toml`, or one row of it, has no mistake."""
        place = (table,) if row is None else (table, row)
        mistakes = UnreadKeys(frozenset(one.path for one in self.problems if one.file == SITE_FILE))
        return not self.unread.covers(*place) and not mistakes.covers(*place)


def load(path: Path) -> SiteFolder:
    """Read a site's folder.

    Raises:
        ConfigError: with every problem of `site.toml` and of the models beside it.
    """
    found = examine(path)
    if found.problems:
        raise ConfigError(found.problems)
    return SiteFolder(path, found.site, found.models)


def examine(path: Path) -> Examination:
    """Read a site's folder as far as that is possible, and find all mistakes of site and models.

    Raises:
        ConfigError: `site.toml` is not there, or is not TOML.
    """
    models, model_problems, unread_models = _read_models(path)
    try:
        document = config_file.read(path / SITE_FILE)
    except ConfigError as error:
        raise ConfigError([*error.problems, *model_problems]) from error
    draft = config_file.decode_draft(document, Site)
    unread = UnreadKeys(draft.unread.paths | unread_models)
    rules = [*site_check.check(draft.settings, models, unread)]
    if not unread.covers("site", "language"):
        rules += _language_problems(draft.settings)
    warnings = site_warnings.warnings(draft.settings, unread)
    return Examination(
        document,
        draft.settings,
        models,
        (*draft.problems, *map(document.locate, rules), *model_problems),
        tuple(map(document.locate, warnings)),
        unread,
    )


def read_settings(path: Path, form: type[_Settings]) -> _Settings:
    """Read a service's own file, or return its defaults if the file is not there.

    Raises:
        ConfigError: the file is wrong, or it is not there and some key has no default.
    """
    if path.exists():
        return config_file.decode(config_file.read(path), form)
    return config_file.decode(config_file.parse("", path.name), form)


def packaged_models() -> dict[str, Model]:
    """Return the library of meter models, by id."""
    models: dict[str, Model] = {}
    for entry in (resources.files("jieneng") / "metering" / "models").iterdir():
        if entry.name.endswith(".toml"):
            model = _decode_model(config_file.parse(entry.read_text(encoding="utf-8"), entry.name))
            models[model.id] = model
    return models


def _read_models(path: Path) -> tuple[dict[str, Model], list[Problem], frozenset[KeyPath]]:
    """Return the models by id, the problems of those beside the site, and their unread places.

    A model with a problem is among the unread ones, and so is a packaged model that it replaces.
    """
    models, problems, unread = packaged_models(), list[Problem](), set[KeyPath]()
    beside = sorted(path.glob("*.toml"))
    for file in (*beside, *sorted((path / "models").glob("*.toml"))):
        try:
            document = config_file.read(file)
        except ConfigError as error:
            if file not in beside or _has_model_header(file):
                problems += error.problems
                unread.add(("model",))
            continue
        if file in beside and "model" not in document.data:
            continue
        try:
            model = _decode_model(document)
        except ConfigError as error:
            problems += error.problems
            model_id = _stated_id(document)
            unread.add(("model",) if model_id is None else ("model", model_id))
            models.pop(model_id or "", None)
        else:
            models[model.id] = model
    return models, problems, frozenset(unread)


def _has_model_header(file: Path) -> bool:
    """Return True if a file that is not TOML was to be a model."""
    try:
        return _MODEL_HEADER.search(file.read_bytes()) is not None
    except OSError:  # reported by the reader of the file, whatever it is
        return False


def _stated_id(document: config_file.Document) -> str | None:
    """Return the id that a model's file with a mistake states; None if it states none."""
    head = document.data.get("model")
    model_id = head.get("id") if isinstance(head, dict) else None
    return model_id if isinstance(model_id, str) else None


def _language_problems(site: Site) -> list[Problem]:
    language = site.site.language
    if language in languages():
        return []
    return [value_problems.unknown_choice(language, languages(), ("site", "language"))]


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
