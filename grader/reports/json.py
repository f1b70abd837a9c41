"""The scorecard as JSON, for programs: the schema is ``grader/scorecard.schema.json``."""

from __future__ import annotations

from grader.scorecard import Scorecard

SUFFIX = ".json"


def render(scorecard: Scorecard) -> str:
    """The scorecard as JSON text, checked against its schema; it ends in a newline and encodes as UTF-8.

    Raises:
        jsonschema.ValidationError: the scorecard breaks its own schema, which is a bug of ours.
    """
    # A student's message or file name may hold a lone surrogate, which has no UTF-8 form. Its
    # backslash form is JSON's own escape for it, so the text still parses to the same string.
    return scorecard.as_json().encode("utf-8", "backslashreplace").decode("utf-8")
