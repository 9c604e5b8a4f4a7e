"""An attack's name in, what is known to come of it in tier C out. No I/O.

An attack that is not contained says what it believes to have got, which may be less than it sounds: that a
file is there, where nothing of it can be read. docs/sandbox.md has the same list.
"""

IN_TIER_C = {
    "reading/system-files": "that such files are there, with their sizes and times; nothing that they hold",
    "reading/grader-source": "that such folders are there; nothing that they hold",
    "signals/others": "a descriptor of the grader's process, through which nothing can be sent",
    "exhaustion/socket-buffers": "memory that the kernel holds for sockets, until the session ends",
}
"""Attack -> what it gets in a session without namespaces."""
