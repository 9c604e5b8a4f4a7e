"""Messages of the tools, as they were seen, and what to do."""

import pytest

from grader.sandbox.remedies import explain


@pytest.mark.parametrize(
    ("printed", "remedy"),
    [
        ("bwrap: setting up uid map: Permission denied", "apparmor_restrict_unprivileged_userns=0"),
        ("bwrap: Creating new namespace failed: Operation not permitted", "user.max_user_namespaces"),
        (
            "bwrap: No permissions to creating new namespace, likely because the kernel does not allow",
            "user.max_user_namespaces",
        ),
        (
            "bwrap: No permissions to create new namespace, likely because the kernel does not allow",
            "unprivileged_userns_clone=1",
        ),
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "systempaths=unconfined"),
        ("bwrap: Unknown option --disable-userns", "bubblewrap 0.8 or newer"),
        ("sh: 3: cannot create /sys/fs/cgroup/x/cgroup.procs: Permission denied", "delegated scope"),
        ("bwrap: Can't find source path /root/env: Permission denied", "chmod -R a+rX"),
        ("something new", "grader doctor"),
    ],
)
def test_a_known_message_leads_to_its_remedy(printed, remedy):
    message = explain("the sandbox could not be set up", printed)
    assert message.startswith("the sandbox could not be set up: " + printed[:20])
    assert remedy in message


def test_silence_is_said_to_be_silence():
    assert explain("it did not start", "\n") == "it did not start: nothing was printed; see `grader doctor`"
