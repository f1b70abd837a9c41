"""A shared object as it lies in memory: its exported functions, and a way to make some of them trap.

Sources: the ELF specification (dynamic section, symbol table), glibc's ``link.h`` for the handle that
``dlopen`` returns, and https://flapenguin.me/elf-dt-gnu-hash for the hash table, which is the only
place in memory that tells how many symbols there are.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import compress, count

from grader.sandbox.layers import Unavailable
from grader.sandbox.layers._linux import call, libc, machine

RTLD_NOLOAD = 4
DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_GNU_HASH = 5, 6, 10, 0x6FFFFEF5
SYMBOL = "=IBBHQQ"  # an Elf64_Sym: name, info, other, section, value, size
SYMBOL_SIZE = struct.calcsize(SYMBOL)
STT_FUNC = 2
TRAPS = (b"\x0f\x0b", b"\x00\x00\x00\x00")  # x86_64 ud2, aarch64 udf #0
PROT_RX, PROT_RW = 5, 3
MAP_POPULATED = 0x8022  # private, anonymous, and there at once
MREMAP_MAYMOVE, MREMAP_FIXED = 1, 2
PAGE = mmap.PAGESIZE
GAP = 16 * PAGE  # ranges closer than this become one: every range costs each fork a little


@dataclass(frozen=True)
class Function:
    """One exported function: where its code lies."""

    name: str
    address: int
    size: int


class Image:
    """A library of this process.

    Args:
        path: the library's file, which must be loaded already.

    Raises:
        Unavailable: it is not loaded, or not linked the usual way.
    """

    def __init__(self, path: str) -> None:
        machine()
        try:
            self._library = ctypes.CDLL(path, mode=RTLD_NOLOAD | os.RTLD_LAZY)
        except OSError as reason:
            raise Unavailable(f"{path} is not loaded") from reason
        # glibc's and musl's handle points to a struct link_map: l_addr, l_name, l_ld, …
        link_map = (ctypes.c_size_t * 3).from_address(self._library._handle)
        self._base, self._dynamic = link_map[0], dict(_dynamic(link_map[2]))
        if not {DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_GNU_HASH} <= self._dynamic.keys():
            raise Unavailable(f"{path} has no symbol table of the usual kind")

    def functions(self, needles: Iterable[bytes]) -> list[Function]:
        """The exported functions whose (mangled) name contains one of the needles.

        Args:
            needles: literal pieces of names; a literal is found some ten times faster than a pattern.
        """
        names = {start: text for needle in needles for start, text in self._holding(needle)}
        found = []
        for index in self._indices(names):
            name, info, _, _, value, size = struct.unpack_from(SYMBOL, self._symbols, index * SYMBOL_SIZE)
            if info & 0xF == STT_FUNC and value and size:
                found.append(Function(names[name].decode("ascii", "replace"), self._base + value, size))
        return found

    def _holding(self, needle: bytes) -> Iterator[tuple[int, bytes]]:
        """Offset and text of every name in the string table that contains the needle."""
        stop = -1
        while (place := self._strings.find(needle, stop + 1)) >= 0:
            start = self._strings.rfind(b"\0", 0, place) + 1
            stop = self._strings.find(b"\0", place)
            yield start, self._strings[start:stop]

    def _indices(self, names: Container[int]) -> list[int]:
        """Where in the symbol table those names stand."""
        offsets: list[int] = self._symbols.cast("I")[:: SYMBOL_SIZE // 4].tolist()
        return list(compress(count(), map(names.__contains__, offsets)))

    @cached_property
    def _strings(self) -> bytes:
        return ctypes.string_at(self._dynamic[DT_STRTAB], self._dynamic[DT_STRSZ])

    @cached_property
    def _symbols(self) -> memoryview:
        return _view(self._dynamic[DT_SYMTAB], self._count() * SYMBOL_SIZE)

    def _count(self) -> int:
        """How many symbols there are: the hash table's last chain ends with the last one."""
        table = self._dynamic[DT_GNU_HASH]
        buckets, first, bloom, _ = (ctypes.c_uint32 * 4).from_address(table)
        start = table + 16 + 8 * bloom
        last: int = max(_view(start, 4 * buckets).cast("I").tolist())
        chains = start + 4 * buckets - 4 * first
        while not ctypes.c_uint32.from_address(chains + 4 * last).value & 1:
            last += 1
        return last + 1


def trap(functions: Iterable[Function]) -> None:
    """Overwrite the code of these functions, all of it, with instructions that kill.

    The pages are replaced by anonymous ones, so that the kernel has no file to fetch the old code from
    and need not copy the page tables of all of the library at each fork.

    Raises:
        Unavailable: the platform does not let us change code.
    """
    wanted = sorted(functions, key=lambda function: function.address)
    try:
        for start, stop, inside in _ranges(wanted):
            _replace(start, stop, inside)
    except OSError as refusal:
        raise Unavailable(f"code cannot be changed here: {refusal.strerror}") from refusal


def trapped(function: Function) -> bool:
    """Whether the code of a function is nothing but traps."""
    return bytes(_view(function.address, function.size)) == _traps(function.size)


def _traps(size: int) -> bytes:
    """Code of that size that kills wherever it is entered."""
    filler = TRAPS[machine()]
    return (filler * (size // len(filler) + 1))[:size]


def _ranges(functions: list[Function]) -> Iterator[tuple[int, int, list[Function]]]:
    """Page-aligned ranges that hold the functions, joined across small gaps."""
    held: list[Function] = []
    stop = 0
    for function in functions:
        if held and function.address > stop + GAP:
            yield _down(held[0].address), _up(stop), held
            held, stop = [], 0
        held.append(function)
        stop = max(stop, function.address + function.size)
    if held:
        yield _down(held[0].address), _up(stop), held


def _replace(start: int, stop: int, functions: list[Function]) -> None:
    """Put a copy of the code, with the traps in it, in the place of the code."""
    size = stop - start
    fresh = _address(libc().mmap, 0, size, PROT_RW, MAP_POPULATED, -1, 0)
    ctypes.memmove(fresh, start, size)
    code = _view(fresh, size)
    for function in functions:
        offset = function.address - start
        code[offset : offset + function.size] = _traps(function.size)
    call("mprotect", fresh, size, PROT_RX)
    _address(libc().mremap, fresh, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, start)


def _address(function: Callable[..., int], *arguments: int) -> int:
    """Call a C function that returns an address, or -1 and an error number."""
    function.restype = ctypes.c_ssize_t  # type: ignore[attr-defined]
    result = function(*map(ctypes.c_ssize_t, arguments))
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _view(address: int, size: int) -> memoryview:
    """Memory of this process, as bytes."""
    return memoryview((ctypes.c_char * size).from_address(address)).cast("B")


def _dynamic(address: int) -> Iterator[tuple[int, int]]:
    """The entries of a dynamic section: tag and value (glibc has made the addresses absolute)."""
    while (pair := (ctypes.c_uint64 * 2).from_address(address))[0]:
        yield pair[0], pair[1]
        address += 16


def _down(address: int) -> int:
    return address & -PAGE


def _up(address: int) -> int:
    return (address + PAGE - 1) & -PAGE
