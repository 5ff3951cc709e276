"""Provide the clock of a machine without a battery: 1970 until a file holds its start time."""

from pathlib import Path

from jieneng.clock import SystemClock


class FileClock(SystemClock):
    """The clock of one machine; processes with the same folder run on the same machine."""

    def __init__(self, folder: Path) -> None:
        self._start = folder / "start-ms"
        self._boot = folder / "machine-boot"

    def now_ms(self) -> int:
        """Return UTC as the machine shows it."""
        return self.up_ms() + int(_read(self._start) or 0)

    def machine_boot(self) -> str:
        """Return the boot id in the file, or the real one."""
        return _read(self._boot) or super().machine_boot()

    def set_start(self, start_ms: int) -> None:
        """Set the UTC time at which the machine started."""
        _write(self._start, str(start_ms))

    def unset(self) -> None:
        """Show 1970 again."""
        self._start.unlink(missing_ok=True)

    def restart_machine(self, name: str) -> None:
        """Pretend a restart of the machine; its running time continues."""
        _write(self._boot, name)


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except FileNotFoundError:
        return ""


def _write(file: Path, text: str) -> None:
    new = file.with_name(f"{file.name}-new")
    new.write_text(text)
    new.rename(file)
