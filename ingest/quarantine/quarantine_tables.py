"""Define the tables of the quarantine's SQLite file.

Law: triggers update the tables `usage` and `account`, so both agree with the table `entry` after
every transaction.
"""

from typing import Final

#: Version of these tables, stored in the file.
VERSION: Final = 1

#: Size counted for each entry in addition to its payload [bytes]; measured, and rounded up.
ENTRY_BYTES: Final = 300

#: Statements that create the tables, in order.
STATEMENTS: Final = (
    """CREATE TABLE entry (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        time_ms INTEGER NOT NULL,
        replays INTEGER NOT NULL DEFAULT 0,
        topic TEXT NOT NULL,
        agent TEXT NOT NULL,
        boot TEXT NOT NULL,
        seq INTEGER NOT NULL,
        meter TEXT NOT NULL,
        reason TEXT NOT NULL,
        detail TEXT NOT NULL,
        payload BLOB NOT NULL,
        size INTEGER NOT NULL,
        samples INTEGER NOT NULL,
        acknowledged INTEGER NOT NULL,
        digest BLOB NOT NULL
    )""",
    "CREATE INDEX entry_of_batch ON entry (agent, boot, seq) WHERE acknowledged = 1",
    "CREATE INDEX entry_of_nobody ON entry (digest) WHERE acknowledged = 0",
    """CREATE TABLE usage (
        acknowledged INTEGER PRIMARY KEY,
        entries INTEGER NOT NULL DEFAULT 0,
        samples INTEGER NOT NULL DEFAULT 0,
        bytes INTEGER NOT NULL DEFAULT 0,
        lost INTEGER NOT NULL DEFAULT 0
    )""",
    "INSERT INTO usage (acknowledged) VALUES (0), (1)",
    """CREATE TABLE account (
        agent TEXT PRIMARY KEY,
        held INTEGER NOT NULL DEFAULT 0,
        replayed INTEGER NOT NULL DEFAULT 0,
        dropped INTEGER NOT NULL DEFAULT 0
    )""",
    f"""CREATE TRIGGER entry_added AFTER INSERT ON entry BEGIN
        UPDATE usage SET entries = entries + 1, samples = samples + NEW.samples,
            bytes = bytes + length(NEW.payload) + {ENTRY_BYTES}
            WHERE acknowledged = NEW.acknowledged;
        INSERT INTO account (agent, held) SELECT NEW.agent, NEW.samples WHERE NEW.acknowledged
            ON CONFLICT DO UPDATE SET held = held + NEW.samples;
    END""",  # noqa: S608 - a number of ours
    f"""CREATE TRIGGER entry_deleted AFTER DELETE ON entry BEGIN
        UPDATE usage SET entries = entries - 1, samples = samples - OLD.samples,
            bytes = bytes - length(OLD.payload) - {ENTRY_BYTES}
            WHERE acknowledged = OLD.acknowledged;
        UPDATE account SET held = held - OLD.samples WHERE agent = OLD.agent AND OLD.acknowledged;
    END""",  # noqa: S608 - a number of ours
    """CREATE TRIGGER entry_shortened AFTER UPDATE OF payload, samples ON entry BEGIN
        UPDATE usage SET samples = samples + NEW.samples - OLD.samples,
            bytes = bytes + length(NEW.payload) - length(OLD.payload)
            WHERE acknowledged = NEW.acknowledged;
        UPDATE account SET held = held + NEW.samples - OLD.samples
            WHERE agent = NEW.agent AND NEW.acknowledged;
    END""",
)
