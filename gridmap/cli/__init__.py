"""The command line: arguments over services. `main` is the console script `gridmap`."""

from gridmap.cli import coverage, files, ledger, people, quality, report, store
from gridmap.cli.common import root

for _commands in (
    store.COMMANDS,
    files.COMMANDS,
    quality.COMMANDS,
    coverage.COMMANDS,
    report.COMMANDS,
    people.COMMANDS,
    ledger.COMMANDS,
):
    for _command in _commands:
        root.add_command(_command)


def main() -> None:
    """Run the command that the process' arguments name."""
    root(prog_name="gridmap")


__all__ = ["main", "root"]
