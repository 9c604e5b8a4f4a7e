"""A folder in; an error where it lies on a network file system, on which SQLite loses data, out."""

from pathlib import Path

import psutil

from grader.errors import StoreError

NETWORK = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afs", "afpfs", "webdav", "davfs", "ncpfs"),
        *("ceph", "lustre", "gpfs", "beegfs", "panfs", "ocfs2", "gfs2", "pvfs2", "orangefs", "glusterfs"),
        *("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone", "fuse.juicefs"),
    )
)
"""Types as the mount table names them; locks or shared memory do not work between the machines of these."""


def refuse_network(folder: Path, mounts: dict[str, str] | None = None) -> None:
    """Let local folders pass.

    Args:
        folder: where a database is to lie.
        mounts: type of file system by mount point; by default the mount table of this machine.

    Raises:
        StoreError: the folder is on a network file system, by the type of its mount.
    """
    kind = file_system_of(folder, mounts if mounts is not None else _mounts())
    if kind in NETWORK:
        raise StoreError(
            f"{folder} is on a network file system ({kind}), where SQLite loses data; give --state a folder "
            "on a local disk, or keep the state of examinations in PostgreSQL with --state-url"
        )


def file_system_of(folder: Path, mounts: dict[str, str]) -> str:
    """The type of the mount that a folder lies on; empty where no mount is known."""
    resolved = folder.resolve()
    for place in (resolved, *resolved.parents):
        if (kind := mounts.get(str(place))) is not None:
            return kind
    return ""


def _mounts() -> dict[str, str]:
    """Of several mounts on one place the last is the one that is seen."""
    return {each.mountpoint: each.fstype for each in psutil.disk_partitions(all=True)}
