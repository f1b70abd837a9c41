"""Tells whose a file of a class is by its name alone, in the one way of the system that made the archive.

====================  ==================================================================
Moodle                ``Ada Lovelace_12345_assignsubmission_file_/ex1_step_by_step.py``,
                      or folder and file in one name
Canvas                ``lovelaceada_LATE_340934_208490284_ex1_step_by_step-1.py``
Gradescope            ``assignment_1_export/submission_2/ex1_step_by_step.py``, and in
                      ``assignment_1_export/submission_metadata.yml`` who that is
others                a folder per student, or ``name_ex1_step_by_step.py``
====================  ==================================================================

A name is looked at only where the class lies: deeper down, names are the students' own, and must not be able to
make their work somebody else's.
"""

from __future__ import annotations

import logging
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import PurePosixPath
from typing import Any, ClassVar

import yaml

from grader.submissions import archive
from grader.submissions.collect import exercise_of, exercise_of_stem
from grader.submissions.files import FoundFile
from grader.submissions.limits import PYTHON, ZIP, Untakeable

logger = logging.getLogger(__name__)

METADATA = "submission_metadata.yml"

Persons = tuple[tuple[str, ...], ...]
"""All that each of those who handed something in is known as: ids, addresses and names."""


class Kind(IntEnum):
    """What says whose a file is, from the most trustworthy on: who names a file may name it as they like."""

    SYSTEM = 0
    FOLDER = 1
    FILE = 2


@dataclass(frozen=True)
class Owner:
    """Whose a file is.

    Args:
        folder: the name of the student's folder.
        known_as: what else its students are known as.
        place: the file's place in their work.
        kind: what says so.
    """

    folder: str
    known_as: Persons
    place: PurePosixPath
    kind: Kind = Kind.SYSTEM


def moodle(name: str) -> Owner | None:
    """Whose a file or folder is by a name of Moodle's, whose number is of this assignment alone."""
    found = re.fullmatch(r"(.+?)_(\d+)_assignsubmission_(?:file|onlinetext)(?:_(.*))?", name)
    if found is None:
        return None
    who = found[1].strip()
    return Owner(f"{who}_{found[2]}", ((who,),), PurePosixPath(found[3] or ""))


def canvas(name: str) -> Owner | None:
    """Whose a file is by a name of Canvas's, whose first number is the user's; it makes no folders."""
    found = re.fullmatch(r"([^_]+)_(?:LATE_)?(\d+)_\d+_(.+\.\w+)", name)
    if found is None:
        return None
    who = found[1].strip()
    return Owner(f"{who}_{found[2]}", ((who, found[2]),), PurePosixPath(found[3]))


SYSTEMS: tuple[Callable[[str], Owner | None], ...] = (canvas, moodle)
"""Those that put into names whose a file is; where two can be meant, the first."""


@dataclass(frozen=True)
class Owners:
    """Tells whose each file is.

    Args:
        ids: all exercises of the course.
        system: what names are read by, None where no system's name is among them.
        members: who handed in which folder, where the archive tells.
        around: the folders around all students' work: ``class`` in ``class/ada/ex1.py``.
    """

    ids: Sequence[str]
    system: Callable[[str], Owner | None] | None
    members: Mapping[str, Persons]
    around: tuple[str, ...]

    @classmethod
    def of(cls, files: Sequence[FoundFile], ids: Sequence[str]) -> Owners:
        """The owners of some files, all of which are given."""
        places = [one.place for one in files if one.is_work]
        metadata = _metadata(files, places)
        around = metadata.place.parts[:-1] if metadata is not None else _around(places, ids)
        system = _system([one.place.parts[len(around)] for one in files if _is_in(one.place, around)])
        known = _members(metadata) if metadata is not None and system is None else {}
        return cls(ids, system, known, around)

    @property
    def are_told(self) -> bool:
        """Whether a system has said whose the files are."""
        return self.system is not None or bool(self.members)

    def owner(self, place: PurePosixPath) -> Owner | None:
        """Whose a file is, None where nothing tells."""
        if not _is_in(place, self.around):
            return None
        first, *rest = place.parts[len(self.around) :]
        named = self.system(first) if self.system is not None else None
        if named is not None and (rest or named.place.name):
            return Owner(named.folder, named.known_as, named.place.joinpath(*rest))
        if rest:
            return Owner(first, self.members.get(first, ()), PurePosixPath(*rest), Kind.FOLDER)
        return flat(first, self.ids, PurePosixPath(first).suffix) if self.system is None else None

    def top(self, place: PurePosixPath) -> str:
        """The name that says whose a file is: its own, or that of the folder around a student's work."""
        return place.parts[len(self.around)]


