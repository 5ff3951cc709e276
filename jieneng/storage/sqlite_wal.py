"""Switch a SQLite file to WAL and full synchronisation, even while other processes open it.

Law: a committed transaction survives a power cut, and readers never wait for a writer.
"""

import sqlite3
import time
from typing import Final

#: Time between two attempts to switch a new file to WAL [s].
_RETRY_S: Final = 0.01


def make_durable(connection: sqlite3.Connection, busy_timeout_s: float) -> None:
    """Switch an open file to WAL; does nothing if the file is in WAL already.

    If several processes create the file at the same time, SQLite raises an error in all but one of
    them instead of waiting for the lock. So this function waits and tries again.

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
