"""Counts of batches that were published, as `/metrics` shows them."""

import msgspec


class PublishCounts(msgspec.Struct):
    """Counts of batches since the agent started.

    Attributes:
        published: handed to the broker, resends included.
        acked: removed from the spool on the ingest's acknowledgement.
        quarantined: of those, set aside by the ingest.
        parked: given up their place, because later ones were acknowledged and they were not.
        connected: True while there is a connection to a broker.
    """

    published: int = 0
    acked: int = 0
    quarantined: int = 0
    parked: int = 0
    connected: bool = False
