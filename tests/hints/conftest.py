"""A desk with every exercise, those of the course and the made-up ones."""

import pytest
import torch

from grader.course.course import Course
from tests.hints import desk as desks


@pytest.fixture(scope="session")
def desk(course: Course) -> desks.Desk:
    """A desk that tries stubs in this process."""
    torch.set_num_threads(1)
    return desks.Desk({**desks.of_course(course), **desks.made_up()})
