"""Who is who: a roster joined on what a submission is known as."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.batch.roster import join, load
from grader.errors import UsageError
from grader.reports.book import Student
from grader.submissions.discover import Found

ADA = Student("u1", "Ada Lovelace", "ada@example.edu")
BEN = Student("u2", "Okri, Ben", "b.okri@example.edu")
CYD = Student("u3", "Cyd O'Hara", "")


def found(*names: str) -> list[Found]:
    return [Found(Path(f"/class/{name}.py")) for name in names]


@pytest.mark.parametrize(
    "text",
    [
        "id,name,email\nu1,Ada Lovelace,ada@example.edu\n",
        "\ufeffID;Name;E-mail\r\nu1;Ada Lovelace;ada@example.edu\r\n\r\n",
        "Email Address\tFirst name\tLast name\tStudent ID\nada@example.edu\tAda\tLovelace\tu1\n",
        'id,"name",email,group\nu1,"Ada Lovelace",ada@example.edu,3\nu1,Ada Lovelace,ada@example.edu,3\n',
    ],
)
def test_a_roster_is_read_as_it_is(text: str, tmp_path: Path) -> None:
    (tmp_path / "roster.csv").write_text(text, "utf-8", newline="")
    assert load(tmp_path / "roster.csv") == (ADA,)


@pytest.mark.parametrize("text", ["", "\n", "colour,size\nred,3\n", "id,name,email\n", "\x00"])
def test_what_is_no_roster_is_said(text: str, tmp_path: Path) -> None:
    (tmp_path / "roster.csv").write_text(text, "utf-8")
    with pytest.raises(UsageError, match=r"^roster: "):
        load(tmp_path / "roster.csv")


@pytest.mark.parametrize(
    "name",
    ["u1", "U1", "ada@example.edu", "ada", "Ada Lovelace", "ada_lovelace", "adalovelace", "lovelaceada"],
)
def test_a_folder_may_be_called_many_things(name: str) -> None:
    assert join([ADA, BEN], found("u2", name)).submissions == {ADA: 1, BEN: 0}


@pytest.mark.parametrize("name", ["u2", "ben okri", "okriben", "b.okri"])
def test_names_in_either_order(name: str) -> None:
    assert join([BEN], found(name)).submissions == {BEN: 0}


def test_an_archive_tells_who_worked_together() -> None:
    group = [Found(Path("/class/submission_1.py"), (("u1", "Ada"), ("u3", "Cyd")))]
    assert join([ADA, BEN, CYD], group).submissions == {ADA: 0, CYD: 0}


def test_who_handed_in_nothing_has_nothing() -> None:
    result = join([ADA, BEN], found("u1"))
    assert result.submissions == {ADA: 0}
    assert not result.notices


def test_a_submission_that_fits_two_is_given_to_none() -> None:
    twins = [Student("a", "Kim Lee"), Student("b", "Kim Lee")]
    result = join(twins, found("kim lee"))
    assert result.submissions == {}
    assert any("fits several students" in notice for notice in result.notices)


def test_a_student_who_fits_two_gets_none() -> None:
    result = join([ADA], found("Ada Lovelace", "ada_lovelace"))
    assert result.submissions == {}
    assert any("fits several submissions" in notice for notice in result.notices)


def test_the_id_counts_for_more_than_the_name() -> None:
    assert join([ADA], found("Ada Lovelace", "u1")).submissions == {ADA: 1}


def test_strangers_are_named() -> None:
    notices = join([ADA], found("u1", *(f"x{i}" for i in range(9)))).notices
    assert notices == ("roster: these submissions are nobody's on it: x0, x1, x2, x3, x4 and 4 more",)
