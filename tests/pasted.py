"""The commands of README and docs as they stand there, to be pasted by the tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[1]
PAGES: Final = (
    "README.md",
    "CONTRIBUTING.md",
    "ARCHITECTURE.md",
    "SECURITY.md",
    "examples/README.md",
    *sorted(str(page.relative_to(ROOT)) for page in ROOT.glob("docs/**/*.md")),
)
PROGRAMS: Final = ("customfit-consumer", "make", "docker", "pip", "eval", "export")
"""What a line of a block begins with if it is a command; before it may stand variables."""

_BLOCK: Final = re.compile(r"^```[a-z]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE: Final = re.compile(r"`((?:make|docker compose) [^`…]+)`")
_COMMAND: Final = re.compile(rf"(?:[A-Z_]+=\S+ )*(?:{'|'.join(PROGRAMS)}) ")


class Pasted(NamedTuple):
    """One line of a page."""

    page: str
    line: str
    exports: tuple[str, ...] = ()
    """The `export` lines above it in its block."""

    @property
    def command(self) -> str:
        """Without the comment behind it."""
        return self.line.partition("  #")[0].strip()

    def __str__(self) -> str:
        """The name of its test."""
        return f"{self.page}: {self.command}"


def in_blocks() -> Iterator[Pasted]:
    """Each command that stands in a block, whole where it goes on in the next line."""
    for page in PAGES:
        for block in _BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
            exports: tuple[str, ...] = ()
            for line in block.replace("\\\n", "").splitlines():
                if line.startswith("export "):
                    exports += (line,)
                elif _COMMAND.match(f"{line} "):
                    yield Pasted(page, line, exports)


def of(program: str) -> list[Pasted]:
    """Those of this program, in blocks and in the text, each once a page."""
    texts = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
    inline = [Pasted(page, found) for page, text in texts.items() for found in _INLINE.findall(text)]
    found = [one for one in (*in_blocks(), *inline) if re.match(rf"(?:[A-Z_]+=\S+ )*{program}\b", one.line)]
    return list({str(one): one for one in found}.values())
