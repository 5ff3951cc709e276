"""Define a planned request (read) with the quantities in its reply, for all protocols.

Law: the poller uses only these attributes of a request. Its bytes are determined by the form of the
model and by the implementation of the protocol.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Protocol


class Read(Protocol):
    """A request for some quantities of a meter, prepared once and sent many times."""

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of the quantities in the reply."""

    @property
    def decode(self) -> Callable[[bytes], tuple[float, ...]]:
        """Function that decodes the reply's data bytes to a value for each quantity."""

    @property
    def request_key(self) -> Hashable:
        """Identity of the request: equal for reads that differ only in transformer ratios."""

    @property
    def reply_shape(self) -> Hashable:
        """Features of the reply. Replies with equal shapes can't be distinguished."""

    @property
    def log_fields(self) -> Mapping[str, object]:
        """Fields that name the request in a log line."""
