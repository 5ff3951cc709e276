"""Find the settings files of a site's agents.

Law: `jieneng check` and `jieneng edge probe` look for the same files as a person would write them:
`agent.toml`, or one `agent-....toml` for each agent, beside `site.toml`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from edge_agent.settings import AgentSettings
    from jieneng.site_folder import SiteFolder


def agent_files(site_dir: Path) -> list[Path]:
    """Return the agents' files of a site folder; `agent.toml` if there are none."""
    return sorted(site_dir.glob("agent*.toml")) or [site_dir / "agent.toml"]


def agent_settings(folder: "SiteFolder", agent: str) -> "AgentSettings":
    """Return the settings with which an agent runs, or the defaults if it has no file.

    A file that names the agent takes precedence. Next comes a file that names no agent, if the site
    has this one only, and then `agent.toml`, which `edge run --agent` and `up` read for all.

    Raises:
        ConfigError: an agent's file is wrong.
    """
    from edge_agent.settings import SETTINGS_FILE, AgentSettings
    from jieneng.site_folder import read_settings

    is_only_agent = {bus.agent for bus in folder.site.bus} == {agent}
    chosen = AgentSettings()
    for file in agent_files(folder.path):
        settings = read_settings(file, AgentSettings)
        if settings.agent.id == agent:
            return settings
        if settings.agent.id is None and (is_only_agent or file.name == SETTINGS_FILE):
            chosen = settings
    return chosen
