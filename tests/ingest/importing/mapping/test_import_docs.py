"""docs/import.md has every option of the command and every key of the mapping."""

import re
from pathlib import Path

import msgspec

from ingest.importing.mapping.mapping_file import FileMapping, MappingFile
from jieneng import config_file
from jieneng.cli.import_commands import readings

PAGE = (Path(__file__).parents[4] / "docs" / "import.md").read_text(encoding="utf-8")


def test_every_option_is_explained() -> None:
    section = re.search(r"^### Options.*?(?=^### )", PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None
    explained = set(re.findall(r"`(--[a-z-]+)`", section[0]))
    options = {option for parameter in readings.params for option in parameter.opts}
    assert explained == {option for option in options if option.startswith("--")}


def test_every_key_is_explained_with_an_example_that_is_accepted() -> None:
    section = re.search(r"^### import.toml.*?(?=^### )", PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None
    rows = dict(re.findall(r"^\| `(\w+)` \| `(.+?)` \|", section[0], re.MULTILINE))
    assert set(rows) == set(FileMapping.__struct_fields__)
    for key, example in rows.items():
        document = config_file.parse(f"[[file]]\n{key} = {example}\n", "import.toml")
        (row,) = config_file.decode(document, MappingFile).file
        assert getattr(row, key) != getattr(FileMapping(), key), key


def test_the_example_is_accepted() -> None:
    example = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    found = config_file.decode(config_file.parse(example[1], "import.toml"), MappingFile)
    assert [msgspec.structs.asdict(row)["kind"] for row in found.file] == ["interval", None]
