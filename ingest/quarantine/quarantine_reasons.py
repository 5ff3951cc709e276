"""Reasons of quarantined entries, with their meaning and what to do: one row for each reason. Pure.

Law: every code that the checks or a store can give has a row. `mqtt_messages` names those of the
form of a message, `admission_rules` those of the site, `write_answers` those of the store.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from jieneng.metering.errors import Msgid


class QuarantineReason(NamedTuple):
    """A row: the code, its meaning, and what to do about it."""

    code: str
    sentence: Msgid
    fix: Msgid


_ROWS: Final = (
    # --- form of a message
    QuarantineReason(
        "topic",
        "The topic is none of this system.",
        "Find out who sends it, and forbid it at the broker.",
    ),
    QuarantineReason(
        "too_large",
        "The message or the point is too large.",
        "Find out who sends it. An agent's own messages are far smaller.",
    ),
    QuarantineReason(
        "not_json",
        "The message is not JSON.",
        "Find out who sends it; drop it.",
    ),
    QuarantineReason(
        "version",
        "The message is of another version.",
        "Install the same version of agent and ingest, then replay.",
    ),
    QuarantineReason(
        "form",
        "The message has another form, or a number that is infinite or out of range.",
        "Install the same version of agent and ingest, then replay.",
    ),
    QuarantineReason(
        "layout",
        "The values of the message do not match their names.",
        "Install the same version of agent and ingest, then replay.",
    ),
    QuarantineReason(
        "empty",
        "The message holds neither samples nor polls.",
        "Drop it.",
    ),
    QuarantineReason(
        "time",
        "The time is none of a reading.",
        "Set the agent's clock. Drop the entries with such times.",
    ),
    # --- site
    QuarantineReason(
        "other_site",
        "The message is of another site.",
        "Let each site's ingest listen to its own topics.",
    ),
    QuarantineReason(
        "unknown_agent",
        "No bus of the site names this agent.",
        "Add the agent to a bus in site.toml, or forbid it at the broker.",
    ),
    QuarantineReason(
        "other_agent",
        "The meter is on a bus of another agent, or the message is on another agent's topic.",
        "Correct the agent of the bus in site.toml, then replay.",
    ),
    QuarantineReason(
        "unknown_meter",
        "The site has no such meter.",
        "Add the meter to site.toml, then replay.",
    ),
    QuarantineReason(
        "quantity",
        "The meter's model does not have this quantity.",
        "Correct the model, or the meter's model in site.toml, then replay.",
    ),
    QuarantineReason(
        "future",
        "The time is more than a day ahead of the ingest's clock.",
        "Set the clock of the agent or of the ingest. If the ingest's was wrong, replay; if the "
        "agent's was, drop.",
    ),
    QuarantineReason(
        "before_installed",
        "The time is before the meter was installed.",
        "Correct installed in site.toml, then replay; or set the agent's clock, and drop.",
    ),
    QuarantineReason(
        "two_values",
        "The batch holds another value of this quantity at the same time; the first is stored.",
        "Find out which is right. A replay replaces the stored value by this one.",
    ),
    # --- store
    QuarantineReason(
        "invalid",
        "No store takes such a point.",
        "Correct the name that the words quote, then replay.",
    ),
    QuarantineReason(
        "field_type",
        "The field has another type in the database.",
        "Let nothing else write to the database. Move the field's old points away, then replay.",
    ),
    QuarantineReason(
        "retention",
        "The point is older than the database keeps points.",
        "Lengthen the retention of the database, then replay; or drop.",
    ),
    QuarantineReason(
        "series_limit",
        "The database is limited to fewer series.",
        "Raise the limit that the words name, then replay.",
    ),
    QuarantineReason(
        "column_limit",
        "The database is limited to fewer fields.",
        "Raise the limit that the words name, then replay.",
    ),
    QuarantineReason(
        "name",
        "The database does not allow a name of the point.",
        "Correct the name that the words quote, then replay.",
    ),
    QuarantineReason(
        "parse",
        "The database can't read the point.",
        "Look into the database's log. Replay after an update of it.",
    ),
    QuarantineReason(
        "unclear",
        "The database refused the point three times over an hour, in words that are not known.",
        "Look into the database's log, then replay.",
    ),
    QuarantineReason(
        "untried",
        "The database refused the point together with others, in words that are not known.",
        "Look into the database's log, then replay.",
    ),
)

#: Reasons by code.
REASONS: Final[Mapping[str, QuarantineReason]] = MappingProxyType({row.code: row for row in _ROWS})
