"""Check messages against the current files of the site.

Laws:

1. Before a message is refused because of the site's files, the files are read again if they have
   changed. So a new meter needs no restart, and none of its readings is lost.
2. If the changed files contain a mistake, the previous version of the site stays in use. The
   mistake is logged once.
3. While the clock of this machine is not set, no sample is refused for being in the future.
"""

from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

from ingest.admission.admission_rules import SITE_REASONS
from ingest.admission.message_checker import CheckedMessage, MessageChecker
from jieneng.clock import Clock
from jieneng.metering.errors import ConfigError
from jieneng.metering.site import Site
from jieneng.observe import Log, LoggedFault
from jieneng.site_folder import SITE_FILE, SiteFolder, load

#: Shortest time between two checks of the files for changes [s].
_LOOK_S: Final = 1.0
#: Current time to assume while the clock is not set: later than any sample [ms].
_NEVER_MS: Final = 2**52

#: Time of change and size of each file, by name.
_Fingerprint: TypeAlias = dict[str, tuple[int, int]]


class CurrentChecker:
    """A `MessageChecker` that follows the site's files.

    Args:
        folder: the site as it was read.
        clock: clock of the ingest.
        log: logger of the ingest.
    """

    def __init__(self, folder: SiteFolder, clock: Clock, log: Log) -> None:
        self._path = folder.path
        self._site = folder.site
        self._checker = MessageChecker(folder.site, folder.models)
        self._clock = clock
        self._log = log
        self._fault = LoggedFault(log, "site can't be read again")
        self._seen = _fingerprint(self._path)
        self._looked_s = clock.monotonic()

    @property
    def site(self) -> Site:
        """The site, from its files as they were last read."""
        return self._site

    def check(self, topic: str, payload: bytes) -> CheckedMessage:
        """Return the outcome for a message that arrives now."""
        now_ms = self._clock.now_ms()
        checked = self._checker.check(topic, payload, now_ms)
        if not checked.to_quarantine:
            return checked
        reasons = {item.reason for item in checked.to_quarantine}
        if not reasons.isdisjoint(SITE_REASONS) and self._reload():
            checked = self._checker.check(topic, payload, now_ms)
        if "future" in reasons and not self._clock.is_set():
            checked = self._checker.check(topic, payload, _NEVER_MS)
        return checked

    def _reload(self) -> bool:
        """Read the site again if its files have changed. Return True if it was read."""
        if self._clock.monotonic() - self._looked_s < _LOOK_S:
            return False
        self._looked_s = self._clock.monotonic()
        found = _fingerprint(self._path)
        if found == self._seen:
            return False
        self._seen = found
        try:
            folder = load(self._path)
        except ConfigError as error:
            self._fault.report(error)
            return False
        if folder.site.id != self._site.id:
            self._fault.report("its id has changed, which needs a restart")
            return False
        self._fault.clear()
        self._site = folder.site
        self._checker = MessageChecker(folder.site, folder.models)
        self._log.info("site was read again", meters=len(folder.site.meter))
        return True


def _fingerprint(path: Path) -> _Fingerprint:
    """Return time of change and size of each of the site's files; empty if there is no site."""
    if not (path / SITE_FILE).exists():
        return {}
    found = {}
    for file in (*path.glob("*.toml"), *path.glob("models/*.toml")):
        with suppress(OSError):  # it is being replaced
            state = file.stat()
            found[str(file)] = (state.st_mtime_ns, state.st_size)
    return found
