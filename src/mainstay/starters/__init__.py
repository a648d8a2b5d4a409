"""Specifications to begin with, and to learn the language from: one a file, named for what it is."""

from importlib.resources import files


def starters() -> tuple[str, ...]:
    """Their names, sorted."""
    found = (file.name for file in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml")))


def starter(name: str) -> str:
    """The text of one; raises LookupError."""
    if name not in starters():
        raise LookupError(name)
    return files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
