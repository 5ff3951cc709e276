"""Build HTML and SVG elements as text.

Law: text that is not `Html` is escaped, so the name of a meter never becomes markup.
"""

import html
from collections.abc import Iterable
from typing import Final

_VOID: Final = frozenset({"meta", "br"})


class Html(str):
    """Text that is already markup."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: str | float | None) -> Html:
    """Return an element.

    Args:
        name: name of the element.
        children: content; text that is not `Html` is escaped.
        attributes: attributes; those that are None are left out. `class_` becomes `class`, and
            `data_label` becomes `data-label`. Numbers have two decimals at most.
    """
    opening = name + "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{opening}>" if name in _VOID else f"<{opening}>{join(children)}</{name}>")


def join(children: Iterable[str]) -> Html:
    """Return children one after another; text that is not `Html` is escaped."""
    return Html(
        "".join(child if isinstance(child, Html) else html.escape(child) for child in children)
    )


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
