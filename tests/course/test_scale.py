import dataclasses

import pytest

from grader.course.scale import at_scale, bands_file
from grader.course.validate import validate
from grader.errors import ConfigurationError

from .trees import BANDS, replace, write

SETTINGS = "assignments/a1_toys/assignment.toml"
GPU = """
[tasks.scales.gpu]
config = { width = 64 }
budget = { steps = 900 }

[scales.gpu]
device = "cuda"
images = "mnist"
train_images = 60000
limits = { memory_mib = 9000 }
"""


@pytest.fixture
def scaled(tree):
    """The course without a mistake, with a second scale."""
    path = tree.root / SETTINGS
    write(path, path.read_text(encoding="utf-8") + GPU)
    return tree


def refusal(tree):
    with pytest.raises(ConfigurationError) as caught:
        tree.assignment("a1")
    return str(caught.value)


def test_without_a_word_the_sizes_of_the_file_count(scaled):
    found = scaled.assignment("a1")
    assert (found.scale, found.device, found.images, found.limits.memory_mib) == (
        "cpu",
        "cpu",
        "digits",
        2048,
    )
    assert found.tasks[0].config["width"] == 8
    assert found.scales == found.tasks[0].scales == {}


def test_a_scale_changes_what_it_names_and_nothing_else(scaled):
    found = dataclasses.replace(scaled, scale="gpu").assignment("a1")
    assert (found.scale, found.device, found.images, found.train_images) == ("gpu", "cuda", "mnist", 60000)
    assert (found.held_out_images, found.limits.memory_mib, found.limits.session_wall_s) == (500, 9000, 60)
    assert found.tasks[0].config == {"width": 64, "rate": 0.5, "wide": True, "name": "x"}
    assert found.tasks[0].budget == {"steps": 900, "wall_s": 5}


def test_the_file_itself_can_choose_the_scale(scaled):
    replace(scaled.root / SETTINGS, "seed = 3141592653589793", 'seed = 3141592653589793\nscale = "gpu"')
    assert scaled.assignment("a1").device == "cuda"
    assert dataclasses.replace(scaled, scale="cpu").assignment("a1").device == "cpu"


def test_a_scale_that_an_assignment_lacks_is_named(scaled):
    raw = scaled.read_assignment("a1_toys").record()
    with pytest.raises(ConfigurationError, match="a1_toys has no scale 'gpus'; did you mean 'gpu'"):
        at_scale(raw, "gpus")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seed = 3141592653589793", 'seed = 3141592653589793\nscale = "tpu"', "scale: no scale 'tpu'"),
        ("[scales.gpu]", "[scales.cpu]", "scales.cpu: is the scale of the file itself"),
        ("[scales.gpu]", "[scales.big]", "tasks[toy].scales.gpu: no table [scales.gpu] in this file"),
        (
            "{ width = 64 }",
            "{ widht = 64 }",
            "scales.gpu.config.widht: changes what is not there; did you mean",
        ),
        (
            "{ steps = 900 }",
            "{ epochs = 9 }",
            "tasks[toy].scales.gpu.budget.epochs: changes what is not there",
        ),
        ("memory_mib = 9000", "memory = 9000", "scales.gpu.limits.memory: changes what is not there"),
        ('"mnist"', '"../mnist"', "scales.gpu.images: '../mnist' is not the name of image data"),
        (
            "seed = 3141592653589793",
            'seed = 3141592653589793\nimages = "MNIST"',
            "images: 'MNIST' is not the name of image data",
        ),
        (
            "train_images = 60000",
            "train_images = 0",
            "scales.gpu.train_images: expected a whole number above 0",
        ),
        ('device = "cuda"', 'device = "gpu"', "scales.gpu.device: expected 'cpu' or 'cuda', got 'gpu'"),
    ],
)
def test_what_cannot_be_applied_is_named(scaled, old, new, said):
    replace(scaled.root / SETTINGS, old, new)
    assert said in refusal(scaled)


def test_every_scale_has_bands_of_its_own(scaled):
    gpu = dataclasses.replace(scaled, scale="gpu")
    assert scaled.bands_path("a1_toys").name == "bands.json"
    assert gpu.bands_path("a1_toys").name == "bands_gpu.json" == bands_file("gpu")
    assert gpu.bands("a1_toys") is None
    write(gpu.bands_path("a1_toys"), BANDS.replace("1.5", "0.5"))
    assert gpu.bands("a1_toys").bands["toy_loss"].full_at == 0.5
    assert scaled.bands("a1_toys").bands["toy_loss"].full_at == 1.5


def test_a_course_that_is_graded_on_cpu_needs_no_data(scaled):
    assert validate(scaled) == ()


def test_validation_looks_for_the_data_and_the_bands_of_the_chosen_scale(scaled):
    replace(scaled.root / SETTINGS, "seed = 3141592653589793", 'seed = 3141592653589793\nscale = "gpu"')
    write(scaled.root / "course.toml", 'data_folder = "sets"\n' + (scaled.root / "course.toml").read_text())
    first, second = (str(finding) for finding in validate(scaled))
    assert first.startswith(f"error: {SETTINGS}: images: 'mnist': there is no folder {scaled.root / 'sets'};")
    assert "bands_gpu.json: missing file for toy_loss" in second
    (scaled.root / "sets" / "mnist").mkdir(parents=True)
    write(scaled.bands_path("a1_toys"), BANDS)
    assert validate(type(scaled)(scaled.root)) == ()


def test_validation_names_a_budget_that_no_session_lasts_for(scaled):
    replace(scaled.root / SETTINGS, "{ steps = 900 }", "{ wall_s = 61 }")
    (finding,) = validate(scaled)
    assert finding.field == "tasks[toy].budget.wall_s"
    assert finding.message == "61 s at scale 'gpu'; a worker ends after limits.session_wall_s, 60 s"


def test_the_data_folder_lies_beside_the_course_or_elsewhere(scaled, tmp_path):
    assert scaled.data_dir() == scaled.root / "data"
    course = scaled.root / "course.toml"
    write(course, f'data_folder = "{tmp_path / "sets"}"\n' + course.read_text(encoding="utf-8"))
    assert type(scaled)(scaled.root).data_dir() == tmp_path / "sets"
