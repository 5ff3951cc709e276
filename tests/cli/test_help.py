"""Every command explains itself, with an example, in both languages."""

from collections.abc import Iterator

import click
import pytest

from jieneng.cli import jieneng
from tests.cli import run

pytestmark = pytest.mark.server


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("path", list(commands(jieneng)), ids=" ".join)
def test_a_command_has_help_and_an_example(path: tuple[str, ...]) -> None:
    context = click.Context(jieneng, info_name="jieneng")
    command: click.Command = jieneng
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
        context = click.Context(command, info_name=name, parent=context)
    text = command.get_help(context)
    assert command.help
    assert f"jieneng {' '.join(path)}" in text.split("Usage:", 1)[1].split("\n", 1)[1]
    silent = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
    assert not silent


def test_help_is_chinese_unless_asked_otherwise() -> None:
    assert "公共机构建筑" in run.jieneng("--help", language="zh").stdout
    assert "public buildings" in run.jieneng("--help", language="en").stdout