def strays_and_folders(files: Iterable[FoundFile], ids: Sequence[str]) -> tuple[list[str], list[str]]:
    """What lies innermost around all work: its files that are one submission's, and its folders that hold work."""
    places = [one.place for one in files if exercise_of(one.place.name, ids) or one.is_notebook]
    if not places:
        return [], []
    depth = len(PurePosixPath(posixpath.commonpath([place.parent for place in places])).parts)
    names = [place.parts[depth] for place in places if len(place.parts) == depth + 1]
    inside = {place.parts[depth] for place in places if len(place.parts) > depth + 1}
    return [name for name in names if flat(name, ids) is None], sorted(inside)


def flat(name: str, ids: Iterable[str], suffix: str = PYTHON) -> Owner | None:
    """Whose a file is that has a name before the exercise's, as ``name_ex1_step_by_step.py``.

    Args:
        name: the file's.
        ids: all exercises of the course.
        suffix: the ending it has to have.
    """
    if not suffix or not name.lower().endswith(suffix.lower()):
        return None
    for exercise in ids:
        found = re.fullmatch(rf"(.+?)[-_. ]({re.escape(exercise)}\W.*)", name, re.S)
        if found and exercise_of_stem(found[2].removesuffix(suffix).removesuffix(PYTHON), [exercise]):
            return Owner(found[1], (), PurePosixPath(found[2]), Kind.FILE)
    return None


def tells(name: str, ids: Iterable[str]) -> bool:
    """Whether the name of a file or folder says whose it is."""
    return any(system(name) for system in SYSTEMS) or flat(name, ids) is not None


def _system(names: Sequence[str]) -> Callable[[str], Owner | None] | None:
    """The one system whose names those are: what a student may add to one cannot make it another's."""
    counts = [sum(system(name) is not None for name in names) for system in SYSTEMS]
    return SYSTEMS[counts.index(max(counts))] if any(counts) else None


def _is_in(place: PurePosixPath, around: Sequence[str]) -> bool:
    """Whether a file is inside some folders."""
    return len(place.parts) > len(around) and place.parts[: len(around)] == tuple(around)


def _around(places: Sequence[PurePosixPath], ids: Sequence[str]) -> tuple[str, ...]:
    """The folders around all students' work."""
    depth = 0
    while places and all(len(place.parts) > depth + 1 for place in places):
        parts = {place.parts[depth] for place in places}
        own = any(len(place.parts) == depth + 2 and place.suffix != ZIP for place in places)
        if len(parts) > 1 or (own and not _are_told(places, depth + 1, ids)):
            break
        if any(system(part) for system in SYSTEMS for part in parts):
            break
        depth += 1
    return places[0].parts[:depth] if places else ()


def _are_told(places: Iterable[PurePosixPath], depth: int, ids: Sequence[str]) -> bool:
    """Whether files at some depth say by their names whose they are, each of them."""
    return all(tells(place.parts[depth], ids) for place in places)


def _metadata(files: Iterable[FoundFile], places: Sequence[PurePosixPath]) -> FoundFile | None:
    """Gradescope's own word on who handed in what; a student may hand in a file of that name, too."""
    found = [file for file in files if file.place.name == METADATA]
    top = min(found, key=lambda file: len(file.place.parts), default=None)
    if top is None:
        return None
    around = top.place.parts[:-1]
    is_a_students = any(system(part) for system in SYSTEMS for part in around)
    return top if not is_a_students and all(_is_in(place, around) for place in places) else None


def _members(metadata: FoundFile) -> Mapping[str, Persons]:
    with suppress(Untakeable, OSError):
        content = metadata.content.read(archive.METADATA_LIMIT)
        if len(content) <= archive.METADATA_LIMIT:
            return members(content.decode("utf-8", "replace"))
    return {}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads YAML as texts, lists and mappings: an id such as 0012 stays what it is, a date is no date."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
        first: [rule for rule in rules if rule[0] == "tag:yaml.org,2002:null"]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_multi_constructor("!", lambda loader, tag, node: None)


def members(metadata: str) -> Mapping[str, Persons]:
    """What Gradescope's metadata tells of who handed in what.

    Args:
        metadata: the text of ``submission_metadata.yml``.

    Returns:
        For each folder, the id, address and name of everybody who handed it in; nothing where it is no such text.
    """
    try:
        document = yaml.load(metadata, _Loader)  # noqa: S506 - a safe one: it makes texts, lists and mappings alone
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        logger.warning("%s cannot be read, nobody is known by it: %s", METADATA, type(error).__name__)
        return {}
    if not isinstance(document, dict):
        return {}
    found = {}
    for folder, told in document.items():
        people = told.get(":submitters") if isinstance(told, dict) else None
        if isinstance(folder, str) and isinstance(people, list):
            found[folder] = tuple(_person(one) for one in people if isinstance(one, dict))
    return found


def _person(told: Mapping[object, object]) -> tuple[str, ...]:
    """What somebody is known as, the most certain first."""
    words = (told.get(key) for key in (":sid", ":email", ":name"))
    return tuple(word for word in words if isinstance(word, str) and word)
