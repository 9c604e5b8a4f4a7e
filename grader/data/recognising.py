"""Names of files in, the data set that they make up and its canonical names out. Pure; no torch.

The four files of MNIST go by several names, a folder of EMNIST holds six sets at once, and some folders hold
every file twice, compressed and not. What is chosen is one complete set, or nothing.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from grader.data.data_sets import ARRAYS, IDX
from grader.errors import ConfigurationError

IDX_NAME = re.compile(
    r"(?:(.+)[-_.])?(train|t10k|test)[-_.](images|labels)[-_.]idx[13][-_.]ubyte(\.gz)?", re.IGNORECASE
)
ARRAY_NAME = re.compile(r"(?:(train|test)_(images|labels)|([xy])_(train|test))\.npy", re.IGNORECASE)
MOST_SHOWN = 8


class Group(NamedTuple):
    """Files that belong together: of one folder, one prefix such as 'emnist-letters', one layout."""

    folder: PurePosixPath
    prefix: str
    layout: str


def role(path: PurePosixPath) -> tuple[Group, str] | None:
    """Which set a file belongs to and which of its files it is, as its canonical name; None if it is none."""
    if found := IDX_NAME.fullmatch(path.name):
        prefix, part, kind, packed = found.groups()
        part = "train" if part.lower() == "train" else "t10k"
        name = f"{part}-{kind.lower()}-idx{3 if kind.lower() == 'images' else 1}-ubyte"
        return Group(path.parent, (prefix or "").lower(), "gz" if packed else "idx"), name
    if found := ARRAY_NAME.fullmatch(path.name):
        part, kind, letter, of = (word and word.lower() for word in found.groups())
        return Group(path.parent, "", "npy"), (
            f"{part}_{kind}" if part else f"{of}_{'images' if letter == 'x' else 'labels'}"
        )
    if path.suffix.lower() == ".npz":
        return Group(path.parent, path.stem.lower(), "npz"), ""
    return None


def chosen(name: str, paths: Iterable[PurePosixPath]) -> Mapping[PurePosixPath, str]:
    """The files to install, each with the name that it gets in `<data_folder>/<name>/`.

    Args:
        name: of the data set; decides where a source holds several.
        paths: all files of the source.

    Raises:
        ConfigurationError: no complete set is there, or several and none of them has this name.
    """
    paths = list(paths)
    sets: dict[Group, dict[str, PurePosixPath]] = {}
    for path in paths:
        if found := role(path):
            sets.setdefault(found[0], {})[found[1]] = path
    complete = {group: files for group, files in sets.items() if len(files) == _needed(group)}
    complete |= _mixtures(sets, complete)
    if not complete:
        raise ConfigurationError(f"no data set in {_listing(paths)}; expected {_expected()}")
    group = _only(name, complete)
    return {path: _canonical(group, role_name, path, name) for role_name, path in complete[group].items()}


def _mixtures(
    sets: Mapping[Group, dict[str, PurePosixPath]], complete: Mapping[Group, object]
) -> dict[Group, dict[str, PurePosixPath]]:
    """Sets of which some files are compressed and the others are not, where neither kind is complete."""
    found = {}
    for packed in (group for group in sets if group.layout == "gz"):
        plain = packed._replace(layout="idx")
        files = sets[packed] | sets.get(plain, {})
        if len(files) == _needed(plain) and not {packed, plain} & set(complete):
            found[plain] = files
    return found


def _only(name: str, complete: Mapping[Group, object]) -> Group:
    """One set: the one of this name where there are several; plain files rather than the same compressed."""
    named = [group for group in complete if name.lower() in {group.prefix, group.folder.name.lower()}]
    fitting = named or list(complete)
    plain = [
        group for group in fitting if group.layout != "gz" or group._replace(layout="idx") not in complete
    ]
    if len(plain) > 1:
        raise ConfigurationError(
            f"several data sets: {', '.join(sorted(map(_shown, plain)))}; "
            "give the folder of one of them, or install under the name of one"
        )
    return plain[0]


def _needed(group: Group) -> int:
    return 1 if group.layout == "npz" else len(ARRAYS)


def _canonical(group: Group, role_name: str, path: PurePosixPath, name: str) -> str:
    packed = ".gz" if path.suffix.lower() == ".gz" else ""
    ending = {"idx": packed, "gz": packed, "npy": ".npy", "npz": f"{name}.npz"}[group.layout]
    return f"{role_name}{ending}"


def _shown(group: Group) -> str:
    kind = {"idx": "IDX", "gz": "IDX, compressed", "npy": "NumPy arrays", "npz": "an archive of arrays"}
    where = f"{group.folder}/{group.prefix}" if group.prefix else str(group.folder)
    return f"{where} ({kind[group.layout]})"


def _listing(paths: list[PurePosixPath]) -> str:
    shown = ", ".join(sorted(map(str, paths))[:MOST_SHOWN]) or "nothing"
    return f"{shown} and {len(paths) - MOST_SHOWN} more" if len(paths) > MOST_SHOWN else shown


def _expected() -> str:
    arrays = ", ".join(f"{each}.npy" for each in ARRAYS)
    return f"{', '.join(IDX)} (each with .gz or without), or {arrays}, or a .npz"
