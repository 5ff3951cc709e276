"""Find and read the settings files of a site's agents.

Laws:

1. `jieneng check` and `jieneng edge probe` read `agent.toml` and every `agent-....toml` beside
   `site.toml`.
2. An agent uses the settings file that names the agent. If there is none, it uses a file that names
   no agent: any such file if the site has only one agent; only `agent.toml` if the site has several
   agents, because `edge run --agent` and `up` read that file for all of them. If there is no such
   file either, it uses the defaults.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from jieneng.metering.errors import ConfigError, Problem

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from edge_agent.settings import AgentSettings
    from jieneng.metering.site import Site


class AgentFiles(NamedTuple):
    """The settings files of a site's agents.

    Attributes:
        settings: settings of each file without mistakes, by the name of the file.
        problems: the mistakes in the other files.
    """

    settings: Mapping[str, "AgentSettings"]
    problems: tuple[Problem, ...]

    def by_agent(self, site: "Site") -> dict[str, "AgentSettings"]:
        """Return the settings with which each agent runs, under its id.

        Agents that a file names and the site does not have are included.
        """
        from edge_agent.settings import SETTINGS_FILE, AgentHead, AgentSettings

        agents = sorted({bus.agent for bus in site.bus})
        shared = AgentSettings()
        for file, settings in self.settings.items():
            if settings.agent.id is None and (len(agents) == 1 or file == SETTINGS_FILE):
                shared = settings
        own = {one.agent.id: one for one in self.settings.values() if one.agent.id is not None}
        return {
            agent: msgspec.structs.replace(shared, agent=AgentHead(id=agent)) for agent in agents
        } | own

    def of_agent(self, agent: str, site: "Site") -> "AgentSettings":
        """Return the settings with which an agent of the site runs.

        Raises:
            ConfigError: a file that the agent may use has a mistake.
        """
        if not self.is_known(agent):
            raise ConfigError(self.problems)
        return self.by_agent(site)[agent]

    def is_known(self, agent: str) -> bool:
        """Return True if no file that the agent may use has a mistake."""
        return not self.problems or any(
            settings.agent.id == agent for settings in self.settings.values()
        )


def read_agent_files(site_dir: Path) -> AgentFiles:
    """Read the agents' files of a site folder."""
    from edge_agent.settings import SETTINGS_FILE, AgentSettings
    from jieneng.site_folder import read_settings

    settings: dict[str, AgentSettings] = {}
    problems = list[Problem]()
    for file in sorted(site_dir.glob("agent*.toml")) or [site_dir / SETTINGS_FILE]:
        try:
            settings[file.name] = read_settings(file, AgentSettings)
        except ConfigError as error:
            problems += error.problems
    return AgentFiles(settings, tuple(problems))
