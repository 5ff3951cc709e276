"""Measure the time without acknowledgements of published batches, and name possible causes. Pure.

Laws:

1. The time counts from the first batch published after the last acknowledgement. Lost connections
   do not reset it. It is 0 while no batch is published, and once the spool is empty.
2. A missing acknowledgement is a fault after six time-outs; at once if the broker refuses a batch.
3. The text of the fault lists the causes that are possible. An MQTT 5 broker reports if it refuses
   a message, and if there is no subscriber. An MQTT 3.1.1 broker confirms even messages that it
   drops, so more causes are possible.
"""

from typing import Final

from jieneng.mqtt import reason_codes

_FAULT_AFTER: Final = 6  # time-outs without an acknowledgement after which it is a fault
_POSSIBLE_CAUSES: Final = (
    "no ingest runs; or the ingest waits for its store; or the broker drops the messages, because"
    " agent or ingest has no access to {topic}, because of its size limit"
    " (max_message_bytes; the largest message has {largest} bytes), or because it does not support"
    " shared subscriptions (then set share = false in ingest.toml)"
)
_NO_SUBSCRIBER: Final = "no ingest is connected to the broker"


class Delivery:
    """Records publications and acknowledgements.

    Attributes:
        unacknowledged_since_s: time of the first batch published since the last acknowledgement;
            None if there is no such batch.
    """

    def __init__(self, ack_timeout_s: float, topic: str) -> None:
        self.unacknowledged_since_s: float | None = None
        self._fault_after_s = _FAULT_AFTER * ack_timeout_s
        self._topic = topic
        self._code = 0  # the broker's reason code for the last published batch
        self._largest = 0

    def published(self, code: int, size_bytes: int, now_s: float) -> None:
        """Record a published batch, and the reason code in the broker's answer."""
        if self.unacknowledged_since_s is None:
            self.unacknowledged_since_s, self._largest = now_s, 0
        self._code = code
        self._largest = max(self._largest, size_bytes)

    def acknowledged(self) -> None:
        """Record that a batch was acknowledged, or that no batch is left."""
        self.unacknowledged_since_s = None

    def unacknowledged_s(self, now_s: float) -> float:
        """Return the time for which published batches have not been acknowledged [s]."""
        since_s = self.unacknowledged_since_s
        return 0.0 if since_s is None else max(now_s - since_s, 0.0)

    def cause(self, now_s: float) -> str:
        """Return the possible causes of missing acknowledgements; "" if there is no fault yet."""
        if self.unacknowledged_since_s is None:
            return ""
        if reason_codes.is_refusal(self._code):
            return f"the broker refuses them: {reason_codes.reason_text(self._code)}"
        if self.unacknowledged_s(now_s) < self._fault_after_s:
            return ""
        if self._code == reason_codes.NO_SUBSCRIBERS:
            return _NO_SUBSCRIBER
        return _POSSIBLE_CAUSES.format(topic=self._topic, largest=self._largest)
