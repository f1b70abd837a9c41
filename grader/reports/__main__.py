"""``python -m grader.reports KIND SCORECARD.json...`` makes a report of stored scorecards.

It goes to the standard output. Neither torch nor the command line is loaded, so a job that only posts results
can install little and start quickly. The scorecards are taken for untrusted: each is checked against the
schema first.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from grader.reports import stored
from grader.reports.context import ReportContext, ReportError
from grader.reports.kinds import kinds
from grader.reports.wording import visible
from grader.scorecard.model import Scorecard


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a report.

    Returns:
        The exit status: 0 done, 2 a scorecard or an argument is not as it should be.
    """
    options = _parser().parse_args(arguments)
    try:
        cards = [_card(path) for path in sorted(options.scorecards)]
        text = kinds()[options.kind].render(cards, ReportContext(environment=os.environ))
    except ReportError as error:
        sys.stderr.write(f"grader.reports: {' '.join(str(error).split())}\n")
        return 2
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    return 0


def _card(path: Path) -> Scorecard:
    """The scorecard in a file.

    Raises:
        ReportError: there is none; the message names the file.
    """
    try:
        return stored.load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        found = f"a file that cannot be read: {type(error).__name__}"
        raise ReportError(f"{visible(str(path))}: expected a scorecard, found {found}") from error
    except ReportError as error:
        raise ReportError(f"{visible(str(path))}: {error}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("grader.reports", description="Make a report of stored scorecards.")
    parser.add_argument("kind", choices=kinds(), help="what to make")
    parser.add_argument(
        "scorecards", nargs="+", type=Path, metavar="SCORECARD.json", help="what `grade` wrote"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
