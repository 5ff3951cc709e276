"""Read the folder of a site. Only this module depends on the names of the files in the folder.

Only `site.toml` must exist. `denominators.toml` adds floor areas and headcounts to it. A site can
use the packaged meter models and its own models. Its own models are the files `models/*.toml`, and
each TOML file beside `site.toml` that has the table `[model]`. A model of the site replaces a
packaged model of the same id.

Laws:

1. `load` returns a site without mistakes, or raises an error with all mistakes.
2. `examine` returns the part of a site that can be read, in which further mistakes can be found.
"""

import re
from collections.abc import Mapping
from functools import cache
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
from jieneng.metering.site_rules import denominators, nameplate_check, site_warnings
from jieneng.metering.site_rules.denominators import Denominators

SITE_FILE: Final = "site.toml"
DENOMINATORS_FILE: Final = "denominators.toml"
_MODEL_HEADER: Final = re.compile(rb"^\s*\[model\]", re.MULTILINE)
_Settings = TypeVar("_Settings", bound=msgspec.Struct)


class SiteFolder(msgspec.Struct, frozen=True):
    """A site without mistakes.

    Attributes:
        path: the folder.
        site: content of `site.toml`.
        models: meter models by id.
    """

    path: Path
    site: Site
    models: Mapping[str, Model]


class Examination(msgspec.Struct, frozen=True):
    """A site that may have mistakes.

    Attributes:
        document: `site.toml`.
        site: content of `site.toml`; a value that could not be read is `msgspec.UNSET` or the
            default of its key.
        models: meter models without mistakes, by id.
        problems: every mistake in `site.toml` and in the site's own models.
        omissions: mistakes in `site.toml` that do not prevent a service from running; a person has
            to correct or acknowledge them.
        warnings: probable mistakes in `site.toml`.
        unread: places in `site.toml`, and models, that could not be read.
    """

    document: config_file.Document
    site: Site
    models: Mapping[str, Model]
    problems: tuple[Problem, ...]
    omissions: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    unread: UnreadKeys

    def is_sound(self, table: str, row: int | None = None) -> bool:
        """Return True if a table of `site.toml`, or one row of it, has no mistake."""
        place = (table,) if row is None else (table, row)
        mistaken = UnreadKeys(
            frozenset(problem.path for problem in self.problems if problem.file == SITE_FILE)
        )
        return not self.unread.covers(*place) and not mistaken.covers(*place)


def load(path: Path) -> SiteFolder:
    """Read a site's folder.

    Raises:
        ConfigError: the site has mistakes; the error lists all of them.
    """
    examination = examine(path)
    if examination.problems:
        raise ConfigError(examination.problems)
    return SiteFolder(path, examination.site, examination.models)


def examine(path: Path) -> Examination:
    """Read a site's folder as far as possible, and find all mistakes in the site and its models.

    Raises:
        ConfigError: `site.toml` does not exist, or is not valid TOML.
    """
    models, model_problems, unread_models = _read_models(path)
    try:
        document = config_file.read(path / SITE_FILE)
    except ConfigError as error:
        raise ConfigError([*error.problems, *model_problems]) from error
    draft = config_file.decode_draft(document, Site)
    unread = UnreadKeys(draft.unread.paths | unread_models)
    rule_problems = [*site_check.check(draft.settings, models, unread)]
    if not unread.covers("site", "language"):
        rule_problems += _language_problems(draft.settings)
    omissions = nameplate_check.nameplate_problems(draft.settings, unread)
    site, denominator_problems = _with_denominators(path, draft.settings, unread)
    warnings = site_warnings.warnings(site, unread)
    return Examination(
        document,
        site,
        models,
        (
            *draft.problems,
            *map(document.locate, rule_problems),
            *denominator_problems,
            *model_problems,
        ),
        tuple(map(document.locate, omissions)),
        tuple(map(document.locate, warnings)),
        unread,
    )


