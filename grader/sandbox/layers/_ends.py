"""What strict isolation must keep closed, and which layers suffice to close it.

This is the only place that says so: the zygote, strict isolation, ``grade doctor`` and SECURITY.md all follow it.

A set of layers closes an end if it *includes* one of the sets named here; one layer that helps is not enough.
The sets are tight where they decide: ``tests/sandbox/test_ends.py`` really opens boxes behind every smallest set
that suffices and every largest one that does not, and tries to read, to connect and to stay.

Why each layer is needed:

* ``seccomp`` is in every set for answers. Without it boxes of one zygote share System V memory and keyrings, and
  could read the memory of other processes of the same user.
* ``descriptors`` closes what the zygote holds open. All boxes could write and read its error file, say.
* ``root`` or ``landlock`` hides the files, /proc included.
* A network namespace does not keep a box from a UNIX socket that has a path, so ``root`` must hide paths; and
  whoever holds capabilities can leave a namespace, so ``user`` and ``no_new_privs`` must have taken them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

LayerSet = frozenset[str]


@dataclass(frozen=True)
class End:
    """Something that strict isolation keeps closed.

    Args:
        name: ``answers``, ``network`` or ``processes``.
        threat: what could happen where it is open, as the end of a sentence.
        sufficient: sets of layers; the end is closed if all layers of one of them are in force.
    """

    name: str
    threat: str
    sufficient: tuple[LayerSet, ...]

    def closed(self, in_force: Collection[str]) -> bool:
        """Whether the layers in force close this end."""
        return any(layers <= set(in_force) for layers in self.sufficient)

    def why_open(self, in_force: Collection[str], missing: Mapping[str, str]) -> str:
        """Which layers would help to close it, with the reason why each is missing.

        Args:
            in_force: the names of the layers in force.
            missing: why the others are not, by name.
        """
        lacking = sorted(set().union(*self.sufficient) - set(in_force))
        return "; ".join(f"{name}: {missing.get(name, 'not there')}" for name in lacking)

    @property
    def needs(self) -> str:
        """The sets that suffice, in words: ``descriptors, root and seccomp; or …``."""
        return "; or ".join(_listed(sorted(layers)) for layers in self.sufficient)


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _any_of(*sets: str) -> tuple[LayerSet, ...]:
    return tuple(frozenset(names.split()) for names in sets)


ENDS = (
    End(
        "answers",
        "answers could be read",
        _any_of("root descriptors seccomp", "landlock descriptors seccomp"),
    ),
    End(
        "network",
        "the network could be reached",
        _any_of("seccomp", "network root user no_new_privs"),
    ),
    End(
        "processes",
        "processes could be left behind",
        _any_of("seccomp", "processes root user no_new_privs descriptors"),
    ),
)


def open_ends(in_force: Collection[str], missing: Mapping[str, str]) -> dict[str, str]:
    """The ends that stand open, by name, and which missing layers would help to close each.

    Args:
        in_force: the names of the layers in force.
        missing: why the others are not, by name.
    """
    return {end.name: end.why_open(in_force, missing) for end in ENDS if not end.closed(in_force)}


def threat(name: str) -> str:
    """What could happen where the end of that name is open."""
    return next(end.threat for end in ENDS if end.name == name)
