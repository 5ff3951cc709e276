"""Reasons of quarantined entries, with their meaning and what to do: one row for each reason. Pure.

Law: every code that the checks or a store can return has a row. The codes for the form of a message
are defined in `mqtt_messages`, those for the site in `admission_rules`, and those for the store in
`write_answers`.
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
        "The topic does not belong to this system.",
        "Find the sender, and forbid the topic at the broker.",
    ),
    QuarantineReason(
        "too_large",
        "The message or the point is too large.",
        "Find the sender. Messages of an agent are far smaller.",
    ),
    QuarantineReason(
        "not_json",
        "The message is not JSON.",
        "Find the sender, and drop the message.",
    ),
    QuarantineReason(
        "version",
        "The message has another version.",
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
        "The message contains neither samples nor polls.",
        "Drop it.",
    ),
    QuarantineReason(
        "time",
        "The time can't be that of a reading.",
        "Set the agent's clock. Drop the entries with such times.",
    ),
    # --- site
    QuarantineReason(
        "other_site",
        "The message is from another site.",
        "Configure the ingest of each site for the topics of its own site.",
    ),
    QuarantineReason(
        "unknown_agent",
        "No bus of the site has this agent.",
        "Add the agent to a bus in site.toml, or forbid it at the broker.",
    ),
    QuarantineReason(
        "other_agent",
        "The meter is on a bus of another agent, or the message was sent on the topic of"
        " another agent.",
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
        "Set the clock of the agent or of the ingest. If the ingest's clock was wrong,"
        " replay; if the agent's clock was wrong, drop the entries.",
    ),
    QuarantineReason(
        "before_installed",
        "The time is before the meter was installed.",
        "Correct installed in site.toml, then replay; or set the agent's clock, and drop the"
        " entries.",
    ),
    QuarantineReason(
        "two_values",
        "The batch contains two values of this quantity at the same time; the first one is stored.",
        "Find out which value is right. A replay replaces the stored value by this one.",
    ),
    # --- store
    QuarantineReason(
        "invalid",
        "No store accepts such a point.",
        "Correct the name that the error message quotes, then replay.",
    ),
    QuarantineReason(
        "field_type",
        "The field has another type in the database.",
        "Let nothing else write to the database. Move the field's old points away, then replay.",
    ),
    QuarantineReason(
        "retention",
        "The point is older than the database keeps points.",
        "Lengthen the retention of the database, then replay; or drop the entries.",
    ),
    QuarantineReason(
        "series_limit",
        "The limit of the database for the number of series is reached.",
        "Raise the limit that the error message names, then replay.",
    ),
    QuarantineReason(
        "column_limit",
        "The limit of the database for the number of fields is reached.",
        "Raise the limit that the error message names, then replay.",
    ),
    QuarantineReason(
        "name",
        "The database does not allow a name in the point.",
        "Correct the name that the error message quotes, then replay.",
    ),
    QuarantineReason(
        "parse",
        "The database can't read the point.",
        "See the log of the database. Replay after the database was updated.",
    ),
    QuarantineReason(
        "unclear",
        "The database refused the point three times over an hour, with an unknown error.",
        "See the log of the database, then replay.",
    ),
    QuarantineReason(
        "untried",
        "The database refused the point together with others, with an unknown error.",
        "See the log of the database, then replay.",
    ),
)

#: Reasons by code.
REASONS: Final[Mapping[str, QuarantineReason]] = MappingProxyType({row.code: row for row in _ROWS})
