from hypothesis import given
from hypothesis import strategies as some

from grader.cluster.placement import Node, Nodes, Share
from grader.examine.executor import Resources

ONE = Resources()


def nodes_of(*nodes):
    nodes_ = Nodes()
    for node in nodes:
        nodes_.join(node)
    return nodes_


def place(nodes, key, resources=ONE, *, alone=False, kept_free=None):
    node = nodes.place(key, resources, alone=alone, kept_free=set() if kept_free is None else kept_free)
    return node.address if node else None


def test_work_goes_to_the_emptiest_node_and_no_further_than_its_slots():
    nodes = nodes_of(Node("a", "a", 1), Node("b", "b", 2))
    assert [place(nodes, key) for key in "wxyz"] == ["b", "a", "b", None]
    assert nodes.free_slots == 0
    nodes.give_back("x", "a")
    assert place(nodes, "z") == "a"


def test_a_gpu_is_shared_out_by_its_memory():
    nodes = nodes_of(Node("plain", "p", 8), Node("gpu", "g", 8, gpu_memory_mib=24_000))
    ten = Resources(gpu_memory_mib=10_000)
    assert [place(nodes, key, ten) for key in "abc"] == ["gpu", "gpu", None]
    assert place(nodes, "cpu") == "plain"
    assert nodes.give_back("a", "gpu") is True
    assert place(nodes, "c", ten) == "gpu"


def test_who_needs_a_gpu_to_itself_gets_an_empty_one_and_nobody_overtakes_it_for_ever():
    nodes = nodes_of(Node("g1", "g", 8, gpu_memory_mib=24_000), Node("g2", "g", 8, gpu_memory_mib=24_000))
    small, whole = Resources(gpu_memory_mib=1000), Resources(exclusive=True)
    assert [place(nodes, key, small) for key in "ab"] == ["g1", "g2"]
    kept_free = set()
    assert place(nodes, "whole", whole, kept_free=kept_free) is None
    assert kept_free == {"g1"}
    assert place(nodes, "c", small, kept_free=kept_free) == "g2"
    assert nodes.give_back("a", "g1") is False
    assert place(nodes, "whole", whole) == "g1"
    assert place(nodes, "d", small) == "g2"


def test_a_suspect_gets_a_node_to_itself():
    nodes = nodes_of(Node("a", "a", 2), Node("b", "b", 2))
    place(nodes, "neighbour")
    assert place(nodes, "suspect", alone=True) == "b"
    assert place(nodes, "x") == "a"
    assert place(nodes, "y") is None


def test_what_no_node_can_ever_run_is_said_at_once():
    nodes = nodes_of(Node("gpu", "g", 2, gpu_memory_mib=8000))
    assert nodes.why_never(Resources(gpu_memory_mib=8000)) == ""
    assert nodes.why_never(Resources(gpu_memory_mib=8001)).startswith(
        "it needs 8001 MiB of GPU memory and the largest node offers 8000 MiB"
    )
    assert nodes_of(Node("a", "a", 1)).why_never(Resources(exclusive=True)) != ""
    assert nodes_of().why_never(Resources(exclusive=True)) == ""


def test_a_node_that_leaves_names_what_ran_on_it():
    nodes = nodes_of(Node("a", "a", 2), Node("b", "b", 1))
    for key in "xyz":
        place(nodes, key)
    assert sorted([*nodes.leave("a"), *nodes.leave("b")]) == ["x", "y", "z"]
    assert nodes.leave("a") == ()
    assert nodes.give_back("x", "a") is False


@given(
    some.lists(some.tuples(some.integers(1, 4), some.sampled_from([0, 100, 300])), min_size=1, max_size=4),
    some.lists(
        some.tuples(
            some.integers(1, 3), some.sampled_from([0, 50, 100, 250]), some.booleans(), some.booleans()
        ),
        max_size=30,
    ),
)
def test_no_node_is_ever_given_more_than_it_has(shapes, wishes):
    all_nodes = [Node(str(n), "h", slots, gpu) for n, (slots, gpu) in enumerate(shapes)]
    nodes = nodes_of(*all_nodes)
    for n, (cpu, memory_mib, exclusive, alone) in enumerate(wishes):
        resources = Resources(cpu=cpu, gpu_memory_mib=memory_mib, exclusive=exclusive and memory_mib > 0)
        nodes.place(f"job {n}", resources, alone=alone, kept_free=set())
        for node in all_nodes:
            assert node.free_slots >= 0
            assert node.free_gpu_memory_mib >= 0


def test_more_slots_than_a_node_has_are_all_of_them():
    assert Node("a", "a", 2).share_of(Resources(cpu=5), alone=False) == Share(2)
    assert Node("a", "a", 2).share_of(ONE, alone=True) == Share(2)
