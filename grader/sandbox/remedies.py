"""What a start that failed has printed in, what to do about it out. Pure."""

_NAMESPACES = (
    "user namespaces are not permitted: `sudo sysctl -w user.max_user_namespaces=65536` and, if it exists, "
    "kernel.unprivileged_userns_clone=1; in a container, run it with `--security-opt seccomp=unconfined`, "
    "or start the grader outside of it"
)
_APPARMOR = (
    "AppArmor forbids user namespaces: `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, "
    "or an AppArmor profile with `userns,` for bwrap"
)
_OLD = "bubblewrap 0.8 or newer is needed; Debian 12 and Ubuntu 24.04 have it"
_MASKED_PROC = "this container hides parts of /proc: run it with `--security-opt systempaths=unconfined`"
_UNREADABLE = "every user must be able to read the interpreter's folders: `chmod -R a+rX` them"
_CONTROL_GROUP = "the session's control group cannot be joined: run as root or in a delegated scope"

_REMEDIES = {
    "setting up uid map: Permission denied": _APPARMOR,
    "reating new namespace": _NAMESPACES,
    "o permissions to creat": _NAMESPACES,
    "Can't mount proc": _MASKED_PROC,
    "Unknown option": _OLD,
    "cgroup.procs": _CONTROL_GROUP,
    "Permission denied": _UNREADABLE,
}
"""Part of a message of sh, mount or bwrap -> remedy; the first that fits."""


def explain(problem: str, printed: str) -> str:
    """One line for the person who runs the grader.

    Args:
        problem: what did not happen.
        printed: what the tools printed.
    """
    lines = [line for line in printed.splitlines() if line.strip()]
    found = "; ".join(lines[-3:]) or "nothing was printed"
    remedy = next((text for sign, text in _REMEDIES.items() if sign in printed), "see `grader doctor`")
    return f"{problem}: {found}; {remedy}"
