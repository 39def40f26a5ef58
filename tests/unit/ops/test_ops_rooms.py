"""Other rooms' subcommands: only what is called is imported, and what is not installed says how to get it."""

from importlib.metadata import EntryPoint

import pytest
import typer
from typer.testing import CliRunner

from ops.rooms import GROUP, add_room, wanted

AGENT = EntryPoint("agent", "agent.__main__:cli", GROUP)
MISSING = EntryPoint("controller", "a_package_that_is_nowhere.web:cli", GROUP)
POINTS = [AGENT, MISSING]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], POINTS),
        (["--help"], POINTS),
        (["agent", "run"], [AGENT]),
        (["status"], []),
        (["deploy", "a/b", "agent"], []),
    ],
)
def test_only_the_room_that_is_called_is_imported(arguments: list[str], expected: list[EntryPoint]) -> None:
    assert wanted(POINTS, arguments) == expected


@pytest.mark.parametrize("words", [["controller"], ["controller", "run", "--port", "8080"], ["controller", "--help"]])
def test_a_room_that_is_not_installed_says_what_to_install(words: list[str]) -> None:
    cli = typer.Typer()
    add_room(cli, MISSING)
    cli.command("other")(lambda: None)
    ran = CliRunner().invoke(cli, words)
    assert ran.exit_code == 2
    assert "pip install 'millwright[controller]'" in ran.output
    assert "a_package_that_is_nowhere" in ran.output


def test_a_room_that_is_not_installed_is_listed_with_what_to_install() -> None:
    cli = typer.Typer(rich_markup_mode="rich")
    add_room(cli, MISSING)
    cli.command("other")(lambda: None)
    listed = CliRunner().invoke(cli, ["--help"]).output
    assert "pip install 'millwright[controller]'" in " ".join(listed.split())
