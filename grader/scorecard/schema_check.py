"""A JSON Schema compiled into functions that check a value some fifty times as fast as a validator.

They say yes or no; a validator says why not. They know the keywords that this project's schemas use; compiling a
schema with any other fails. Values are plain: of the types that ``json.loads`` returns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

Test = Callable[[Any], bool]

TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (),
    "boolean": (bool,),
    "null": (type(None),),
}

COMMENTS = ("$schema", "$comment", "$defs", "title", "description")


def compiled(schema: Mapping[str, Any]) -> Test:
    """Compile a schema into a function that says whether a value conforms to it.

    Args:
        schema: a JSON Schema whose references all lead to its own ``$defs``.

    Raises:
        NotImplementedError: it uses a keyword that is not known here.
    """
    return _Compiler(schema.get("$defs", {})).test(schema)


class _Compiler:
    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._made: dict[str, Test] = {}

    def test(self, schema: Mapping[str, Any]) -> Test:
        """A function for one schema or part of one."""
        tests = []
        if "if" in schema:
            tests.append(self._conditional(schema))
        if "properties" in schema or "additionalProperties" in schema:
            tests.append(self._properties(schema))
        for keyword, value in schema.items():
            if keyword not in (*COMMENTS, "if", "then", "else", "properties", "additionalProperties"):
                tests.append(self._keyword(keyword, value))
        return tests[0] if len(tests) == 1 else _every(tests)

    def _keyword(self, keyword: str, value: Any) -> Test:
        name = re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", keyword.removeprefix("$"))
        maker = getattr(self, f"_{name}", None)
        if maker is None:
            raise NotImplementedError(f"the keyword {keyword!r} is not known here")
        made: Test = maker(value)
        return made

    def _ref(self, place: str) -> Test:
        name = place.removeprefix("#/$defs/")
        if name not in self._made:
            # Looked up when it is called, for a definition may lead to itself.
            self._made[name] = lambda value: self._made[name](value)
            self._made[name] = self.test(self._definitions[name])
        return self._made[name]

    def _type(self, names: str | Sequence[str]) -> Test:
        names = [names] if isinstance(names, str) else names
        types = frozenset(kind for name in names for kind in TYPES[name])
        if "integer" not in names:
            return lambda value: type(value) in types
        return lambda value: type(value) in types or _is_whole(value)

    def _const(self, expected: Any) -> Test:
        return self._enum([expected])

    def _enum(self, expected: Sequence[Any]) -> Test:
        if not all(isinstance(one, str) or type(one) in (int, float) for one in expected):
            raise NotImplementedError("only words and numbers can be told apart here")
        values = frozenset(expected)
        return lambda value: type(value) in (str, int, float) and value in values

    def _required(self, names: Sequence[str]) -> Test:
        wanted = frozenset(names)
        return lambda value: not isinstance(value, dict) or value.keys() >= wanted

    def _properties(self, schema: Mapping[str, Any]) -> Test:
        tests = {name: self.test(part) for name, part in schema.get("properties", {}).items()}
        others = schema.get("additionalProperties", True)
        other = _constant(others) if isinstance(others, bool) else self.test(others)

        def test(value: Any) -> bool:
            if isinstance(value, dict):
                for name, item in value.items():
                    if not tests.get(name, other)(item):
                        return False
            return True

        return test

    def _property_names(self, schema: Mapping[str, Any]) -> Test:
        test = self.test(schema)
        return lambda value: not isinstance(value, dict) or all(map(test, value))

    def _items(self, schema: Mapping[str, Any]) -> Test:
        test = self.test(schema)
        return lambda value: not isinstance(value, list) or all(map(test, value))

    def _unique_items(self, wanted: bool) -> Test:
        return lambda value: not wanted or not isinstance(value, list) or _are_different(value)

    def _min_items(self, least: int) -> Test:
        return lambda value: not isinstance(value, list) or len(value) >= least

    def _max_items(self, most: int) -> Test:
        return lambda value: not isinstance(value, list) or len(value) <= most

    def _min_properties(self, least: int) -> Test:
        return lambda value: not isinstance(value, dict) or len(value) >= least

    def _min_length(self, least: int) -> Test:
        return lambda value: not isinstance(value, str) or len(value) >= least

    def _pattern(self, pattern: str) -> Test:
        search = re.compile(pattern).search
        return lambda value: not isinstance(value, str) or search(value) is not None

    def _minimum(self, least: float) -> Test:
        return lambda value: type(value) not in (int, float) or value >= least

    def _maximum(self, most: float) -> Test:
        return lambda value: type(value) not in (int, float) or value <= most

    def _exclusive_minimum(self, least: float) -> Test:
        return lambda value: type(value) not in (int, float) or value > least

    def _all_of(self, schemas: Sequence[Mapping[str, Any]]) -> Test:
        return _every([self.test(schema) for schema in schemas])

    def _any_of(self, schemas: Sequence[Mapping[str, Any]]) -> Test:
        tests = [self.test(schema) for schema in schemas]
        return lambda value: any(test(value) for test in tests)

    def _conditional(self, schema: Mapping[str, Any]) -> Test:
        condition = self.test(schema["if"])
        yes, no = (self.test(schema.get(branch, {})) for branch in ("then", "else"))
        return lambda value: yes(value) if condition(value) else no(value)


def _every(tests: Sequence[Test]) -> Test:
    """One function for several; nested, because that is quicker than going through a list each time."""
    return reduce(_both, tests) if tests else _constant(True)


def _both(one: Test, other: Test) -> Test:
    return lambda value: one(value) and other(value)


def _constant(answer: bool) -> Test:
    return lambda value: answer


def _is_whole(value: Any) -> bool:
    return type(value) is int or (type(value) is float and value.is_integer())


def _are_different(items: Sequence[Any]) -> bool:
    """Whether no two words among some items are the same; other items are never taken for different."""
    return all(type(item) is str for item in items) and len(set(items)) == len(items)
