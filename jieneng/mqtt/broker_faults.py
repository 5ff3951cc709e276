"""Report faults of the connection to the broker: once in the log, and in `/health` as they last.

Law: three faults are distinguished. The broker refuses the connection; the broker can't be reached;
or another client with the same name takes over the connection.
"""

import time
from typing import Final

from jieneng.metering.errors import ConfigError
from jieneng.mqtt.broker import ConnectionRefused, loss_text
from jieneng.mqtt.reason_codes import TAKEN_OVER
from jieneng.observe import Log, LoggedFault

#: If a connection lasts this long, no other client uses the same name any more [s].
UNSHARED_S: Final = 90.0


class BrokerFaults:
    """The faults of one client's connections.

    Attributes:
        is_name_taken: True while another client is known to use the same name.
    """

    def __init__(self, log: Log, host: str, identifier: str) -> None:
        self.is_name_taken = False
        self._identifier = identifier
        self._unreachable = LoggedFault(log, "broker can't be reached", host=host)
        self._refused = LoggedFault(log, "broker refuses the connection", host=host)
        self._files = LoggedFault(log, "broker's files can't be used", host=host)
        self._name_taken = LoggedFault(
            log, f"another client uses the name {identifier}", now_s=time.monotonic
        )
        self._text = ""

    def report(
        self, error: BaseException, end_code: int | None = None, *, was_connected: bool = False
    ) -> None:
        """Record that the connection was lost, or could not be made.

        Args:
            error: the cause.
            end_code: reason code with which the broker ended the connection.
            was_connected: True if there was a connection.
        """
        reason = loss_text(error, end_code)
        if end_code == TAKEN_OVER:
            self.report_name_taken()
        elif self.is_name_taken and was_connected:
            return  # MQTT 3.1.1: the broker closes the connection without a reason code
        elif isinstance(error, ConnectionRefused):
            self._refused.report(reason)
            self._text = f"the broker refuses the connection: {reason}"
        elif isinstance(error, ConfigError):
            self._files.report(reason)
            self._text = f"the connection to the broker can't be made: {reason}"
        else:
            self._unreachable.report(reason)
            self._text = f"the broker can't be reached: {reason}"

    def report_name_taken(self) -> None:
        """Record that another client uses the same name."""
        self.is_name_taken = True
        self._name_taken.report("stop the other one, or give one of them another id")

    def clear(self, connected_s: float = 0.0) -> None:
        """Record that the connection works, and the time for which it has lasted [s]."""
        for fault in (self._unreachable, self._refused, self._files):
            fault.clear()
        self._text = ""
        if connected_s >= UNSHARED_S:
            self.is_name_taken = False
            self._name_taken.clear()

    def texts(self) -> list[str]:
        """Return the present faults, in sentences."""
        taken = f"another client uses the name {self._identifier}; they disconnect each other"
        return [*([self._text] if self._text else []), *([taken] if self.is_name_taken else [])]
