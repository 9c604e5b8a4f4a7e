"""What `nvidia-smi` and the driver's files say in, GPUs by the number of their device node out."""

import pytest

from grader.examine.gpus import Gpu
from grader.examine.inventory import Listed, find_gpus, listed_gpus, numbered, visible
from grader.examine.request import new_request
from grader.examine.supervise import variables_of

TWO = "0, 81559, 00000000:05:00.0\n1, 24576, 00000000:06:00.0\n"


@pytest.fixture
def driver(tmp_path):
    """The driver's folder of a machine on which the numbers of nodes and of `nvidia-smi` differ."""
    for bus, minor in (("0000:05:00.0", 3), ("0000:06:00.0", 2)):
        folder = tmp_path / bus
        folder.mkdir()
        (folder / "information").write_text(
            f"Model: \t\t NVIDIA H200\nBus Location: \t {bus}\nDevice Minor: \t {minor}\nGPU Excluded:\t No\n"
        )
    return tmp_path


def test_each_gpu_is_listed_with_its_memory_and_its_place_on_the_bus():
    assert listed_gpus(TWO) == (
        Listed(0, 81559, "00000000:05:00.0"),
        Listed(1, 24576, "00000000:06:00.0"),
    )


@pytest.mark.parametrize("memory", ["[N/A]", "[Not Supported]", ""])
def test_memory_that_nobody_tells_is_none(memory):
    assert listed_gpus(f"0, {memory}, 00000000:05:00.0\n") == (Listed(0, 0, "00000000:05:00.0"),)


def test_a_line_that_is_no_gpu_is_passed_over():
    assert listed_gpus("No devices were found\nWARNING: infoROM is corrupted, see the log\n") == ()


def test_a_gpu_has_the_number_of_its_device_node_not_that_of_nvidia_smi(driver):
    """Sessions are shown /dev/nvidia<number>: with the other number they would get the neighbour's GPU."""
    assert numbered(listed_gpus(TWO), nodes=(2, 3), driver=driver) == (Gpu(3, 81559), Gpu(2, 24576))


def test_in_a_container_with_the_fourth_gpu_alone_that_one_is_found(driver):
    one = listed_gpus("0, 81559, 00000000:05:00.0\n")
    assert numbered(one, nodes=(3,), driver=driver) == (Gpu(3, 81559),)


def test_nodes_of_gpus_that_we_may_not_use_are_left_alone(driver):
    one = listed_gpus("0, 24576, 00000000:06:00.0\n")
    assert numbered(one, nodes=(0, 1, 2, 3), driver=driver) == (Gpu(2, 24576),)


def test_without_the_drivers_files_nodes_and_lines_are_paired_in_their_order(tmp_path):
    assert numbered(listed_gpus(TWO), nodes=(4, 7), driver=tmp_path) == (Gpu(4, 81559), Gpu(7, 24576))


def test_without_them_and_with_more_nodes_than_lines_memory_is_not_known(tmp_path):
    """Which node belongs to which line nobody can say, so each takes one job at a time."""
    one = listed_gpus("0, 81559, 00000000:05:00.0\n")
    assert numbered(one, nodes=(0, 1), driver=tmp_path) == (Gpu(0, 0), Gpu(1, 0))


@pytest.mark.parametrize(
    ("chosen", "places"),
    [(None, [0, 1]), ("1", [1]), ("1,0", [0, 1]), ("", []), ("-1", []), ("GPU-b", [1]), ("GPU-z", [])],
)
def test_only_the_gpus_that_whoever_started_us_has_left_us_are_used(chosen, places):
    listed = (Listed(0, 81559, "0000:05:00.0", "GPU-a1"), Listed(1, 81559, "0000:06:00.0", "GPU-b2"))
    assert [gpu.index for gpu in visible(listed, chosen)] == places


def test_a_bus_with_letters_and_a_long_domain_is_the_same_place(tmp_path):
    folder = tmp_path / "0000:9d:00.0"
    folder.mkdir()
    (folder / "information").write_text("Device Minor: \t 5\n")
    assert numbered(listed_gpus("0, 81559, 00000000:9D:00.0\n"), nodes=(5,), driver=tmp_path) == (
        Gpu(5, 81559),
    )


def test_what_the_program_lists_becomes_gpus(tmp_path, monkeypatch):
    """The real command line, asked of a program that stands in PATH under that name."""
    program = tmp_path / "nvidia-smi"
    program.write_text(
        "#!/bin/sh\n"
        '[ "$1" = --query-gpu=index,memory.total,pci.bus_id,uuid ] || exit 9\n'
        '[ "$2" = --format=csv,noheader,nounits ] || exit 9\n'
        "echo '0, 143771, 00000000:05:00.0, GPU-a1'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("grader.examine.inventory.list_gpus", lambda: (0,))
    assert find_gpus() == (Gpu(0, 143771),)
    program.write_text("#!/bin/sh\nexit 9\n")
    assert find_gpus() == (Gpu(0, 0),)


@pytest.mark.parametrize(("gpu", "nodes", "place"), [(3, (3,), "0"), (2, (0, 2, 5), "1"), (1, (), "1")])
def test_cuda_counts_the_gpus_that_it_finds_and_not_their_device_nodes(
    toy_work, toy_material, gpu, nodes, place
):
    request = new_request(toy_work("pass\n"), toy_material, sandbox="fake", seed=1)
    told = variables_of(request.model_copy(update={"gpu": gpu}), nodes=nodes)
    assert (told["CUDA_VISIBLE_DEVICES"], told["CUDA_DEVICE_ORDER"]) == (place, "PCI_BUS_ID")
