"""What all commands share: the root, how answers and refusals are printed, the exit codes, progress."""

from __future__ import annotations

import functools
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from sqlalchemy.exc import DBAPIError

import gridmap
from gridmap.domain.roles import Role, User
from gridmap.errors import GridmapError, StateConflict, Unavailable
from gridmap.services.district import District, open_district
from gridmap.services.problems import problem
from gridmap.settings import load_settings

REFUSED = 1

# Whoever can run the command line owns the files; the history says where the change came from.
OPERATOR = User("cli", "命令行", Role.ADMIN, area=frozenset({"*"}))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(gridmap.__version__, prog_name="gridmap")
def root() -> None:
    """
    gridmap (警务网格一张图): the map that a district's community police keep together.

    Exit codes: 0 done, 1 refused with a report, 2 wrong usage. The database is GRIDMAP_DATABASE_URL.
    """


def say(text: str) -> None:
    """A message for the person at the terminal: stderr, so that stdout stays one answer."""
    click.echo(text, err=True)


def answer(document: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    """The command's answer: one JSON document, or text for a person."""
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False, indent=2, default=str))
    elif text:
        click.echo(text)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")(command)


def refusals(command: Callable[..., Any]) -> Callable[..., Any]:
    """Print what gridmap refuses (Chinese and English) and end with exit code 1, instead of a traceback."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> Any:
        try:
            return command(*args, **options)
        except GridmapError as error:
            if options.get("as_json"):
                click.echo(json.dumps(problem(error), ensure_ascii=False, indent=2, default=str))
            say(f"未完成:{error.chinese()}\n{error}")
            sys.exit(REFUSED)
        except (OSError, DBAPIError, sqlite3.Error) as error:
            refused = _beyond(error)
            if options.get("as_json"):
                click.echo(json.dumps(problem(refused), ensure_ascii=False, indent=2, default=str))
            say(f"未完成:{refused.chinese()}\n{refused}")
            sys.exit(REFUSED)

    return run


def _beyond(error: OSError | DBAPIError | sqlite3.Error) -> GridmapError:
    """What a file or the database refused, in our words."""
    if isinstance(error, OSError):
        name, why = error.filename or "", error.strerror or str(error)
        return StateConflict(
            f"{name}: {why}", zh=f"无法读写“{name}”:{why}。请检查路径和权限。", path=str(name)
        )
    why = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    return Unavailable(
        f"the database does not answer as it should: {why}",
        zh=f"数据库无法使用:{why}。请运行 gridmap doctor 检查。",
    )


@contextmanager
def opened() -> Iterator[District]:
    """The district of the environment, for the time of one command."""
    district = open_district(load_settings())
    try:
        yield district
    finally:
        district.close()


@contextmanager
def progress(label: str) -> Iterator[Callable[[float, str], None]]:
    """A progress bar on stderr where that is a terminal; a function that takes a share and a sentence."""
    if not sys.stderr.isatty():
        yield lambda share, message: None
        return
    with click.progressbar(length=1000, label=label, file=sys.stderr, item_show_func=lambda one: one) as bar:

        def tell(share: float, message: str) -> None:
            bar.update(round(share * 1000) - bar.pos, message)

        yield tell
