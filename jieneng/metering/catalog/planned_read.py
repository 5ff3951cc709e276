"""One request of a poll, and what its reply says: the part that is the same for every protocol.

Law: whoever polls knows a request only through these attributes. What a request looks like in bytes
is between the model's form and the protocol's implementation.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Protocol


class Read(Protocol):
    """One request for some quantities of one meter, prepared once and asked many times."""

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
        """Everything by which a late reply could be told from another's: equal means it can't."""

    @property
    def log_fields(self) -> Mapping[str, object]:
        """Fields that name the request in a log line."""
