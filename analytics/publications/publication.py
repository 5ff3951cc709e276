"""Define the publication: the figures of a period, with the inputs of their computation.

Pure: no clock, no file. A publication does not contain the time at which it was made, so equal
inputs give equal bytes.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from analytics.figures.rule_files import Rules
from jieneng.metering.errors import UsageError
from jieneng.metering.site import Site

FORMAT: Final = 1


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a period as a person published them.

    Attributes:
        format: version of this form.
        period: id of the period.
        number: 1 for the first publication of the period, then 2 for its first restatement.
        by: name of the person who answers for the figures.
        reason: reason of a restatement; empty for the first publication.
        restates: digest of the publication that this one replaces; empty for the first one.
        version: version of the software that computed the figures.
        consumption: digest of the stored daily consumption of the period and of its base year.
        site: `site.toml` and `denominators.toml`.
        rules: the rows of `factors.toml` and `plan.toml` in force, packaged ones included, with the
            convention and the coverage floor of `analytics.toml`.
        figures: the figures, as `jieneng indicators --format json` prints them.
        digest: SHA-256 of the publication without this field.
    """

    format: int = FORMAT
    period: str
    number: int = 1
    by: str
    reason: str = ""
    restates: str = ""
    version: str
    consumption: str
    site: Site
    rules: Rules
    figures: tuple[Mapping[str, Any], ...]
    digest: str = ""

    def sealed(self) -> "Publication":
        """Return the publication with its digest."""
        unsealed = msgspec.structs.replace(self, digest="")
        return msgspec.structs.replace(self, digest=hashlib.sha256(_encode(unsealed)).hexdigest())


def to_bytes(publication: Publication) -> bytes:
    """Return the content of the file of a publication: JSON, with a line for each value."""
    return _encode(publication.sealed())


def from_bytes(content: bytes, name: str) -> Publication:
    """Return the publication of a file.

    Args:
        content: content of the file.
        name: name of the file, for the error.

    Raises:
        UsageError: the file is no publication, or was changed since it was written.
    """
    try:
        found = msgspec.json.decode(content, type=Publication)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UsageError(
            "{file} is no publication: {error}. Restore it from a backup.", file=name, error=error
        ) from error
    if found.sealed().digest != found.digest:
        raise UsageError(
            "{file} was changed after it was published: its digest differs. Restore it from a"
            " backup.",
            file=name,
        )
    return found


def _encode(publication: Publication) -> bytes:
    return msgspec.json.format(msgspec.json.encode(publication), indent=1) + b"\n"
