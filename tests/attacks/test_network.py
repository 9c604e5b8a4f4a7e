"""A submission tries to talk to somebody. Every listener here really listens, and must hear nothing."""

import secrets
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

pytestmark = pytest.mark.sandbox


@pytest.fixture
def service() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.setblocking(False)
        yield server


def heard_nothing(server: socket.socket) -> bool:
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return True
    return False


def test_a_service_on_the_hosts_loopback_is_not_reached(attack, service):
    port = service.getsockname()[1]
    with closing(socket.create_connection(("127.0.0.1", port))):
        assert not heard_nothing(service), "the service does not listen"
    outcome = attack(f"say(refusal(lambda: socket.create_connection(('127.0.0.1', {port}), 2)))")
    assert outcome.said == ["ECONNREFUSED"]
    assert heard_nothing(service)


def test_a_datagram_to_the_host_does_not_arrive(attack):
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        attack(
            f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'loot', ('127.0.0.1', {server.getsockname()[1]}))"
        )
        with pytest.raises(BlockingIOError):
            server.recv(100)


@pytest.mark.parametrize("address", ["192.0.2.1", "8.8.8.8", "169.254.169.254", "10.0.0.1"])
def test_no_address_outside_can_be_reached(attack, address):
    outcome = attack(f"say(refusal(lambda: socket.create_connection(({address!r}, 53), 2)))")
    assert outcome.said == ["ENETUNREACH"]


def test_no_name_is_resolved(attack):
    script = """
    try:
        say(socket.gethostbyname("example.com"))
    except socket.gaierror:
        say("no such name")
    """
    assert attack(script).said == ["no such name"]


def test_only_the_loopback_interface_is_there(attack):
    outcome = attack("say([line.split(':')[0].strip() for line in open('/proc/net/dev').readlines()[2:]])")
    assert outcome.said == [["lo"]]


def test_an_abstract_unix_socket_of_the_host_is_not_reached(attack):
    name = f"examiner-{secrets.token_hex(8)}"
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(f"\0{name}")
        server.listen()
        server.setblocking(False)
        outcome = attack(f"say(refusal(lambda: socket.socket(socket.AF_UNIX).connect('\\0{name}')))")
        assert outcome.said == ["ECONNREFUSED"]
        assert heard_nothing(server)


def test_a_unix_socket_in_a_folder_of_the_host_is_not_reached(attack, tmp_path):
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        server.setblocking(False)
        outcome = attack(
            f"say(refusal(lambda: socket.socket(socket.AF_UNIX).connect({str(tmp_path / 's')!r})))"
        )
        assert outcome.said == ["ENOENT"]
        assert heard_nothing(server)


@pytest.mark.parametrize(
    ("name", "family"),
    [("netlink", 16), ("packet", 17), ("alg", 38), ("vsock", 40), ("xdp", 44), ("unknown", 77)],
)
def test_families_of_sockets_that_leave_the_network_namespace_are_refused(attack, name, family):
    outcome = attack(f"say([refusal(lambda: socket.socket({family}, kind)) for kind in (1, 2, 3)])")
    assert outcome.said == [["EAFNOSUPPORT"] * 3]


def test_a_family_hidden_in_the_upper_half_of_the_register_is_refused(attack):
    outcome = attack("say(call(41, ctypes.c_uint64(0x1_0000_0000 | 40), 1, 0))")
    assert outcome.said == ["EAFNOSUPPORT"]


def test_its_own_loopback_still_works(attack):
    script = """
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    client.sendall(b"hello")
    say(server.accept()[0].recv(5).decode())
    """
    assert attack(script).said == ["hello"]
