"""The consumers of reports, as far as their published formats say what they take."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt

from tests.reports.builders import HOSTILE

FORMATS = Path(__file__).parent / "formats"

TOKENS = (
    "::", "##[", "]", "error", "::error::x", "::stop-commands::t", "##[add-mask]x", "::set-output name=a::b",
    "%0A", "%25", "%", "\n", "\r", "\r\n", "\u2028", "\x85", "\t", " ", ",", ";", ":", "=", "'", '"', "|",
    "\\", "`", "``", "*", "_", "~~", "$", "^", "@everyone", "@a/b", "#1", "GH-1", "a@b.example",
    "http://a.example", "www.a.example", "<img src=x onerror=a>", "<!--", "-->", "]]>", "&amp;", "&#64;",
    "[a](b)", "![a](b)", "# ", "- ", "=cmd|'/c calc'!A1", "+1", "-1", "@SUM(1)", "＝1", "\x00", "\x1b[31m",
    "\ufeff", "\ufffe", "\ud800", "\u202e", "EOF", "score=100", "é", "中", "🙂",
)  # fmt: skip

texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=30),
    st.lists(st.sampled_from(TOKENS), max_size=8).map("".join),
)
"""What a student may write, or have the grader quote."""


def flaws(schema: str, document: str) -> list[str]:
    """Where a JSON text breaks a published format."""
    parsed = json.loads(document.encode("utf-8").decode("utf-8"))
    described = json.loads((FORMATS / f"{schema}.schema.json").read_text("utf-8"))
    return [error.message for error in Draft202012Validator(described).iter_errors(parsed)]


def junit(document: str) -> ElementTree.Element:
    """A JUnit document, read as Jenkins would, every element and attribute in its place."""
    grammar = json.loads((FORMATS / "junit.json").read_text("utf-8"))
    root = ElementTree.fromstring(document.encode("utf-8"))
    assert root.tag == "testsuites"
    for element in root.iter():
        rule = grammar["elements"][element.tag]
        assert {child.tag for child in element} <= set(rule["children"]), element.tag
        assert set(rule["required"]) <= set(element.attrib) <= {*rule["required"], *rule["optional"]}, (
            element.tag
        )
        assert rule["text"] or not (element.text or "").strip(), element.tag
        assert re.fullmatch(grammar["time"], element.get("time", ""))
    return root


@dataclass
class Runner:
    """What GitHub's runner makes of a step's output.

    Source: https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs (what is a command,
    and how it is unescaped) and .../src/Runner.Worker/ActionCommandManager.cs (stopping and resuming).
    """

    known: set[str] = field(
        default_factory=lambda: {
            "stop-commands",
            "error",
            "warning",
            "notice",
            "debug",
            "group",
            "endgroup",
            "add-mask",
            "add-path",
            "set-env",
            "set-output",
            "save-state",
            "echo",
            "add-matcher",
            "remove-matcher",
        }
    )
    stopped: str | None = None

    def read(self, output: str) -> list[tuple[str, dict[str, str], str]]:
        """The commands that are obeyed: name, properties, message."""
        found = (self._line(line) for line in re.split(r"\r\n|\r|\n", output))
        return [command for command in found if command is not None]

    def _line(self, line: str) -> tuple[str, dict[str, str], str] | None:
        command = self._new(line) or self._old(line)
        if command is None:
            return None
        name, _, data = command
        if self.stopped is not None:
            if name.lower() == self.stopped.lower():
                self.stopped = None
            return None
        if name.lower() == "stop-commands":
            self.stopped = data
        return command

    def _obeyed(self, name: str) -> bool:
        return name.lower() in self.known or (
            self.stopped is not None and name.lower() == self.stopped.lower()
        )

    def _new(self, line: str) -> tuple[str, dict[str, str], str] | None:
        line = line.lstrip()  # .NET's TrimStart takes Unicode blanks, too
        end = line.find("::", 2)
        if not line.startswith("::") or end < 0:
            return None
        name, _, told = line[2:end].partition(" ")
        if not self._obeyed(name):
            return None
        pairs = [pair.split("=", 1) for pair in told.strip().split(",") if pair]
        swaps = (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))
        properties = {p[0]: _unescaped(p[1], swaps) for p in pairs if len(p) == 2 and all(p)}
        return name, properties, _unescaped(line[end + 2 :], (swaps[0], swaps[1], swaps[4]))

    def _old(self, line: str) -> tuple[str, dict[str, str], str] | None:
        start = line.find("##[")
        end = line.find("]", start)
        if start < 0 or end < 0:
            return None
        name = line[start + 3 : end].partition(" ")[0]
        return (name, {}, line[end + 1 :]) if self._obeyed(name) else None


def _unescaped(text: str, swaps: tuple[tuple[str, str], ...]) -> str:
    for old, new in swaps:
        text = text.replace(old, new)
    return text


@dataclass
class Rendered(HTMLParser):
    """Markdown as GitHub's parser would render it, but for GitHub's own marks."""

    source: str
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
        self.feed(parser.render(self.source))
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "code":
            self.codes.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data
        if "code" in self._open:
            self.codes[-1] += data

    @property
    def text(self) -> str:
        """What a reader sees."""
        return "".join(self.words)


def table(text: str, delimiter: str = ",") -> list[list[str]]:
    """A CSV text as a spreadsheet reads it."""
    return list(
        csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter, strict=True)
    )


def canvas(text: str) -> list[dict[str, str]]:
    """The students of a gradebook, if Canvas takes it.

    Source: https://github.com/instructure/canvas-lms/blob/master/lib/gradebook_importer.rb
    (``row_has_student_headers?``, ``header?``, ``check_for_non_student_row``).
    """
    header, *rows = table(text)
    assert len(header) > 3
    assert "Student" in header[0]
    assert "ID" in header[1]
    assert re.search(r"SIS\s+User\s+ID", header[2]) and re.search(r"SIS\s+Login\s+ID", header[3])
    assert "Section" in header[4]
    students = [row for row in rows if "Points Possible" not in row[0]]
    assert all(len(row) == len(header) for row in rows)
    return [dict(zip(header, row, strict=True)) for row in students]


def moodle(text: str, identity: str) -> dict[str, dict[str, Any]]:
    """The rows of a gradebook by the field that Moodle is told to match on, if Moodle takes it.

    Source: https://github.com/moodle/moodle/blob/main/grade/import/csv/classes/load_data.php
    (``update_grade_item``: a grade is empty, ``-`` or a number).
    """
    header, *rows = table(text)
    found = {}
    for row in rows:
        record = dict(zip(header, row, strict=True))
        found[record[identity]] = record
    return found