def read_denominators(path: Path) -> Denominators:
    """Read the floor areas and headcounts in `denominators.toml`; empty without this file.

    Raises:
        ConfigError: the file has mistakes.
    """
    return read_settings(path / DENOMINATORS_FILE, Denominators)


def _with_denominators(
    path: Path, site: Site, unread: UnreadKeys
) -> tuple[Site, tuple[Problem, ...]]:
    """Return a site with the values of `denominators.toml`, and the problems of that file."""
    file = path / DENOMINATORS_FILE
    if not file.exists() or unread.covers("area"):
        return site, ()
    try:
        document = config_file.read(file)
        found = config_file.decode(document, Denominators)
    except ConfigError as error:
        return site, error.problems
    if problems := tuple(denominators.denominator_problems(site, found, unread)):
        return site, tuple(map(document.locate, problems))
    return denominators.merge(site, found), ()


def read_settings(path: Path, form: type[_Settings]) -> _Settings:
    """Read the configuration file of a service; if it does not exist, return the defaults.

    Args:
        path: the file.
        form: struct of the file's content.

    Raises:
        ConfigError: the file has a mistake, or it does not exist and a key has no default.
    """
    if path.exists():
        return config_file.decode(config_file.read(path), form)
    return config_file.decode(config_file.parse("", path.name), form)


def packaged_models() -> dict[str, Model]:
    """Return the packaged meter models, by id."""
    return dict(_packaged_models())


@cache  # the package does not change while a process runs
def _packaged_models() -> Mapping[str, Model]:
    models: dict[str, Model] = {}
    for entry in (resources.files("jieneng") / "metering" / "models").iterdir():
        if entry.name.endswith(".toml"):
            model = _decode_model(config_file.parse(entry.read_text(encoding="utf-8"), entry.name))
            models[model.id] = model
    return models


def _read_models(path: Path) -> tuple[dict[str, Model], list[Problem], frozenset[KeyPath]]:
    """Return the models by id, and the problems and unread places of the site's own models.

    A model with a problem is not returned but listed as unread. A packaged model of the same id is
    not returned either.
    """
    models = packaged_models()
    problems: list[Problem] = []
    unread: set[KeyPath] = set()
    beside_site = sorted(path.glob("*.toml"))
    for file in (*beside_site, *sorted((path / "models").glob("*.toml"))):
        try:
            document = config_file.read(file)
        except ConfigError as error:
            if file not in beside_site or _has_model_header(file):
                problems += error.problems
                unread.add(("model",))
            continue
        if file in beside_site and "model" not in document.data:
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
    """Return True if a file that is not valid TOML seems to be a model: it has a `[model]` line."""
    try:
        return _MODEL_HEADER.search(file.read_bytes()) is not None
    except OSError:  # if the file is no model, the program that uses it reports the error
        return False


def _stated_id(document: config_file.Document) -> str | None:
    """Return the id in the file of a model that has a mistake; None if there is no id."""
    header = document.data.get("model")
    model_id = header.get("id") if isinstance(header, dict) else None
    return model_id if isinstance(model_id, str) else None


def _language_problems(site: Site) -> list[Problem]:
    language = site.site.language
    if language in languages():
        return []
    return [value_problems.unknown_choice(language, languages(), ("site", "language"))]


def _decode_model(document: config_file.Document) -> Model:
    """Return a meter model, read and checked in the form of its protocol.

    Raises:
        ConfigError: the model has mistakes.
    """
    header = document.data.get("model")
    protocol = header.get("protocol", DEFAULT_PROTOCOL) if isinstance(header, dict) else None
    if protocol is not None and (problem := protocol_problem(protocol)):
        raise ConfigError([document.locate(problem)])
    form = MODEL_FORMS[protocol or DEFAULT_PROTOCOL]
    model = config_file.decode(document, form.model)
    if problems := model_check.check(model):
        raise ConfigError([document.locate(problem) for problem in problems])
    return model
