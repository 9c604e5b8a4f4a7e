"""What a session printed in, the end of it as harmless text out."""

import os

TAIL_BYTES = 64 * 1024
_CHUNK_BYTES = 64 * 1024
_PLAIN = frozenset("\n\t")


class Tail:
    """Drains a pipe for ever, remembers how much came and keeps only the end."""

    def __init__(self, descriptor: int, *, keep_bytes: int = TAIL_BYTES) -> None:
        """Take the read end of a pipe, which becomes non-blocking; the caller closes it."""
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._keep_bytes = keep_bytes
        self._end = bytearray()
        self.total_bytes = 0

    def drain(self) -> bool:
        """Read one chunk, at most; False when there was nothing to read."""
        try:
            chunk = os.read(self._descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            return False
        self.total_bytes += len(chunk)
        self._end = (self._end + chunk)[-self._keep_bytes :]
        return bool(chunk)

    def text(self) -> str:
        """The end, decoded, with control characters made visible."""
        return make_visible(self._end.decode("utf-8", errors="backslashreplace"))


def make_visible(text: str) -> str:
    r"""Replace what would steer a terminal or turn text around by its escape, as `\x1b`."""
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character in _PLAIN or character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
