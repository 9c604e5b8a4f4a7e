import pytest

from grader.cluster.target import Target, read_settings, target_of
from grader.course.tree import CourseTree
from grader.errors import ConfigurationError


def test_a_place_is_read_as_it_is_written():
    assert target_of("local:4") == Target("local", workers=4)
    assert target_of("slurm") == Target("slurm")
    assert target_of("tls://node-1.example.org:8786") == Target(
        "address", address="tls://node-1.example.org:8786"
    )
    assert target_of("tls://[::1]:8786").is_encrypted


@pytest.mark.parametrize(
    "text", ["", "local", "local:0", "local:-1", "host:8786", "http://host:1", "tcp://host", "SLURM"]
)
def test_anything_else_is_refused_with_the_forms_that_are_known(text):
    with pytest.raises(
        ConfigurationError, match=r"--cluster: expected local:4, tcp://host:8786, .* or slurm, got"
    ):
        target_of(text, insecure=True)


def test_a_scheduler_without_encryption_is_joined_only_by_who_says_so():
    with pytest.raises(
        ConfigurationError, match=r"pickled Python: who reaches it runs code as you.*--cluster-insecure"
    ):
        target_of("tcp://127.0.0.1:8786")
    assert target_of("tcp://127.0.0.1:8786", insecure=True).address == "tcp://127.0.0.1:8786"


def test_settings_have_a_file_of_their_own(tmp_path):
    file = tmp_path / "night.toml"
    file.write_text('jobs = 3\ncores = 8\nqueue = "gpu"\ngres = "gpu:1"\ngpu_memory_mib = 80000\n')
    settings = read_settings(file)
    assert (settings.jobs, settings.cores, settings.queue, settings.gpu_memory_mib) == (3, 8, "gpu", 80000)


MISTAKES = {
    "job = 3": "job: unknown field; did you mean 'jobs'?",
    "jobs = 0": "jobs: expected a whole number above 0, got 0",
    'walltime_minutes = "4h"': "walltime_minutes: expected a whole number above 0, got '4h'",
    'queue = "a b"': "queue: 'a b' has a space in it, which a job script cannot carry",
    'gres = "gpu:1"': "gpu_memory_mib: missing; say how much memory the GPU of a job has, so that it can be shared out",
    'directives = ["constraint=a"]': "directives: 'constraint=a' is not an option of sbatch; write it with its dashes",
    'prologue = ["a\\nb"]': "prologue: 'a' goes on after its line; write one entry for each line",
    'tls_key = "k"': "tls_ca_file: authority, certificate and key belong together; give all three or none",
}


@pytest.mark.parametrize(("line", "said"), MISTAKES.items())
def test_a_mistake_in_the_settings_is_named_with_file_and_field(tmp_path, line, said):
    file = tmp_path / "night.toml"
    file.write_text(f"{line}\n")
    with pytest.raises(ConfigurationError) as error:
        read_settings(file)
    assert str(error.value) == f"{file}: {said}"


def test_the_same_mistake_in_course_toml_names_the_table(toy_tree):
    path = toy_tree.root / "course.toml"
    path.write_text(path.read_text() + '\n[cluster]\ngres = "gpu:1"\n')
    with pytest.raises(ConfigurationError, match=r"course.toml: cluster.gpu_memory_mib: missing"):
        _ = CourseTree.open(toy_tree.root).course
