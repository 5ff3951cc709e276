"""HTML and SVG elements as text.

Law: what is not `Html` is escaped, so the name of a meter can never become markup.
"""

import html
from collections.abc import Iterable
from typing import Final

_VOID: Final = frozenset({"meta", "br"})


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: str | float | None) -> Html:
    """An element.

    Args:
        name: of the element.
        children: `Html` as it is, other text escaped.
        attributes: those that are None are left out; `class_` is class, `data_label` data-label.
            Numbers are written to a hundredth (of a pixel).
    """
    opening = name + "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{opening}>" if name in _VOID else f"<{opening}>{join(children)}</{name}>")


def join(children: Iterable[str]) -> Html:
    """Children one after another; text among them is escaped."""
    return Html(
        "".join(child if isinstance(child, Html) else html.escape(child) for child in children)
    )


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
