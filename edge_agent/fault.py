"""A fault is said once when it begins and once when it ends, however often it happens between."""

from typing import Final

from jieneng.observe import Log


class Fault:
    """One thing that can be wrong for a while."""

    def __init__(self, log: Log, name: str, *, after: int = 1, **context: object) -> None:
        """Name it, as in `broker unreachable`.

        Args:
            log: where it is said.
            name: of the fault; its end is said as `<name>: over`.
            after: how often in a row it has to happen to be one.
            context: what is to stand in both lines.
        """
        self._log: Final = log
        self._name: Final = name
        self._after: Final = after
        self._context: Final = context
        self.times = 0

    def happened(self, reason: object, **evidence: object) -> None:
        """It is so, again."""
        self.times += 1
        if self.times == self._after:
            self._log.warning(self._name, reason=str(reason), **self._context, **evidence)

    def over(self) -> None:
        """It is not, or no longer."""
        if self.times >= self._after:
            self._log.info(f"{self._name}: over", times=self.times, **self._context)
        self.times = 0
