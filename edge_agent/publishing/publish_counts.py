"""Counts of published batches, for `/metrics`."""

import msgspec


class PublishCounts(msgspec.Struct):
    """Counts of batches since the agent started.

    Attributes:
        published: batches handed to the broker; a batch that is sent again counts again.
        acked: batches removed from the spool because the ingest acknowledged them.
        quarantined: acknowledged batches that the ingest has quarantined.
        parked: batches that are now sent only at long intervals, because later batches were
            acknowledged and these were not.
        connected: True while there is a connection to a broker.
    """

    published: int = 0
    acked: int = 0
    quarantined: int = 0
    parked: int = 0
    connected: bool = False
