"""Records in, one after the other; the same records out by their keys, each read anew. Memory holds the keys.

A class is too large to be held with all that was found out about it. The file has no name: it is gone with
the shelf, and with the process whatever ends it.
"""

import os
import tempfile
import weakref
from collections.abc import Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from grader.records import Record

Key = TypeVar("Key", bound=Hashable)
RecordType = TypeVar("RecordType", bound=Record)


class Shelf(Mapping[Key, RecordType]):
    """Records of one type in the order in which they came. Reading is safe from several threads."""

    def __init__(
        self, record_type: type[RecordType], records: Iterable[tuple[Key, RecordType]], *, folder: Path
    ) -> None:
        """Take all records; none of them is held.

        Args:
            record_type: of all records.
            records: each with its key; of two with the same key the later one is kept, in the place of the
                earlier one.
            folder: where there is room for them, on a disk and not in memory.
        """
        self._record_type = record_type
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - open as long as the shelf is there
        weakref.finalize(self, self._file.close)
        self._places: dict[Key, tuple[int, int]] = {}
        for key, record in records:
            content = record.model_dump_json().encode()
            self._places[key] = self._file.tell(), len(content)
            self._file.write(content)
        self._file.flush()

    def __getitem__(self, key: Key) -> RecordType:
        start, length = self._places[key]
        return self._record_type.model_validate_json(os.pread(self._file.fileno(), length, start))

    def __iter__(self) -> Iterator[Key]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
