"""Switch a SQLite file to WAL and full synchronisation, also while others open it.

Law: a committed transaction survives a power cut, and readers never wait for a writer.
"""

import sqlite3
import time
from typing import Final

#: Between two tries to turn a new file to WAL [s].
_RETRY_S: Final = 0.01


def make_durable(connection: sqlite3.Connection, busy_timeout_s: float) -> None:
    """Set the journal of an open file; an older file is in WAL already.

    If several processes create the file at once, SQLite does not wait: it tells all but one of them
    that the file is locked. So the wait is here.

    Raises:
        sqlite3.OperationalError: the file was locked for longer than `busy_timeout_s`.
    """
    deadline_s = time.monotonic() + busy_timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline_s:
                raise
            time.sleep(_RETRY_S)
        else:
            break
    connection.execute("PRAGMA synchronous = FULL")
