"""Workflows and actions for the tests: a reader of their YAML, and a runner of their steps."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Lines = list[tuple[int, str]]


def read(text: str) -> Any:
    """The value of a YAML document of the plain kind that workflows are.

    Mappings and lists by indentation, ``|`` blocks, quoted and plain scalars (all strings), ``[a, b]`` and
    ``{}``. Anything else is refused, so that nothing is read wrongly in silence.
    """
    lines = [(len(line) - len(line.lstrip(" ")), line.strip()) for line in text.splitlines()]
    value, rest = _block([*lines, (-1, "")], 0)
    assert not [line for _, line in rest if line], rest
    return value


def _block(lines: Lines, indent: int) -> tuple[Any, Lines]:
    lines = _skip(lines)
    if lines[0][1].startswith("- ") and lines[0][0] == indent:
        return _list(lines, indent)
    return _mapping(lines, indent)


def _skip(lines: Lines) -> Lines:
    while len(lines) > 1 and (not lines[0][1] or lines[0][1].startswith("#")):
        lines = lines[1:]
    return lines


def _list(lines: Lines, indent: int) -> tuple[list[Any], Lines]:
    items = []
    while (lines := _skip(lines))[0][0] == indent and lines[0][1].startswith("- "):
        inner = lines[0][1][2:].lstrip()
        if re.match(r"[\w-]+:( |$)", inner):
            item, lines = _mapping([(indent + 2, inner), *lines[1:]], indent + 2)
        else:
            item, lines = _scalar(inner), lines[1:]
        items.append(item)
    return items, lines


def _mapping(lines: Lines, indent: int) -> tuple[dict[str, Any], Lines]:
    found: dict[str, Any] = {}
    while (lines := _skip(lines))[0][0] == indent and lines[0][1]:
        match = re.fullmatch(r"([\w-]+):(?:\s+(.*))?", lines[0][1])
        assert match, lines[0]
        key, told = match[1], match[2] or ""
        assert key not in found, f"{key} twice"
        lines = lines[1:]
        if told == "|":
            found[key], lines = _literal(lines, indent)
        elif told and not told.startswith("#"):
            found[key] = _scalar(told)
        else:
            following = _skip(lines)
            if following[0][0] > indent or (following[0][0] == indent and following[0][1].startswith("- ")):
                found[key], lines = _block(lines, following[0][0])
            else:
                found[key] = None
    return found, lines


def _literal(lines: Lines, indent: int) -> tuple[str, Lines]:
    taken = []
    while len(lines) > 1 and (not lines[0][1] or lines[0][0] > indent):
        taken.append(lines[0])
        lines = lines[1:]
    margin = min(depth for depth, line in taken if line)
    return "".join(f"{' ' * (depth - margin)}{line}\n" for depth, line in taken).rstrip("\n") + "\n", lines


def _scalar(text: str) -> Any:
    if text[0] == '"' and text[-1] == '"' and "\\" not in text:
        return text[1:-1]
    if text[0] == "[" and text[-1] == "]":
        return [_scalar(part.strip()) for part in text[1:-1].split(",")]
    if text == "{}":
        return {}
    assert text[0] not in "'\"[{&*!|>%@`", f"not read here: {text}"
    assert " #" not in text and ": " not in text, f"not read here: {text}"
    return text


@dataclass
class Job:
    """A job on a runner of our own: its folders, and what its steps said."""

    workspace: Path
    temp: Path
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, step: Mapping[str, Any], **known: str) -> subprocess.CompletedProcess[str]:
        """Run one ``run`` step as the runner does, and keep its outputs.

        Args:
            step: as it was read.
            known: values of further expressions, by their text with ``_`` for what is no letter or digit.
        """
        assert step["shell"] == "bash"
        script, output, summary = self.temp / "step.sh", self.temp / "output", self.summary
        script.write_text(step["run"], "utf-8")
        output.write_text("", "utf-8")
        variables = {name: self._value(str(told), known) for name, told in (step.get("env") or {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", script],
            cwd=self.workspace,
            env={
                **os.environ,
                "RUNNER_TEMP": str(self.temp),
                "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(summary),
                **self.environment,
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if "id" in step:
            told = (line.partition("=") for line in output.read_text("utf-8").splitlines())
            self.outputs[step["id"]] = {name: value for name, _, value in told}
        return done

    @property
    def summary(self) -> Path:
        """The file of the step's summary."""
        return self.temp / "summary.md"

    def _value(self, told: str, known: Mapping[str, str]) -> str:
        return re.sub(r"\$\{\{ *(.+?) *\}\}", lambda found: self._expression(found[1], known), told)

    def _expression(self, text: str, known: Mapping[str, str]) -> str:
        if match := re.fullmatch(r"inputs\.([\w-]+)", text):
            return self.inputs[match[1]]
        if match := re.fullmatch(r"steps\.([\w-]+)\.outputs\.([\w-]+)", text):
            return self.outputs[match[1]].get(match[2], "")
        return known[re.sub(r"\W", "_", text)]


def steps(runs: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The steps by name."""
    return {str(step["name"]): step for step in runs}
