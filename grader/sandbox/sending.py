"""A message with descriptors in, sent out, however many a session of the same user has on their way.

The kernel counts descriptors that were sent and not yet received by user, and refuses more than a process may
have open. Where the grader is not root, its sessions are the same user: one that fills a socket would keep
the grader from starting any other. A session's own limit is below the hard limit of nearly every system, so
raising ours to that is enough.
"""

import errno
import resource
import socket
from collections.abc import Sequence


def send_descriptors(connection: socket.socket, message: bytes, descriptors: Sequence[int]) -> None:
    """As `socket.send_fds`; raises our limit of open files where the kernel refuses for that count.

    Raises:
        OSError: it cannot be sent.
    """
    try:
        socket.send_fds(connection, [message], descriptors)
    except OSError as error:
        if error.errno != errno.ETOOMANYREFS:
            raise
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        socket.send_fds(connection, [message], descriptors)
