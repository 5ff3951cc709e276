"""A request of a poll and the quantities in its reply: the part common to all protocols.

Law: the poller knows a request only through these attributes. Its bytes are known to the form of
the model and to the implementation of the protocol.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Protocol


class Read(Protocol):
    """A request for some quantities of a meter, prepared once and sent many times."""

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of the quantities that the reply holds."""

    @property
    def decode(self) -> Callable[[bytes], tuple[float, ...]]:
        """Function from the reply's data bytes to as many values, in canonical units."""

    @property
    def request_key(self) -> Hashable:
        """Identity of the request: equal for reads that ask for the same, whatever ratios hold."""

    @property
    def reply_shape(self) -> Hashable:
        """Features of the reply; replies of equal shape can't be told apart."""

    @property
    def log_fields(self) -> Mapping[str, object]:
        """Fields that name the request in a log line."""
