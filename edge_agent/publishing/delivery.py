"""Time without an acknowledgement of published batches, and its cause. Pure.

Laws:

1. The time counts from the first batch published after the last acknowledgement, and goes on over
   lost connections. While nothing is published, and once the spool is empty, it is 0.
2. It is a fault after six time-outs, and at once if the broker refuses a batch.
3. The causes are those that the broker leaves open. In MQTT 5 it reports a refusal, and that nobody
   subscribes; in MQTT 3.1.1 a broker acknowledges messages that it drops.
"""

from typing import Final

from jieneng.mqtt import reason_codes

_FAULT_AFTER: Final = 6  # time-outs
_OPEN_CAUSES: Final = (
    "no ingest runs, or it waits for its store; or the broker drops the messages: without the right"
    " to publish to {topic} or to subscribe to it, above its size limit (the largest of these has"
    " {largest} bytes; max_message_bytes), or because it knows no shared subscriptions"
    " (share = false in ingest.toml)"
)
_UNHEARD: Final = "no ingest is connected to the broker"


class Delivery:
    """Record of published batches: acknowledged, or not.

    Attributes:
        unacknowledged_since_s: time since which nothing was acknowledged; None: all is well.
    """

    def __init__(self, ack_timeout_s: float, topic: str) -> None:
        self.unacknowledged_since_s: float | None = None
        self._fault_after_s = _FAULT_AFTER * ack_timeout_s
        self._topic = topic
        self._code = 0  # of the last batch published
        self._largest = 0

    def published(self, code: int, size_bytes: int, now_s: float) -> None:
        """Record a batch, and the reason code of the broker's answer."""
        if self.unacknowledged_since_s is None:
            self.unacknowledged_since_s, self._largest = now_s, 0
        self._code = code
        self._largest = max(self._largest, size_bytes)

    def acknowledged(self) -> None:
        """Record that a batch was acknowledged, or that no batch is left."""
        self.unacknowledged_since_s = None

    def unacknowledged_s(self, now_s: float) -> float:
        """Return for how long nothing was acknowledged [s]."""
        since_s = self.unacknowledged_since_s
        return 0.0 if since_s is None else max(now_s - since_s, 0.0)

    def cause(self, now_s: float) -> str:
        """Return why the lack of acknowledgements is a fault; "" if it is none."""
        if self.unacknowledged_since_s is None:
            return ""
        if reason_codes.is_refusal(self._code):
            return f"the broker refuses them: {reason_codes.reason_text(self._code)}"
        if self.unacknowledged_s(now_s) < self._fault_after_s:
            return ""
        if self._code == reason_codes.NO_SUBSCRIBERS:
            return _UNHEARD
        return _OPEN_CAUSES.format(topic=self._topic, largest=self._largest)
