"""The scorecard as JSON, for programs: the schema is ``grader/scorecard/scorecard.schema.json``."""

from __future__ import annotations

from grader.scorecard.model import Scorecard

SUFFIX = ".json"


def render(scorecard: Scorecard) -> str:
    """The scorecard as JSON text, checked against its schema; it ends in a newline and encodes as UTF-8.

    Raises:
        jsonschema.ValidationError: the scorecard breaks its own schema, which is a bug of ours.
    """
    return scorecard.to_json()
