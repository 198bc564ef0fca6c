"""Band maths from text, such as `(b8-b4)/(b8+b4)`. Text from outside is parsed here, and never used as it came.

rio-tiler hands expressions to numexpr, which compiles them as Python. So what it gets is written anew from a tree that
holds bands, numbers, + - * / and six functions only.
"""

import ast
import math
import re
from dataclasses import dataclass

from models.errors import BandMathsError

MAX_CHARACTERS = 300
FUNCTIONS = ("abs", "exp", "log", "log10", "log1p", "sqrt")
"""Of one argument each, as numexpr has them."""
MAX_BAND = 10_000
MAX_NUMBER = 1e12

_CHARACTERS = re.compile(r"[A-Za-z0-9+\-*/(). ]+")
_BAND = re.compile(r"b([1-9][0-9]{0,4})")
_OPERATORS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


@dataclass(frozen=True)
class BandMaths:
    """One or three formulas over bands, checked."""

    blocks: tuple[str, ...]
    """One (shown with a colour map) or three (red, green, blue), each in our own writing."""
    bands: tuple[int, ...]
    """1-based bands that occur, ascending."""

    @property
    def text(self) -> str:
        """The blocks, separated by `;`, as rio-tiler reads them."""
        return ";".join(self.blocks)


def read_band_maths(text: str) -> BandMaths:
    """Parse one formula, or three separated by `;`.

    Args:
        text: Of bands `b1`, `b2`, .., numbers, `+ - * /`, parentheses, and `abs exp log log10 log1p sqrt`.

    Raises:
        BandMathsError: It is anything else, too long, or has two formulas or more than three.
    """
    if len(text) > MAX_CHARACTERS:
        raise BandMathsError(text, f"it has {len(text)} characters, more than {MAX_CHARACTERS}")
    parts = text.split(";")
    if len(parts) not in (1, 3):
        raise BandMathsError(text, f"it has {len(parts)} formulas; give one, or three for red, green and blue")
    bands: set[int] = set()
    blocks = tuple(_block(part, text, bands) for part in parts)
    if not bands:
        raise BandMathsError(text, "it names no band; bands are b1, b2, ..")
    return BandMaths(blocks, tuple(sorted(bands)))


def _block(part: str, text: str, bands: set[int]) -> str:
    if not _CHARACTERS.fullmatch(part) or not part.strip():
        raise BandMathsError(text, "only bands (b1, b2, ..), numbers, + - * / ( ) and functions may stand in it")
    try:
        tree = ast.parse(part.strip().lower(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise BandMathsError(text, "a bracket or an operator is missing or too much") from error
    return _written(tree.body, text, bands)


def _written(node: ast.expr, text: str, bands: set[int]) -> str:
    """The text of a tree; adds the bands in it to `bands`."""
    match node:
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
            return f"({_written(left, text, bands)}{_OPERATORS[type(operator)]}{_written(right, text, bands)})"
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return f"(-{_written(operand, text, bands)})"
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _written(operand, text, bands)
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            if not math.isfinite(value) or abs(value) > MAX_NUMBER:
                raise BandMathsError(text, f"{value} is too large a number")
            return repr(float(value))
        case ast.Name(id=name) if found := _BAND.fullmatch(name):
            if int(found[1]) > MAX_BAND:
                raise BandMathsError(text, f"there is no band {found[1]}")
            bands.add(int(found[1]))
            return name
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            return f"{name}({_written(argument, text, bands)})"
        case ast.Name(id=name):
            raise BandMathsError(text, f"{name!r} is no band; bands are b1, b2, ..")
        case ast.Call(func=ast.Name(id=name)):
            raise BandMathsError(text, f"{name!r} is none of {', '.join(FUNCTIONS)}, with one argument each")
    raise BandMathsError(text, "only bands (b1, b2, ..), numbers, + - * / ( ) and functions may stand in it")
