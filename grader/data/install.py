"""A folder or an archive in, a data set in the data folder out: whole and checked, or not at all.

Nothing is downloaded. What is found gets its canonical names, is read by the readers that will read it in an
examination, and only then takes its place; until then it lies in a folder of its own beside it.
"""

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grader.course.scale import DIGITS
from grader.data.checksums import SUMS, read_sums, write_sums
from grader.data.data_sets import find_files, load_data_set
from grader.data.known_sets import KNOWN, known_as
from grader.data.recognising import chosen, role
from grader.data.unpacking import refuse_bomb, take
from grader.errors import ConfigurationError

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True)
class Installed:
    """What lies in the data folder now."""

    name: str
    folder: Path
    train: int
    """Images of the training part."""
    test: int
    shape: tuple[int, ...]
    """Of an image: channels, side, side."""
    classes: int
    known_as: str
    """The public data set that this is, by checksum of its content; empty where none is known that is."""
    checksums: Mapping[str, str]
    """File → SHA-256, as they stand in SHA256SUMS."""

    def text(self) -> str:
        """What is installed, for people."""
        size = " x ".join(map(str, self.shape))
        images = f"{self.train} training and {self.test} test images of {size}"
        lines = [
            f"{self.folder}: {images}, {self.classes} classes",
            self._identity(),
            *(f"  {checksum}  {file}" for file, checksum in self.checksums.items()),
        ]
        return "\n".join(lines)

    def _identity(self) -> str:
        if not self.known_as:
            return f"not one of the data sets that are known by checksum ({', '.join(KNOWN.values())})"
        return f"every pixel and label is that of {self.known_as} as published"

    def as_dict(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "name": self.name,
            "folder": str(self.folder),
            "train": self.train,
            "test": self.test,
            "shape": list(self.shape),
            "classes": self.classes,
            "known_as": self.known_as or None,
            "checksums": dict(self.checksums),
        }


def install(name: str, source: Path, data_folder: Path, *, force: bool = False) -> Installed:
    """Find a data set in a folder or an archive and put it into the data folder.

    Args:
        name: its folder, and what `images` in assignment.toml says.
        source: a folder, or an archive; the files lie in it at any depth.
        data_folder: made if it is not there.
        force: take the place of a data set of this name.

    Raises:
        ConfigurationError: nothing was changed. The name is taken or cannot be one, the source holds no
            complete data set or what it must not, or the files are not what they should be.
    """
    _check_name(name)
    place = data_folder / name
    if place.exists() and not force:
        raise ConfigurationError(f"{place}: is there already; --force puts the new one in its place")
    with _scratch(data_folder, name) as scratch:
        fresh = scratch / name
        files = _gathered(name, source, fresh)
        with _told_of(_names(source, fresh, files)):
            installed = _described(name, fresh, place)
        _take_place(fresh, place, aside=scratch.with_name(f"{scratch.name}-before"))
    return installed


def _check_name(name: str) -> None:
    if name == DIGITS:
        raise ConfigurationError(f"'{DIGITS}' are part of the grader; choose another name")
    if not NAME.fullmatch(name):
        raise ConfigurationError(
            f"data set name {name!r}: expected lower-case letters, digits, '.', '_' and '-', "
            "such as fashion-mnist"
        )


@contextlib.contextmanager
def _scratch(data_folder: Path, name: str) -> Iterator[Path]:
    """A folder on the same file system, which is gone afterwards whatever happened."""
    try:
        data_folder.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=data_folder))
    except OSError as error:
        raise ConfigurationError(f"{data_folder}: cannot be written to: {error.strerror}") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _gathered(name: str, source: Path, fresh: Path) -> Mapping[PurePosixPath, str]:
    """The files of the data set under their canonical names, and their checksums beside them."""
    raw = fresh.with_name(".raw")
    raw.mkdir()
    fresh.mkdir()
    copies: dict[PurePosixPath, Path] = {}
    paths: list[PurePosixPath] = []

    def wanted(path: PurePosixPath) -> Path | None:
        if path in copies:
            raise ConfigurationError(f"{source}: holds {path} twice; do not trust this file")
        paths.append(path)
        if role(path) is None:
            return None
        copies[path] = raw / f"{len(copies)}{path.suffix.lower()}"
        return copies[path]

    links = take(source, wanted)
    try:
        files = chosen(name, paths)
    except ConfigurationError as error:
        raise ConfigurationError(f"{source}: {error}{_not_followed(links)}") from error
    for path, canonical in files.items():
        with _told_of({str(copies[path]): _given(source, path)}):
            refuse_bomb(copies[path])
        copies[path].rename(fresh / canonical)
    write_sums(fresh)
    return files


def _not_followed(links: int) -> str:
    if not links:
        return ""
    return f"; links are not followed ({links} found): give the folder that they lead to, or copies"


@contextlib.contextmanager
def _told_of(names: Mapping[str, str]) -> Iterator[None]:
    """Errors speak of what was given: our copies are gone by the time that somebody reads of them."""
    try:
        yield
    except ConfigurationError as error:
        said = str(error)
        for ours in sorted(names, key=len, reverse=True):
            said = said.replace(ours, names[ours])
        raise ConfigurationError(said) from error


def _names(source: Path, fresh: Path, files: Mapping[PurePosixPath, str]) -> Mapping[str, str]:
    """How errors call the files, the parts and the whole of a data set → what these are in the source."""
    names = {str(fresh / canonical): _given(source, path) for path, canonical in files.items()}
    for part, beginnings in (("training part", "train"), ("test part", ("test", "t10k"))):
        members = [
            str(path)
            for path, canonical in files.items()
            if len(files) == 1 or canonical.startswith(beginnings)
        ]
        inside = "" if _is_alone(source) else f" ({', '.join(sorted(members))})"
        names[f"{fresh}: {part}"] = f"{source}: {part}{inside}"
    return names | {str(fresh): str(source)}


def _given(source: Path, path: PurePosixPath) -> str:
    """A file of the source, as whoever gave it knows it."""
    if source.is_dir():
        return str(source / path)
    return str(source) if _is_alone(source) else f"{source}: {path}"


def _is_alone(source: Path) -> bool:
    """Whether the source is a data set in one file, not an archive of files."""
    return source.suffix == ".npz" and source.is_file()


def _described(name: str, fresh: Path, place: Path) -> Installed:
    """Read it as an examination will."""
    files = find_files(name, fresh.parent)
    test_labels = files.read(files.paths)[3]
    found = load_data_set(name, fresh.parent)
    return Installed(
        name=name,
        folder=place,
        train=len(found.labels) - len(test_labels),
        test=len(test_labels),
        shape=tuple(found.images.shape[1:]),
        classes=int(found.labels.max()) + 1,
        known_as=known_as(found),
        checksums=read_sums(fresh / SUMS),
    )


def _take_place(fresh: Path, place: Path, *, aside: Path) -> None:
    """Two renames; what was there before comes back, whatever stops them, or stays where it was put aside."""
    try:
        if place.exists():
            place.rename(aside)
        fresh.rename(place)
    except BaseException as error:
        kept = _put_back(aside, place)
        if isinstance(error, OSError):
            raise ConfigurationError(f"{place}: cannot be put there: {error.strerror}{kept}") from error
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _put_back(aside: Path, place: Path) -> str:
    """Where the data set before lies now, if that is not its place."""
    if not aside.exists() or place.exists():
        return ""
    try:
        aside.rename(place)
    except OSError:
        return f"; what was there before lies in {aside}"
    return ""
