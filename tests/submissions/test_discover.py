"""What instructors really have is read as it is, and nothing in an archive gets out of it."""

from __future__ import annotations

import errno
import io
import os
import pickle
import stat
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from grader.errors import SubmissionError, UsageError
from grader.submissions import archive, submission
from grader.submissions.discover import laid_out
from grader.submissions.files import safe
from grader.submissions.limits import NOTEBOOK_LIMIT, SUBMISSION_LIMIT
from grader.submissions.platforms import members

IDS = ("ex1_step_by_step", "ex2_cross_entropy", "ex3_batchnorm")
EX1, EX2 = "ex1_step_by_step.py", "ex2_cross_entropy.py"

METADATA = """---
submission_11:
  :submitters:
  - :name: Ada Lovelace
    :sid: '100'
    :email: ada@example.edu
  :created_at: 2026-01-02 10:00:00.000000000 Z
  :score: 0.0
  :status: processed
  :results: {}
submission_12:
  :submitters:
  - :name: "Ben \\"B\\" Okri"
    :sid:
    :email: ben@example.edu
  - :name: Cyd O''Hara
    :sid: 102
    :email: cyd@example.edu
  :history:
  - :id: 3
    :name: not a person
"""


def packed(files: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return out.getvalue()


def read(path: Path) -> dict[str, dict[str, str]]:
    """Every submission's gradable files, by name, as the grader would read them."""
    with laid_out([path], IDS) as layout:
        return {
            one.name: {
                name: handed_in.source.content.decode() if handed_in.source else str(handed_in.problem)
                for name, handed_in in one.read(IDS).files.items()
                if one.unreadable is None or handed_in.problem != one.unreadable.problem
            }
            for one in layout.found
        }


@pytest.fixture(params=["zip", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path):
    """Puts files into a zip or into a folder."""

    def put(files: Mapping[str, str | bytes]) -> Path:
        if request.param == "zip":
            path = tmp_path / "download.zip"
            path.write_bytes(packed(files))
            return path
        for name, content in files.items():
            path = tmp_path / "class" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path / "class"

    return put


TWO = {"ada": {IDS[0]: "A1", IDS[1]: "A2"}, "ben": {IDS[0]: "B1"}}


def test_a_folder_per_student(place) -> None:
    assert (
        read(place({f"ada/{EX1}": "A1", f"ada/{EX2}": "A2", f"ben/{EX1}": "B1", "ben/notes.txt": "x"})) == TWO
    )


def test_a_flat_folder(place) -> None:
    assert read(place({f"ada_{EX1}": "A1", f"ada-{EX2}": "A2", f"ben_{EX1}": "B1"})) == TWO


def test_a_flat_folder_keeps_names_with_signs_in_them(place) -> None:
    assert set(read(place({f"van der Berg_{EX1}": "1", f"de_la_cruz_{EX1}": "2"}))) == {
        "van der Berg",
        "de_la_cruz",
    }


def test_folders_around_a_zips_students_are_seen_through(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(
        packed({f"a/b/ada/{EX1}": "A1", f"a/b/ada/{EX2}": "A2", f"a/b/ben/{EX1}": "B1", "a/README.md": "?"})
    )
    assert read(path) == TWO


def test_a_zip_of_one_students_files_is_that_students(tmp_path: Path) -> None:
    path = tmp_path / "ada.zip"
    path.write_bytes(packed({EX1: "A1", EX2: "A2"}))
    assert read(path) == {"ada": TWO["ada"]}


def test_moodle_with_folders(place) -> None:
    found = read(
        place(
            {
                f"Ada Lovelace_123_assignsubmission_file_/{EX1}": "A1",
                f"Ada Lovelace_123_assignsubmission_file_/{EX2}": "A2",
                "Ada Lovelace_123_assignsubmission_onlinetext_/onlinetext.html": "hello",
                f"Ben Okri_124_assignsubmission_file_/{EX1}": "B1",
            }
        )
    )
    assert found == {"Ada Lovelace_123": TWO["ada"], "Ben Okri_124": TWO["ben"]}


def test_moodle_without_folders(place) -> None:
    found = read(
        place(
            {
                f"Ada Lovelace_123_assignsubmission_file_{EX1}": "A1",
                f"Ada Lovelace_123_assignsubmission_file_{EX2}": "A2",
                f"Ben Okri_124_assignsubmission_file_{EX1}": "B1",
            }
        )
    )
    assert found == {"Ada Lovelace_123": TWO["ada"], "Ben Okri_124": TWO["ben"]}


def test_canvas(place) -> None:
    found = read(
        place(
            {
                "lovelaceada_340_901_ex1_step_by_step-1.py": "A1 again",
                "lovelaceada_340_900_ex1_step_by_step.py": "A1",
                "lovelaceada_340_902_ex2_cross_entropy (2).py": "A2",
                "okriben_LATE_341_903_work.zip": packed({f"hw/{EX1}": "B1", "__MACOSX/hw/._ex1.py": "junk"}),
            }
        )
    )
    assert found == {
        "lovelaceada_340": {IDS[0]: "A1 again", IDS[1]: "A2"},
        "okriben_341": {IDS[0]: "B1"},
    }


def test_gradescope(place) -> None:
    path = place(
        {
            "submission_metadata.yml": METADATA,
            f"submission_11/{EX1}": "A1",
            f"submission_11/{EX2}": "A2",
            f"submission_12/{EX1}": "B1",
        }
    )
    assert read(path) == {"submission_11": TWO["ada"], "submission_12": TWO["ben"]}
    with laid_out([path], IDS) as layout:
        known = {one.name: one.known_as for one in layout.found}
    assert known["submission_11"] == (("100", "ada@example.edu", "Ada Lovelace"),)
    assert [person[-1] for person in known["submission_12"]] == ['Ben "B" Okri', "Cyd O''Hara"]


def test_gradescope_as_it_is_downloaded(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    top = "assignment_1_export"
    work = {f"{top}/submission_11/work/{EX1}": "A1", f"{top}/submission_11/work/{EX2}": "A2"}
    path.write_bytes(packed({f"{top}/submission_metadata.yml": METADATA, **work}))
    assert read(path) == {"submission_11": TWO["ada"]}


def test_gradescopes_metadata_is_read_as_it_is_written() -> None:
    found = members(METADATA)
    assert found["submission_12"] == (
        ("ben@example.edu", 'Ben "B" Okri'),
        ("102", "cyd@example.edu", "Cyd O''Hara"),
    )
    assert members("") == members(": : :\n- - -") == {}


def test_a_students_own_file_names_cannot_make_work_somebody_elses(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(
        packed(
            {
                f"ada/{EX1}": "A1",
                f"ben/ada_{EX1}": "B's",
                f"ben/Ada Lovelace_1_assignsubmission_file_/{EX1}": "B's",
                "ben/lovelaceada_1_2_ex1_step_by_step.py": "B's",
                f"ben/../ada/{EX1}": "B's",
            }
        )
    )
    found = read(path)
    assert found["ada"] == {IDS[0]: "A1"}
    assert set(found) == {"ada", "ben"}


HOSTILE_NAMES = (
    f"../../{EX1}", f"/tmp/{EX1}", f"a/../../b/{EX1}", f"..\\..\\{EX1}", f"C:\\x\\{EX1}",
    f"\\\\host\\share\\{EX1}",
    f"nul\x00/{EX1}", f".ssh/{EX1}", f"{'d/' * 300}{EX1}", f"{'n' * 300}/{EX1}", f"a:b|c?*/{EX1}", f"~/{EX1}",
    f"-rf/{EX1}", f"\u202eevil/{EX1}", f"\ud800/{EX1}".encode("utf-8", "replace").decode(), "/", "..", "",
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
def test_no_name_gets_out(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = tmp_path / "room"
    room.mkdir()
    path = room / "x.zip"
    path.write_bytes(packed({f"ada/{EX1}": "A1", f"ben/{EX1}": "B1", name or "empty": "evil"}))
    monkeypatch.setattr(tempfile, "tempdir", str(room))
    before = set(tmp_path.rglob("*"))
    with laid_out([path], IDS) as layout:
        names = {one.name for one in layout.found}
        assert "ada" in names
        assert names == {safe(name) for name in names}
        for one in layout.found:
            files = one.read(IDS).files.values()
            assert all(Path(file.filename).name == file.filename for file in files if file.source)
        assert set(tmp_path.rglob("*")) == before
    assert set(tmp_path.rglob("*")) == before


def test_links_in_a_zip_are_not_followed_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    link = zipfile.ZipInfo(f"eve/{EX1}")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(link, "/etc/passwd")
        file.writestr(f"ada/{EX1}", "A1")
        file.writestr("eve/other.py", "x")
    assert read(path) == {"ada": {IDS[0]: "A1"}, "eve": {}}


def test_links_in_a_flat_folder_are_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "class"
    folder.mkdir()
    (tmp_path / "secret.py").write_text("secret")
    (folder / f"ada_{EX1}").write_text("A1")
    (folder / f"eve_{EX1}").symlink_to(tmp_path / "secret.py")
    with laid_out([folder], IDS) as layout:
        assert any("expected a regular file" in notice for notice in layout.notices)
    assert read(folder) == {"ada": {IDS[0]: "A1"}, "eve": {}}


def test_a_bomb_does_not_go_off(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    inner = packed({EX1: b"\0" * (64 << 20)})
    path.write_bytes(packed({f"ada/{EX1}": "A1", f"eve/{EX1}": b"#" * (64 << 20), "fay/work.zip": inner}))
    with laid_out([path], IDS) as layout:
        taken = [one.read(IDS) for one in layout.found]
        assert sum(len(pickle.dumps(one)) for one in taken) < 3 * submission.SIZE_LIMIT
        assert sum("would unpack" in notice for notice in layout.notices) == 2


def test_a_file_that_is_only_large_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr(f"ada/{EX1}", "A1")
        file.writestr(f"big/{EX1}", b"#" * (submission.SIZE_LIMIT + 10))
    assert "expected at most" in read(path)["big"][IDS[0]]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not really", b"\x1f\x8b gzip"])
def test_what_is_no_zip_is_said(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="expected a zip"), laid_out([path], IDS):
        pass


def test_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "ENTRIES_LIMIT", 3)
    path = tmp_path / "x.zip"
    path.write_bytes(packed({f"s{i}/{EX1}": "x" for i in range(4)}))
    with pytest.raises(UsageError, match="at most 3 entries"), laid_out([path], IDS):
        pass


def test_a_broken_zip_in_a_submission_is_that_students_trouble(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(packed({f"ada/{EX1}": "A1", "eve/work.zip": b"PK nonsense"}))
    assert read(path) == {"ada": {IDS[0]: "A1"}, "eve": {}}


def test_an_archive_without_exercises_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(packed({"ada/thesis.pdf": "x"}))
    with pytest.raises(SubmissionError, match="expected submissions with"), laid_out([path], IDS):
        pass


def test_what_belongs_to_nobody_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(packed({f"ada_{EX1}": "A1", "helper.py": "?"}))
    with laid_out([path], IDS) as layout:
        assert [one.name for one in layout.found] == ["ada"]
        assert any("nothing tells whose it is" in notice for notice in layout.notices)


def unreadable(path: Path, **options: bool) -> dict[str, str]:
    """What could not be taken of each submission, by name."""
    with laid_out([path], IDS, **options) as layout:
        return {
            one.name: f"{one.unreadable.filename}: {one.unreadable.problem}"
            for one in layout.found
            if one.unreadable
        }


NOTEBOOK = b'{"cells": [], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}'


def scripts(path: Path) -> dict[str, str]:
    """Every submission's notebook or script, by name."""
    with laid_out([path], IDS) as layout:
        found = {one.name: one.read(IDS).files.values() for one in layout.found}
        return {
            name: one.filename for name, files in found.items() for one in files if one.script is not None
        }


def test_notebooks_are_taken_wherever_files_are(place) -> None:
    """As large as notebooks with plots in them are."""
    path = place(
        {
            "Ada L_1_assignsubmission_file_/part4.ipynb": NOTEBOOK + b" " * (2 << 20),
            "Ben O_2_assignsubmission_file_/work/mine.ipynb": NOTEBOOK,
            "Cyd P_3_assignsubmission_file_/solution.py": "x = 1",
            f"Dan Q_4_assignsubmission_file_/{EX1}": "D1",
        }
    )
    assert scripts(path) == {"Ada L_1": "part4.ipynb", "Ben O_2": "mine.ipynb", "Cyd P_3": "solution.py"}
    with laid_out([path], IDS) as layout:
        assert not layout.notices


def test_a_zip_of_notebooks(tmp_path: Path) -> None:
    """One is its student's own; several are of as many students."""
    one, two = tmp_path / "ada.zip", tmp_path / "class.zip"
    one.write_bytes(packed({"part4.ipynb": NOTEBOOK}))
    two.write_bytes(packed({"ben.ipynb": NOTEBOOK, "cyd.ipynb": NOTEBOOK}))
    assert scripts(one) == {"ada": "part4.ipynb"}
    assert scripts(two) == {"ben": "ben.ipynb", "cyd": "cyd.ipynb"}


def test_work_is_found_wherever_in_a_students_folder_it_lies(place) -> None:
    path = place(
        {
            f"plain/{EX1}": "1",
            f"nested/hw/{EX1}": "2",
            "zipped/hw.zip": packed({f"hw/{EX1}": "3"}),
            "copied/ex1_step_by_step (1).py": "old",
            "copied/ex1_step_by_step (2).py": "4",
            f"named/ada_{EX1}": "5",
            f"named/ada_{EX2}": "6",
            f"two_homes/p1/{EX1}": "7",
            f"two_homes/p2/{EX2}": "8",
            f"two_homes/p2/{EX1[:-3]}/{EX1}": "deeper",
            "loud/EX2.TXT": "?",
            "loud/ex2_cross_entropy.PY": "9",
        }
    )
    assert read(path) == {
        "plain": {IDS[0]: "1"},
        "nested": {IDS[0]: "2"},
        "zipped": {IDS[0]: "3"},
        "copied": {IDS[0]: "4"},
        "named": {IDS[0]: "5", IDS[1]: "6"},
        "two_homes": {IDS[0]: "7", IDS[1]: "8"},
        "loud": {IDS[1]: "9"},
    }
    assert unreadable(path) == {}


def test_who_handed_in_nothing_that_can_be_graded_is_told_why(place) -> None:
    """And stands in the class all the same; where nothing tells which file counts, neither does."""
    path = place(
        {
            f"ada/{EX1}": "A1",
            "ben/essay.pdf": "?",
            f"cyd/v1/{EX1}": "C1",
            f"cyd/v2/{EX1}": "C2",
            "dan/hw.zip": packed({"in.zip": packed({EX1: "D1"})}),
            "eve/hw.zip": b"PK nonsense",
        }
    )
    assert read(path) == {"ada": {IDS[0]: "A1"}, "ben": {}, "cyd": {}, "dan": {}, "eve": {}}
    told = unreadable(path)
    assert told["ben"].startswith(f"essay.pdf: expected {EX1}, {EX2}, ")
    assert told["cyd"] == f"{EX1}: expected one, found v1/{EX1}, v2/{EX1}"
    assert told["dan"] == "hw.zip/in.zip: a zip in a zip is not unpacked"
    assert told["eve"].startswith("hw.zip: a zip in a submission: expected a zip")


def test_an_empty_folder_is_a_submission_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "class/ada").mkdir(parents=True)
    (tmp_path / "class/ada" / EX1).write_text("A1")
    (tmp_path / "class/ben").mkdir()
    assert read(tmp_path / "class") == {"ada": {IDS[0]: "A1"}, "ben": {}}


@pytest.mark.parametrize("ours", [{".grade/ada.json": "{}"}, {"ada.json": "{}", "ada.html": "<p>"}], ids=str)
def test_what_the_grader_wrote_is_nobodys(ours: dict[str, str], tmp_path: Path) -> None:
    for name, text in {
        f"ada/{EX1}": "A1",
        **{f"scorecards/{name}": text for name, text in ours.items()},
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert set(read(tmp_path)) == {"ada"}


@pytest.mark.parametrize("stray", [EX1, "handout.ipynb"])
def test_one_file_does_not_turn_a_class_into_a_submission(stray: str, place) -> None:
    path = place(dict.fromkeys((stray, f"ada/{EX1}", f"ben/{EX1}"), NOTEBOOK))
    with pytest.raises(SubmissionError, match=f"found {stray} beside the folders ada, ben"):
        read(path)


def test_nor_does_it_deeper_in_a_zip(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(
        packed({f"class/{name}": "x" for name in (EX2, f"ada/x/{EX1}", f"ben/{EX1}", "cyd/notes.txt")})
    )
    with pytest.raises(SubmissionError, match=f"found {EX2} beside the folders ada, ben: move away"):
        read(tmp_path / "x.zip")


def test_an_old_version_beside_does_not_turn_a_submission_into_a_class(tmp_path: Path) -> None:
    for name in (EX1, f"old/{EX1}"):
        (tmp_path / "ada" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "ada" / name).write_text(name)
    assert read(tmp_path / "ada") == {"ada": {IDS[0]: EX1}}


def test_a_students_own_metadata_is_believed_nowhere(place) -> None:
    """It could make somebody else's work theirs."""
    forged = METADATA.replace("submission_11", "x").replace("submission_12", "submission_11")
    path = place(
        {
            "submission_metadata.yml": METADATA,
            f"submission_11/{EX1}": "A1",
            f"submission_12/{EX1}": "B1",
            "submission_12/submission_metadata.yml": forged,
            "submission_1/submission_metadata.yml": forged,
        }
    )
    with laid_out([path], IDS) as layout:
        known = {one.name: one.known_as for one in layout.found}
    assert known["submission_11"] == (("100", "ada@example.edu", "Ada Lovelace"),)


def test_moodle_has_no_metadata(place) -> None:
    path = place(
        {
            f"Eve E_12_assignsubmission_file_/{EX1}": "E1",
            "Eve E_12_assignsubmission_file_/submission_metadata.yml": METADATA,
        }
    )
    with laid_out([path], IDS) as layout:
        assert [one.known_as for one in layout.found] == [(("Eve E",),)]


def test_a_name_is_read_in_the_way_of_its_archives_system(place) -> None:
    """What a student called a file cannot make it look like another system's, and so like another's."""
    path = place(
        {
            f"adal_12_101_{EX1}": "A1",
            f"evee_13_102_x_12_assignsubmission_file_{EX1}": "E1",
        }
    )
    with laid_out([path], IDS) as layout:
        known = {one.name: one.known_as for one in layout.found}
    assert known == {"adal_12": (("adal", "12"),), "evee_13": (("evee", "13"),)}
    assert read(path) == {"adal_12": {IDS[0]: "A1"}, "evee_13": {IDS[0]: "E1"}}


def test_a_folders_name_that_looks_like_a_files_of_canvas_is_a_folders(place) -> None:
    """Two of a day are not one student's."""
    path = place({f"2026_01_15_ada/{EX1}": "A1", f"2026_01_15_ben/{EX1}": "B1"})
    assert read(path) == {"2026_01_15_ada": {IDS[0]: "A1"}, "2026_01_15_ben": {IDS[0]: "B1"}}


def test_moodles_number_is_no_ones_id(place) -> None:
    """It numbers the participants of one assignment, and might be another's id."""
    path = place({f"Ada L_12_assignsubmission_file_/{EX1}": "A1"})
    with laid_out([path], IDS) as layout:
        assert [one.known_as for one in layout.found] == [(("Ada L",),)]


def test_names_that_come_to_the_same_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    long = "n" * 200
    path.write_bytes(
        packed({f"{name}/{EX1}": name for name in ("ada_", "ada?", "ada:", "Ada_", f"{long}1", f"{long}2")})
    )
    found = read(path)
    assert len(found) == 6
    assert found["Ada_"] == {IDS[0]: "Ada_"}, "whose name can be a folder's keeps it"
    assert sorted(files[IDS[0]] for files in found.values()) == sorted(
        ["ada_", "ada?", "ada:", "Ada_", f"{long}1", f"{long}2"]
    )


def test_an_exercise_is_among_those_taken_of_very_many_files(place) -> None:
    path = place({**{f"ada/a{i:03}.py": "x" for i in range(250)}, f"ada/{EX1}": "A1", f"ben/{EX1}": "B1"})
    assert {name: files[IDS[0]] for name, files in read(path).items()} == {"ada": "A1", "ben": "B1"}


def test_one_students_work_is_theirs_whatever_is_in_it(place) -> None:
    path = place({f"p1/{EX1}": "1", f"p2/ben_{EX2}": "2", "notes.txt": "?"})
    with laid_out([path], IDS, single=True) as layout:
        (one,) = layout.found
        files = one.read(IDS).files
        assert {name: file.source.content for name, file in files.items()} == {IDS[0]: b"1", IDS[1]: b"2"}
        assert one.name == path.stem


def test_one_students_work_may_be_nothing(place) -> None:
    (told,) = unreadable(place({"notes.txt": "?"}), single=True).values()
    assert f": expected {EX1}, " in told


def test_nothing_is_written_to_lay_a_class_out(
    place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that no signal, however it ends a run, can leave students' work behind."""
    path = place({f"ada_{EX1}": "A1", f"ben_{EX1}": "B1"})
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = set(tmp_path.rglob("*"))
    with laid_out([path], IDS) as layout:
        assert [one.read(IDS).name for one in layout.found] == ["ada", "ben"]
        assert set(tmp_path.rglob("*")) == before


def notices(path: Path) -> tuple[str, ...]:
    with laid_out([path], IDS) as layout:
        return layout.notices


def test_a_file_named_after_somebody_does_not_replace_the_work_in_their_folder(place) -> None:
    path = place({f"alice/{EX1}": "A1", "alice_ex1_step_by_step-9.py": "forged", f"ben/{EX1}": "B1"})
    found = read(path)
    assert found["alice"] == {IDS[0]: "A1"}
    assert found["ben"] == {IDS[0]: "B1"}
    (apart,) = found.keys() - {"alice", "ben"}
    assert found[apart] == {IDS[0]: "forged"}
    (told,) = notices(path)
    assert (
        f"alice_ex1_step_by_step-9.py: comes to the same name as alice: graded apart from it, as {apart}"
        in told
    )


def test_of_several_copies_the_one_that_counts_is_said(place) -> None:
    path = place({f"ada_{EX1}": "A1", "ada_ex1_step_by_step-9.py": "A9", f"ben_{EX1}": "B1"})
    assert read(path)["ada"] == {IDS[0]: "A9"}
    (told,) = notices(path)
    assert f"ada: {EX1}: ex1_step_by_step-9.py counts, as the last of" in told


@pytest.mark.parametrize("stray", [EX1, "solution.py"])
def test_a_stray_file_does_not_refuse_a_class(stray: str, place) -> None:
    path = place({stray: "?", **{f"{name}/{EX1}": name for name in ("ada", "ben", "cyd")}})
    assert read(path) == {name: {IDS[0]: name} for name in ("ada", "ben", "cyd")}
    assert [told for told in notices(path) if f"{stray}: nothing tells whose it is" in told]


def written(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


@pytest.mark.parametrize("beside", [{}, {f"cyd_{EX2}": "C2"}], ids=["folders", "told by names"])
@pytest.mark.parametrize("own", [{"a.json": "{}", "a.html": "<p>"}, {".grade/a.json": "{}"}], ids=str)
def test_a_student_whose_folder_looks_like_results_is_graded(
    own: Mapping[str, str], beside: Mapping[str, str], tmp_path: Path
) -> None:
    files = {f"ada/{EX1}": "A1", f"ben/{EX1}": "B1", **{f"ben/{name}": text for name, text in own.items()}}
    path = written(tmp_path / "class", {**files, **beside})
    assert {name: files.get(IDS[0]) for name, files in read(path).items() if name != "cyd"} == {
        "ada": "A1",
        "ben": "B1",
    }


@pytest.mark.parametrize("beside", [{}, {f"cyd_{EX2}": "C2"}], ids=["folders", "told by names"])
def test_a_folder_of_results_is_left_out_with_a_sentence(beside: Mapping[str, str], tmp_path: Path) -> None:
    files = {f"ada/{EX1}": "A1", "out/ada.json": "{}", "out/ada.html": "<p>"}
    path = written(tmp_path / "class", {**files, **beside})
    assert "out" not in read(path)
    assert any("out: holds results that the grader wrote, and no work" in told for told in notices(path))


@pytest.mark.parametrize("beside", [{}, {f"cyd_{EX2}": "C2"}], ids=["folders", "told by names"])
def test_nobody_vanishes_from_a_class(beside: Mapping[str, str], tmp_path: Path) -> None:
    """An empty folder, a link, a folder whose name hides it: each has a line."""
    path = written(tmp_path / "class", {f"ada/{EX1}": "A1", f".ben/{EX1}": "B1", **beside})
    (path / "dan").mkdir()
    (path / "eve").symlink_to(path / "ada")
    names = set(read(path))
    assert {"ada", "dan"} <= names
    assert names & {".ben", "ben"}
    assert "eve" in names or any("eve" in told for told in notices(path))


def test_who_hands_in_an_archive_that_is_not_unpacked_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "class", {f"ada/{EX1}": "A1", "ben.rar": b"Rar!", "notes.pdf": "?"})
    assert read(path) == {"ada": {IDS[0]: "A1"}, "ben": {}}
    assert unreadable(path)["ben"].startswith(f"ben.rar: expected {EX1}")
    assert any("not graded, and nobody's: notes.pdf" in told for told in notices(path))


def test_a_folder_a_zip_and_a_notebook_of_one_name_are_three(tmp_path: Path) -> None:
    files = {f"{name}/{EX1}": name for name in ("ben", "cyd")}
    files |= {f"ada/{EX1}": "A1", "ada.zip": packed({EX2: "A2"}), "ada.ipynb": NOTEBOOK}
    path = written(tmp_path / "class", files)
    found = read(path)
    assert len(found) == 5 and found["ada"] == {IDS[0]: "A1"}
    assert sum("comes to the same name as ada" in told for told in notices(path)) == 2


def test_names_that_differ_in_capitals_alone_are_told_apart(tmp_path: Path) -> None:
    """To many a file system they are one, and one's results would replace the other's."""
    path = tmp_path / "x.zip"
    path.write_bytes(packed({f"ada/{EX1}": "1", f"ADA/{EX1}": "2"}))
    found = read(path)
    assert len({name.casefold() for name in found}) == 2
    assert sorted(files[IDS[0]] for files in found.values()) == ["1", "2"]


def test_a_notebook_named_after_its_student_and_an_exercise_is_theirs(place) -> None:
    path = place({f"ada_{EX1}": "A1", "ben_ex1_step_by_step.ipynb": NOTEBOOK, f"cyd_{EX1}.txt": "C1"})
    assert set(read(path)) == {"ada", "ben", "cyd"}
    assert unreadable(path)["cyd"].startswith(f"{EX1}.txt: expected")


def test_a_copy_of_a_number_without_end_is_read(place) -> None:
    path = place({f"ada/ex1_step_by_step-{'9' * 200}.py": "A1", f"ben/{EX1}": "B1"})
    assert read(path) == {"ada": {IDS[0]: "A1"}, "ben": {IDS[0]: "B1"}}


def test_what_is_left_out_of_very_many_files_is_said(place) -> None:
    path = place(
        {**{f"ada/hw/a{i:03}.py": "x" for i in range(150)}, f"ada/hw/{EX1}": "A1", f"ben/{EX1}": "B1"}
    )
    assert any(
        "ada: expected at most 100 Python files and notebooks, found 151" in told for told in notices(path)
    )


def test_a_zip_of_notebooks_of_zeros_takes_what_one_submission_may(tmp_path: Path) -> None:
    """A hundred of them pack to a few thousand bytes."""
    inner = packed({f"n{i}.ipynb": b"0" * (NOTEBOOK_LIMIT - 1) for i in range(8)})
    path = tmp_path / "x.zip"
    path.write_bytes(packed({f"ada/{EX1}": "A1", "eve/hw.zip": inner}))
    with laid_out([path], IDS) as layout:
        eve = next(one for one in layout.found if one.name == "eve").read(IDS)
    told = [one.problem for one in eve.unreadable]
    assert any(
        f"at most {SUBMISSION_LIMIT >> 20} MiB" in problem and "clear its outputs" in problem
        for problem in told
    )
    assert len(pickle.dumps(eve)) < SUBMISSION_LIMIT


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_python_unpacks_all_at_once_is_not_unpacked(packing: int, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", packing) as file:
        file.writestr(f"eve/{EX1}", b"#" * 1000)
        file.writestr(zipfile.ZipInfo(f"ada/{EX1}"), "A1")
    assert unreadable(path)["eve"].startswith(f"{EX1}: cannot be unpacked: expected an ordinary zip")


def test_a_zips_table_of_contents_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(archive, "DIRECTORY_LIMIT", 1000)
    inner = packed({f"{i:0100}": b"" for i in range(20)})
    path = tmp_path / "x.zip"
    path.write_bytes(packed({f"ada/{EX1}": "A1", "eve/hw.zip": inner}))
    assert "a table of contents of more than 1000 bytes" in unreadable(path)["eve"]


def test_a_file_that_the_operator_may_not_read_costs_no_student_a_point(
    place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is said to whoever runs the grader; as root, who may read everything, the refusal is planted."""
    path = written(tmp_path / "class", {f"ada/{EX1}": "A1", f"ben/{EX1}": "B1", f"cyd/hw/{EX1}": "C1"})
    opened = os.open

    def refused(file: str | Path, *args: int, **options: int) -> int:
        if "ben" in str(file) or "cyd" in str(file):
            raise PermissionError(errno.EACCES, "Permission denied", str(file))
        return opened(file, *args, **options)

    monkeypatch.setattr(os, "open", refused)
    with laid_out([path], IDS) as layout:
        found = {one.name: one.read(IDS).files[IDS[0]] for one in layout.found}
    assert found["ada"].source is not None
    for name in ("ben", "cyd"):
        assert found[name].is_ours
        assert "cannot be read: Permission denied. Whoever runs the grader" in (found[name].problem or "")


METADATA_OF_OTHER_FORMS = {
    "an id with zeros in front": (
        "submission_1:\n  :submitters:\n  - :sid: 0012\n",
        {"submission_1": (("0012",),)},
    ),
    "a tag of Ruby's": (
        "submission_1: !ruby/hash:X\n  :a: 1\nsubmission_2:\n  :submitters:\n  - :name: Ada\n    :x: !ruby/y {}\n",
        {"submission_2": (("Ada",),)},
    ),
    "in braces": (
        '{"submission_1": {":submitters": [{":name": "Ada: L"}]}}',
        {"submission_1": (("Ada: L",),)},
    ),
    "nobody": ("submission_1:\n  :submitters: []\n", {"submission_1": ()}),
    "a list": ("- 1\n- 2\n", {}),
    "broken": ("a: [", {}),
    "very deep": ("[" * 5000, {}),
    "a control character": ("a: \x07", {}),
}


@pytest.mark.parametrize("form", METADATA_OF_OTHER_FORMS)
def test_gradescopes_metadata_is_read_as_yaml(form: str) -> None:
    text, known = METADATA_OF_OTHER_FORMS[form]
    assert members(text) == known


def test_metadata_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(archive, "METADATA_LIMIT", 10)
    path = tmp_path / "x.zip"
    path.write_bytes(packed({"submission_metadata.yml": METADATA, f"submission_11/{EX1}": "A1"}))
    with laid_out([path], IDS) as layout:
        assert [one.known_as for one in layout.found] == [()]


def test_what_a_system_or_a_tool_made_is_no_students(tmp_path: Path) -> None:
    files = {
        f"ada/{EX1}": "A1",
        "__pycache__/x.ipynb": NOTEBOOK,
        "__MACOSX/y.ipynb": NOTEBOOK,
        ".venv/z.py": "z",
    }
    path = written(tmp_path / "class", files)
    assert set(read(path)) == {"ada"}
    assert notices(path) == ()


@pytest.mark.parametrize("ending", [".IPYNB", ".Zip"])
def test_an_ending_in_capitals_loses_nobody(ending: str, tmp_path: Path) -> None:
    work = packed({EX1: "B1"}) if ending == ".Zip" else NOTEBOOK
    path = written(tmp_path / "class", {f"ada/{EX1}": "A1", f"cyd/{EX1}": "C1", f"ben{ending}": work})
    assert set(read(path)) == {"ada", "ben", "cyd"}
    assert unreadable(path) == {}


def test_a_class_beside_a_single_exercise_is_told_by_its_folders(place) -> None:
    """Two folders might be old versions, three are a class."""
    two = {f"{name}/{EX1}": name for name in ("v1", "v2")}
    with pytest.raises(SubmissionError, match="as the work of a single student"):
        read(place({EX1: "?", **two}))


def test_a_path_that_is_given_twice_is_graded_once(place) -> None:
    path = place({f"ada_{EX1}": "A1", f"ben_{EX1}": "B1"})
    with laid_out([path, path], IDS) as layout:
        assert [one.name for one in layout.found] == ["ada", "ben"]


def test_two_of_one_name_in_two_places_are_both_found(tmp_path: Path) -> None:
    """Whoever grades them is to say that a name is taken, and not to lose one."""
    for name in ("one", "two"):
        written(tmp_path / name, {f"ada_{EX1}": name, f"ben_{EX1}": name})
    with laid_out([tmp_path / "one", tmp_path / "two"], IDS) as layout:
        assert sorted(one.name for one in layout.found) == ["ada", "ada", "ben", "ben"]


def test_a_submission_with_a_file_that_names_somebody_is_one_submission(tmp_path: Path) -> None:
    path = written(tmp_path / "ada", {EX1: "A1", f"old_{EX2}": "A2"})
    assert read(path)["ada"][IDS[0]] == "A1"


def test_a_class_in_which_nothing_can_be_graded_is_refused_as_a_whole(tmp_path: Path) -> None:
    """With the words that say what was expected there, and not as an empty submission for each folder."""
    for name in ("ada", "ben"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text("nothing yet")
    with pytest.raises(SubmissionError, match=r"expected .*ex1_step_by_step\.py"), laid_out([tmp_path], IDS):
        pass
