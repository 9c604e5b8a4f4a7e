"""What a child is given in, file descriptors that a stack closes out."""

import os
from contextlib import ExitStack


def pipe(stack: ExitStack) -> tuple[int, int]:
    """A pipe's read and write end, closed with the stack."""
    ends = os.pipe2(os.O_CLOEXEC)
    for end in ends:
        stack.callback(os.close, end)
    return ends


def memory_file(stack: ExitStack, content: bytes = b"") -> int:
    """A descriptor from which `content` can be read, closed with the stack."""
    descriptor = os.memfd_create("grader")
    stack.callback(os.close, descriptor)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def join(arguments: list[str]) -> bytes:
    """Arguments as `bwrap --args` reads them."""
    return b"".join(os.fsencode(argument) + b"\0" for argument in arguments)
