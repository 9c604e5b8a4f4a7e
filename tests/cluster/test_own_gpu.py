"""Which GPU a worker of a cluster takes."""

import pytest

from grader.cluster.node import own_gpu
from grader.errors import ClusterError
from grader.examine.gpus import Gpu


def test_a_worker_takes_the_gpu_that_it_was_left_by_the_number_of_its_device_node():
    assert own_gpu([Gpu(3, 80_000)]) == 3


@pytest.mark.parametrize(
    ("gpus", "said"), [([], "found none"), ([Gpu(0, 80_000), Gpu(1, 80_000)], r"found 2 \(0, 1\)")]
)
def test_a_worker_without_one_gpu_of_its_own_says_how_it_gets_one(gpus, said):
    with pytest.raises(ClusterError, match=f"expected one GPU .*{said}; .*CUDA_VISIBLE_DEVICES"):
        own_gpu(gpus)
