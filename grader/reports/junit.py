"""JUnit XML, which Jenkins, GitLab, Azure and most other build servers show: one suite per exercise.

A gradient is a test case. An answer that is not right is a ``failure``: a wrong value, shape or type, a
forbidden call, and also a stub that is still to be written, because a template nobody has touched must not
look green. What kept an answer from coming is an ``error``: an exception, a time limit, a crash, and the
grader's own fault. Only a check that never ran is ``skipped``; it says nothing about the student.

Source: the schema of Jenkins' xUnit plugin, which pytest validates its own report with, too,
https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from grader.reports.context import ReportContext
from grader.reports.wording import LOOKS, number, one_line, points, reason, visible
from grader.scorecard.model import ExerciseResult, Gradient, Outcome, Scorecard

KIND = "junit"

ELEMENTS: Mapping[Outcome, str] = MappingProxyType(
    {
        Outcome.WRONG_VALUE: "failure",
        Outcome.WRONG_SHAPE: "failure",
        Outcome.WRONG_DTYPE: "failure",
        Outcome.NOT_FINITE: "failure",
        Outcome.NOT_A_TENSOR: "failure",
        Outcome.MISSING: "failure",
        Outcome.FORBIDDEN: "failure",
        Outcome.ERROR: "error",
        Outcome.TIMED_OUT: "error",
        Outcome.OUT_OF_MEMORY: "error",
        Outcome.CRASHED: "error",
        Outcome.GRADER_FAULT: "error",
        Outcome.NOT_RUN: "skipped",
    }
)
"""The element that tells an outcome; the outcomes that score have none."""


def render(scorecards: Sequence[Scorecard], context: ReportContext) -> str:
    """The scorecards as one JUnit document.

    Args:
        scorecards: what to report.
        context: the run took ``seconds``; nothing else is read.

    Returns:
        XML of version 1.0, in which a character that XML cannot hold is written as its picture or its code
        point.
    """
    suites = [_suite(card, exercise) for card in scorecards for exercise in card.exercises]
    totals = _counts(gradient for card in scorecards for e in card.exercises for gradient in e.gradients)
    root = Element("testsuites", {"name": "grade", "time": f"{context.seconds:.6f}", **totals})
    del root.attrib["skipped"]  # the schema has it on suites only
    root.extend(suites)
    ElementTree.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def _suite(card: Scorecard, exercise: ExerciseResult) -> Element:
    name, seconds = one_line(card.submission.name), sum(g.seconds for g in exercise.gradients)
    suite = Element("testsuite", {"name": f"{name}: {one_line(exercise.id)}", "time": f"{seconds:.6f}"})
    suite.attrib |= _counts(exercise.gradients)
    properties = SubElement(suite, "properties")
    for key, value in (("score", f"{exercise.score:g}"), ("max_score", f"{exercise.max_score:g}")):
        SubElement(properties, "property", {"name": key, "value": value})
    suite.extend(_case(f"{name}.{one_line(exercise.id)}", gradient) for gradient in exercise.gradients)
    return suite


def _counts(gradients: Iterable[Gradient]) -> dict[str, str]:
    found = Counter(ELEMENTS.get(gradient.outcome, "passed") for gradient in gradients)
    names = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    return {"tests": str(found.total()), **{plural: str(found[name]) for plural, name in names.items()}}


def _case(classname: str, gradient: Gradient) -> Element:
    case = Element("testcase", {"name": one_line(gradient.name), "classname": classname})
    case.set("time", f"{gradient.seconds:.6f}")
    if gradient.outcome in ELEMENTS:
        why = reason(gradient) or LOOKS[gradient.outcome].phrase
        kind = {"type": str(gradient.outcome), "message": one_line(why)}
        SubElement(case, ELEMENTS[gradient.outcome], kind).text = _details(gradient)
    if gradient.output:
        SubElement(case, "system-out").text = visible(gradient.output)
    return case


def _details(gradient: Gradient) -> str:
    hint, fault = gradient.hint, gradient.error
    lines = [
        f"{gradient.name} {LOOKS[gradient.outcome].phrase} ({points(gradient.score, gradient.max_score)})"
    ]
    lines += [hint.message] if hint is not None else []
    lines += [f"forward pass: {hint.forward_line}"] if hint is not None and hint.forward_line else []
    lines += [*fault.traceback, f"{fault.type}: {fault.message}"] if fault is not None else []
    lines += [f"max diff: {number(gradient.max_abs_diff)}"] if gradient.max_abs_diff is not None else []
    return visible("\n".join([*lines, *gradient.notes]))
