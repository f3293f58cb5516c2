"""The HL7 validator (HAPI's packaging, ``validator/``) as one process that judges documents line by line, offline."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, NamedTuple

from tests.requirements import missing

PROJECT: Final = Path(__file__).parent / "validator"
SHARED: Final = Path(__file__).parents[2].parent / "shared"
PACKAGES: Final = SHARED / "packages"
US_CORE: Final = "hl7.fhir.us.core-700.tgz"
STRUCTURES: Final = Path(__file__).parents[2] / "schemas" / "structures"
_TARGET: Final = PROJECT / "target"
_CLASSPATH: Final = _TARGET / "classpath"
_BUILD: Final = ("compile", "dependency:build-classpath", f"-Dmdep.outputFile={_CLASSPATH}")
_PROGRESS: Final = 1000
"""Documents between two lines of progress."""
_WRONG: Final = frozenset({"error", "fatal"})


class Document(NamedTuple):
    """Something to be judged: the text of a resource as it is sent."""

    id: str
    text: str
    profiles: tuple[str, ...] = ()
    """Profiles beyond those that it claims itself."""


class Issue(NamedTuple):
    """One remark of the validator."""

    severity: str
    message_id: str
    """Key of the message in the validator's own catalogue, or canonical URL and key of an invariant."""
    location: str
    message: str

    @property
    def wrong(self) -> bool:
        """Whether it makes the document invalid; warnings and hints don't."""
        return self.severity in _WRONG


def require() -> None:
    """Skip the asking test, or fail it where they are required, without Java, Maven or the US Core package."""
    for name in ("java", "mvn"):
        if shutil.which(name) is None:
            missing(name, f"{name} is not installed")
    if not (PACKAGES / US_CORE).is_file():
        missing("shared", "the US Core package (../shared/packages) is not here")


def build() -> None:
    """Compile the runner; from what Maven has kept, else from its registry.

    Raises:
        RuntimeError: neither worked.
    """
    for mode in (["--offline"], []):
        command = ["mvn", "--quiet", "--batch-mode", *mode, *_BUILD]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
    raise RuntimeError(f"the validator could not be built: {done.stdout[-2000:]}")


@dataclass
class Validator:
    """A running validator."""

    process: subprocess.Popen[str]

    def judge(self, documents: Sequence[Document]) -> dict[str, tuple[Issue, ...]]:
        """Issues by id of the document; empty = nothing to remark. Ids must differ."""
        assert len({document.id for document in documents}) == len(documents), "ids must differ"
        assert self.process.stdin
        assert self.process.stdout
        # Written beside reading: neither side may wait for the other with a full pipe.
        writer = threading.Thread(target=_write, args=(self.process.stdin, documents), daemon=True)
        writer.start()
        found = dict(self._answers(self.process.stdout, len(documents)))
        writer.join()
        return found

    @staticmethod
    def _answers(stream: IO[str], count: int) -> Iterator[tuple[str, tuple[Issue, ...]]]:
        for number in range(1, count + 1):
            line = stream.readline()
            if not line:
                raise RuntimeError(f"the validator ended after {number - 1} of {count} documents: see {_log()}")
            answer = json.loads(line)
            yield answer["id"], tuple(sorted(_issue(issue) for issue in answer["issues"]))
            if number % _PROGRESS == 0:
                sys.stderr.write(f"the HL7 validator judged {number} of {count}\n")


@contextmanager
def running() -> Iterator[Validator]:
    """A validator that knows FHIR R4, US Core 7.0.0 and our own extensions, built before it starts."""
    build()
    classpath = f"{_TARGET / 'classes'}:{_CLASSPATH.read_text().strip()}:{PACKAGES}"
    own = [str(path) for path in sorted(STRUCTURES.glob("*.json"))]
    command = ["java", "-Xmx3g", "-cp", classpath, "throughline.Judge", US_CORE, *own]
    with (
        _log().open("w") as log,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            yield Validator(process)
        finally:
            # It ends by itself at the end of its input.
            process.communicate(timeout=60)


def _log() -> Path:
    return _TARGET / "validator.log"


def _write(stream: IO[str], documents: Iterable[Document]) -> None:
    for document in documents:
        line = json.dumps({"id": document.id, "text": document.text, "profile": document.profiles})
        stream.write(line + "\n")
    stream.flush()


def _issue(said: dict[str, str | None]) -> Issue:
    parts = (said[name] or "" for name in ("severity", "messageId", "location", "message"))
    return Issue(*parts)
