"""Reads a page the strict way: every tag closed, in order; what it links to, contains and says."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"meta", "link", "br", "hr", "img", "input"})
SVG_EMPTY = frozenset({"path", "rect"})


@dataclass
class Page(HTMLParser):
    """A parsed page; raises AssertionError where its tags do not balance."""

    source: str
    open_tags: list[str] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.source)
        self.close()
        assert not self.open_tags, f"never closed: {self.open_tags}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open_tags.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SVG_EMPTY, f"<{tag}/> is not a void element"
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open_tags and self.open_tags.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if not {"style", "title"} & set(self.open_tags):
            self.texts.append(data)

    @property
    def text(self) -> str:
        """What a reader sees."""
        return "".join(self.texts)

    @property
    def ids(self) -> list[str]:
        """Every id, in order."""
        return self.values("id")

    @property
    def headings(self) -> list[int]:
        """The level of every heading, in order."""
        return [int(tag[1]) for tag, _ in self.tags if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit()]

    def values(self, attribute: str) -> list[str]:
        """The values of an attribute, wherever it stands."""
        return [attrs[attribute] or "" for _, attrs in self.tags if attribute in attrs]

    def having(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every ``tag``."""
        return [attrs for name, attrs in self.tags if name == tag]
