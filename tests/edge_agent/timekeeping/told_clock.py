"""The clock of a box without a battery: it shows 1970 until a file says what time it is."""

from pathlib import Path

from jieneng.clock import SystemClock


class ToldClock(SystemClock):
    """Processes that are given the same folder run on the same box."""

    def __init__(self, folder: Path) -> None:
        self._start = folder / "start-ms"
        self._boot = folder / "machine-boot"

    def now_ms(self) -> int:
        """UTC, or what the box takes for it."""
        return self.up_ms() + int(_said(self._start) or 0)

    def machine_boot(self) -> str:
        """As the file says, where it does."""
        return _said(self._boot) or super().machine_boot()

    def tell(self, start_ms: int) -> None:
        """When the box started, UTC."""
        _say(self._start, str(start_ms))

    def forget(self) -> None:
        """1970 again."""
        self._start.unlink(missing_ok=True)

    def start_machine(self, name: str) -> None:
        """The box starts again, as far as an agent can see. Its running time goes on here."""
        _say(self._boot, name)


def _said(file: Path) -> str:
    try:
        return file.read_text()
    except FileNotFoundError:
        return ""


def _say(file: Path, text: str) -> None:
    new = file.with_name(f"{file.name}-new")
    new.write_text(text)
    new.rename(file)
