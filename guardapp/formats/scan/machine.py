"""A pickle carried out with symbols instead of objects: what it would look up, call and change, without doing it.

The stack and the memo are followed exactly, because a name may be put together from strings that were stored pages
before. Nothing is imported, called or made. What cannot be followed is reported as unknown, never passed over.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from guardapp.formats.scan import names
from guardapp.formats.scan.findings import Finding, Level
from guardapp.formats.scan.opcodes import Instruction, Malformed, Opaque, read
from guardapp.formats.scan.piece import Piece
from guardapp.formats.scan.watch import Watch

MOST_STEPS: Final = 4_000_000
MOST_ITEMS: Final = 1_000_000
"""On the stack or in the memo: about 100 MB of symbols."""
MOST_EVENTS: Final = 50
_STEPS_UNWATCHED: Final = 1 << 14


class Name(NamedTuple):
    """A global: `name` of `module`."""

    module: str
    name: str


class Made(NamedTuple):
    """What calling a global returned; `arguments` only where they are few and plain."""

    maker: object
    arguments: tuple[object, ...]


class _Mark:
    pass


class Run(NamedTuple):
    """What a pickle would do.

    stopped: whether it came to its STOP; else Python's unpickler would have failed at `end` as well
    end:     offset after it
    calls:   of names that are not allowed, or that could not be followed
    """

    stopped: bool
    end: int
    findings: list[Finding]
    calls: int
    steps: int


_MARK: Final = _Mark()
_JOBLIB_ARRAY: Final = Name("joblib.numpy_pickle", "NumpyArrayWrapper")
_FEW_FIELDS: Final = 16


class Machine:
    """Carries out one pickle of `piece` from `offset`; `where` is for the findings.

    torchscript: whether names under `__torch__` and `torch.jit` stand for types, which torch's own C++ reader builds
    """

    def __init__(
        self, piece: Piece, offset: int, where: str, *, torchscript: bool = False, watch: Watch | None = None
    ) -> None:
        self._piece, self._at, self._where, self._torchscript = piece, offset, where, torchscript
        self._watch = watch or Watch()
        self._stack: list[object] = []
        self._memo: dict[int, object] = {}
        self._findings: list[Finding] = []
        self._seen: set[tuple[str, str]] = set()
        self._calls = 0

    def run(self) -> Run:
        """Never raises: where the pickle breaks off, so does the run."""
        steps = 0
        stopped = False
        try:
            while True:
                instruction = read(self._piece, self._at)
                steps += 1
                if steps % _STEPS_UNWATCHED == 0:
                    self._watch.at(self._piece, self._at)
                self._at = instruction.end
                if instruction.code == ord("."):
                    self._pop()
                    stopped = True
                    break
                self._step(instruction)
                if steps >= MOST_STEPS or len(self._stack) >= MOST_ITEMS or len(self._memo) >= MOST_ITEMS:
                    self._find("unknown", self._at, "A pickle too long to follow", "What its rest does is not known.")
                    self._calls += 1
                    break
        except (Malformed, IndexError):
            pass
        return Run(stopped, self._at, self._findings, self._calls, steps)

    def _find(self, level: Level, offset: int, what: str, could: str) -> None:
        if (level, what) not in self._seen and len(self._findings) < MOST_EVENTS:
            self._seen.add((level, what))
            self._findings.append(Finding(level, self._where, offset, what, could))

    def _pop(self) -> object:
        return self._stack.pop()

    def _value(self) -> object:
        """The topmost item, which may not be a mark."""
        item = self._stack.pop()
        if item is _MARK:
            raise Malformed("a mark where a value is needed")
        return item

    def _since_mark(self) -> list[object]:
        for index in range(len(self._stack) - 1, -1, -1):
            if self._stack[index] is _MARK:
                items = self._stack[index + 1 :]
                del self._stack[index:]
                return items
        raise Malformed("no mark")

    def _step(self, instruction: Instruction) -> None:
        code, argument, offset, _ = instruction
        char = chr(code)
        if char == "(":
            self._stack.append(_MARK)
        elif char == "0":
            self._pop()
        elif char == "1":
            self._since_mark()
        elif char == "2":
            item = self._value()
            self._stack += [item, item]
        elif char in "gpqrhj\x94":
            self._remember(char, argument)
        elif char in "KMJGIFLSTUVXBC\x8a\x8b\x8c\x8d\x8e\x96":
            self._stack.append(argument)
        elif char in "N\x88\x89":
            self._stack.append({"N": None, "\x88": True, "\x89": False}[char])
        elif char in "})]\x8f":
            self._stack.append(() if char == ")" else {} if char == "}" else Opaque())
        elif char in "tld\x91\x85\x86\x87":
            self._collect(char)
        elif char in "ausbe\x90":
            self._change(char, offset)
        elif char in "PQ":
            if char == "Q":
                self._value()
            self._stack.append(Opaque())
        elif char in "\x80\x95":
            if char == "\x80" and isinstance(argument, int) and argument > 5:
                raise Malformed("an unknown protocol")
        elif char in "\x97\x98":
            self._stack.append(Opaque()) if char == "\x97" else None
        else:
            self._look_up_or_call(char, argument, offset)

    def _remember(self, char: str, argument: object) -> None:
        if char in "ghj":
            assert isinstance(argument, int)
            if argument not in self._memo:
                raise Malformed("nothing was stored there")
            self._stack.append(self._memo[argument])
            return
        index = len(self._memo) if argument is None else argument
        assert isinstance(index, int)
        if index < 0 or self._stack[-1] is _MARK:
            raise Malformed("nothing to store")
        self._memo[index] = self._stack[-1]

    def _collect(self, char: str) -> None:
        if char in "\x85\x86\x87":
            count = ord(char) - 0x84
            items = [self._value() for _ in range(count)][::-1]
        else:
            items = self._since_mark()
        if char in "t\x85\x86\x87" and len(items) <= 64:
            self._stack.append(tuple(items))
        else:
            self._stack.append(Opaque())

    def _change(self, char: str, offset: int) -> None:
        """APPEND(S), SETITEM(S), ADDITEMS, BUILD: all change what then lies on top."""
        if char in "ue\x90":
            items = self._since_mark()
            state: object = None
        else:
            state = self._value()
            items = [self._value(), state] if char == "s" else []
        if not self._stack:
            raise Malformed("nothing to change")
        self._fill(items if char in "us" else [])
        if char == "b" and self._stack[-1] == Made(_JOBLIB_ARRAY, ()):
            self._pass_array(state, offset)
        target = self._stack[-1]
        if target is _MARK:
            raise Malformed("a mark where a value is needed")
        if isinstance(target, Name):
            self._calls += 1
            self._find(
                "unsafe",
                offset,
                f"{target.module}.{target.name} itself is changed",
                "It could put its own code in place of a library's.",
            )

    def _fill(self, items: list[object]) -> None:
        """Keep the entries of a small mapping: joblib says in one how many bytes of an array follow."""
        target = self._stack[-1]
        if isinstance(target, dict) and len(target) + len(items) // 2 <= _FEW_FIELDS:
            for key, value in zip(items[::2], items[1::2], strict=False):
                if isinstance(key, str) and not isinstance(value, dict):
                    target[key] = value

    def _pass_array(self, state: object, offset: int) -> None:
        """Go on after the bytes of an array, which joblib puts between two instructions."""
        fields = state if isinstance(state, dict) else {}
        length = array_bytes(fields)
        if length is None:
            self._calls += 1
            self._find("unknown", offset, "An array of unknown length", "What follows it is not known.")
            raise Malformed("an array of unknown length")
        if length < 0:
            inner = Machine(self._piece, self._at, self._where, watch=self._watch).run()
            self._findings += inner.findings
            self._calls += inner.calls
            self._at = inner.end
            return
        if fields.get("numpy_array_alignment_bytes") is not None:
            padding = self._piece.read(self._at, 1)
            self._at += 1 + (padding[0] if padding else 0)
        self._at += length

    def _look_up_or_call(self, char: str, argument: object, offset: int) -> None:
        if char == "c":
            assert isinstance(argument, tuple)
            self._stack.append(self._name(argument[0], argument[1], offset))
        elif char == "\x93":
            name, module = self._value(), self._value()
            if isinstance(name, str) and isinstance(module, str):
                self._stack.append(self._name(module, name, offset))
            else:
                self._calls += 1
                self._find("unsafe", offset, "A name that is only made while it loads", "It could run any code.")
                self._stack.append(Opaque())
        elif char in "\x82\x83\x84":
            self._calls += 1
            self._find("unsafe", offset, f"Extension {argument} of copyreg", "It could run any code.")
            self._stack.append(Opaque())
        elif char == "i":
            assert isinstance(argument, tuple)
            arguments = self._since_mark()
            self._call(self._name(argument[0], argument[1], offset), tuple(arguments), offset)
        elif char == "o":
            items = self._since_mark()
            self._call(items[0], tuple(items[1:]), offset)
        elif char == "\x92":
            self._value()
            arguments_, callee = self._value(), self._value()
            self._call(callee, arguments_, offset)
        else:  # R, NEWOBJ
            arguments_, callee = self._value(), self._value()
            self._call(callee, arguments_, offset)

    def _name(self, module: str, name: str, offset: int) -> Name:
        if not self._allowed(module, name):
            known = names.level(module, name)
            self._find(known, offset, f"{module}.{name} is named", names.could(module, name))
        return Name(module, name)

    def _allowed(self, module: str, name: str) -> bool:
        if self._torchscript and (module.startswith("__torch__") or module == "torch.jit._pickle"):
            return True
        return names.allowed(module, name)

    def _call(self, callee: object, arguments: object, offset: int) -> None:
        if not isinstance(callee, Name):
            self._calls += 1
            self._find("unsafe", offset, "Something is called that has no name", "It could run any code.")
        elif not self._allowed(callee.module, callee.name):
            self._calls += 1
        elif callee == Name("_codecs", "encode") and not _latin(arguments):
            self._calls += 1
            self._find("unknown", offset, "_codecs.encode is called with an unusual codec", "It could run any code.")
        few = arguments if isinstance(arguments, tuple) and len(arguments) <= 8 else ()
        # one level is kept, for the types of arrays: more could grow without bound
        self._stack.append(Made(callee, tuple(a for a in few if not isinstance(a, Made | tuple))))


def _latin(arguments: object) -> bool:
    """Whether these are the arguments with which Python writes bytes for protocols 0 to 2."""
    return (
        isinstance(arguments, tuple) and len(arguments) in (1, 2) and arguments[1:] in ((), ("latin1",), ("latin-1",))
    )


def array_bytes(fields: dict[object, object]) -> int | None:
    """Bytes of the array that joblib writes behind a wrapper with these `fields`; -1 for objects, None if not known."""
    dtype, shape = fields.get("dtype"), fields.get("shape")
    if not isinstance(dtype, Made) or dtype.maker != Name("numpy", "dtype") or not isinstance(shape, tuple):
        return None
    code = dtype.arguments[0] if dtype.arguments else None
    sizes = [size for size in shape if isinstance(size, int) and size >= 0]
    if not isinstance(code, str) or len(sizes) != len(shape):
        return None
    digits = code.lstrip("<>|=")
    if digits[:1] == "O":
        return -1
    if digits[:1] not in tuple("biufcSVU") or not digits[1:].isdigit():
        return None
    return math.prod(sizes) * int(digits[1:]) * (4 if digits[0] == "U" else 1)
