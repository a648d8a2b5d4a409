"""What reading Python costs, in CPU, as a ratio to `ast.parse` on the same files in the same run.

python bench/reader.py PATH
"""

import ast
import sys
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from time import process_time
from typing import TypeVar

import msgspec

from mainstay.model.code import Module
from mainstay.sources.python import read_python
from mainstay.sources.python.grammar import parse

Input = TypeVar("Input")


def spent(action: Callable[[Input], object], inputs: Iterable[Input]) -> float:
    """CPU seconds `action` takes over all inputs; its results are dropped one by one."""
    before = process_time()
    for each in inputs:
        action(each)
    return process_time() - before


def read_and_parse(path: Path) -> ast.Module | None:
    """The file's tree by the standard library, or None when it is not Python to this interpreter."""
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def main(root: Path) -> None:
    """Print the ratios for every Python file under `root`."""
    warnings.simplefilter("ignore")
    found = sorted(root.rglob("*.py")) if root.is_dir() else [root]
    paths = [path for path in found if path.is_file() and read_and_parse(path)]
    sources = [path.read_bytes() for path in paths]
    baseline = spent(read_and_parse, paths)
    cost = {"read + ast.parse": baseline, "tree-sitter parse": spent(parse, sources)}
    cost["read_python"] = spent(read_python, sources)
    encoder, decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Module)
    modules = [read_python(source) for source in sources]
    cost["msgpack encode"] = spent(encoder.encode, modules)
    encoded = [encoder.encode(module) for module in modules]
    del modules
    cost["msgpack decode"] = spent(decoder.decode, encoded)
    lines, size = sum(source.count(b"\n") for source in sources) or 1, sum(map(len, encoded))
    print(f"{len(paths)} files, {lines} lines")
    for name, seconds in cost.items():
        print(f"{name:18} {seconds / baseline:5.2f} x  {seconds / lines * 1e6:6.2f} us/line")
    print(f"{'encoded':18} {size / lines:5.1f} bytes/line")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
