"""placeholder"""
from grader.reports.book import Book


def render(book: Book) -> str:
    """Placeholder."""
    return "<!doctype html>"
