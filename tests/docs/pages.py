"""Read pages of the documentation and their code blocks."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def page(path: str) -> str:
    """Return the text of a page; its path is relative to the project."""
    return (ROOT / path).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


def files(text: str, language: str) -> dict[str, str]:
    """Return the code blocks whose first comment names a file, by that name."""
    named = (re.match(r"# (\S+\.\w+)\n", block) for block in blocks(text, language))
    return {found[1]: found.string for found in named if found}


def write_files(files: dict[str, str], folder: Path) -> None:
    """Write files into a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def resolve(dotted: str) -> object:
    """Import the longest module in a dotted name, and follow the rest as attributes."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part, None)
        return found
    return None
