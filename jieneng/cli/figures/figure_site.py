"""Read what the commands of figures need of a site."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from analytics.settings import AnalyticsSettings
    from jieneng.locale import Translate
    from jieneng.locale.finding_text import Labels
    from jieneng.site_folder import SiteFolder


class FigureSite(NamedTuple):
    """A site whose figures are printed.

    Attributes:
        folder: the site.
        settings: settings of the analytics.
        tr: function that translates into the language of the reader.
        names: names of the site's meters, areas and institutions.
    """

    folder: "SiteFolder"
    settings: "AnalyticsSettings"
    tr: "Translate"
    names: "Labels"


def read_figure_site(site_dir: Path, config_file: Path) -> FigureSite:
    """Return a site, with its settings of the analytics and the language of the reader.

    Args:
        site_dir: folder of the site.
        config_file: settings of the analytics, relative to the folder.

    Raises:
        ConfigError: lists all mistakes in the site or in the settings.
    """
    from analytics.settings import AnalyticsSettings
    from jieneng.locale import preferred, translator
    from jieneng.locale.finding_text import labels
    from jieneng.site_folder import load, read_settings

    folder = load(site_dir)
    settings = read_settings(site_dir / config_file, AnalyticsSettings)
    tr = translator(preferred(folder.site.site.language))
    return FigureSite(folder, settings, tr, labels(folder.site))
