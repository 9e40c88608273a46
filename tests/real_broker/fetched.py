"""Fetches what a test needs from Maven, once for each version of its pom."""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple


class Package(NamedTuple):
    """What a pom names, and where it goes."""

    what: str
    shown_folder: str
    pom: Path
    folder: Path
    fetched_pom: Path
    """A copy of the pom that the folder was made from; written last, by `done`."""
    options: tuple[str, ...] = ()

    @property
    def is_there(self) -> bool:
        """Whether it was fetched by this pom."""
        return self.fetched_pom.exists() and self.fetched_pom.read_bytes() == self.pom.read_bytes()

    def fetch(self) -> str | None:
        """Fetch it into its folder; say in one sentence what prevented it, or None."""
        if shutil.which("mvn") is None:
            return "Maven (mvn) is not installed"
        print(f"Fetching {self.what} into {self.shown_folder}", flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={self.folder}"]
        maven = subprocess.run(
            ["mvn", "-q", "-B", *self.options, "-f", str(self.pom), *goal],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return f"Maven could not fetch {self.what}:\n{maven.stdout.strip()}" if maven.returncode != 0 else None

    def done(self) -> None:
        """All of it is in its place."""
        shutil.copy(self.pom, self.fetched_pom)
