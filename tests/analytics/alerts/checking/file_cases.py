"""Cases of a text file: a title, the text of a configuration, and the sentences about it."""

from pathlib import Path


def file_cases(name: str) -> dict[str, tuple[str, str]]:
    """Return (configuration, sentences) of each case of a file beside this module, by title."""
    cases = {}
    for case in (Path(__file__).parent / name).read_text("utf-8").split("### ")[1:]:
        title, rest = case.split("\n", 1)
        text, sentences = rest.split("--- says\n")
        cases[title] = text, sentences.strip()
    return cases
