"""From files that somebody fetched to a data set that examinations can use: whole, or nothing at all."""

import gzip
import json
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from grader.cli import main
from grader.data import known_sets, unpacking
from grader.data.checksums import SUMS
from grader.data.data_sets import ARRAYS, IDX, KERAS, load_data_set
from grader.data.install import install
from grader.errors import ConfigurationError

from .generated import idx_bytes, large_digits, write_idx_set


@pytest.fixture(scope="module")
def parts():
    return large_digits(count=40, test=10)


@pytest.fixture
def source(tmp_path, parts):
    """A folder with the four files of MNIST, three levels down, and others beside them."""
    folder = write_idx_set(tmp_path / "source" / "package" / "data", parts, compressed=False)
    (folder.parent / "README.md").write_text("hello")
    return tmp_path / "source"


def refusal(*arguments, **options):
    with pytest.raises(ConfigurationError) as caught:
        install(*arguments, **options)
    return str(caught.value)


def archived(source, kind):
    """The folder as an archive: 'zip', 'tar', 'tgz' or 'tar.gz'."""
    path = source.with_name(f"packed.{kind}")
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in source.rglob("*"):
                archive.write(file, file.relative_to(source))
    else:
        with tarfile.open(path, "w" if kind == "tar" else "w:gz") as archive:
            archive.add(source, ".")
    return path


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "tgz", "tar.gz"])
def test_the_same_data_set_comes_out_of_a_folder_and_of_any_archive(tmp_path, source, parts, kind):
    given = source if kind == "folder" else archived(source, kind)
    installed = install("mnist", given, tmp_path / "data")
    found = load_data_set("mnist", tmp_path / "data")
    assert np.array_equal(found.images[:30, 0], parts[0])
    assert np.array_equal(found.labels[30:], parts[3])
    assert (installed.train, installed.test, installed.shape, installed.classes) == (30, 10, (1, 28, 28), 10)
    assert sorted(path.name for path in installed.folder.iterdir()) == sorted([*IDX, SUMS])
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["mnist"]
    subprocess.run(["sha256sum", "--check", SUMS], cwd=installed.folder, check=True, capture_output=True)


OTHER_NAMES = {
    "train-images.idx3-ubyte": 0, "train-labels.idx1-ubyte": 1, "t10k-images.idx3-ubyte": 2, "t10k-labels.idx1-ubyte": 3,
}  # fmt: skip


def test_other_names_become_the_canonical_ones(tmp_path, parts):
    source = tmp_path / "source"
    source.mkdir()
    for name, part in OTHER_NAMES.items():
        (source / name).write_bytes(idx_bytes(parts[part]))
    installed = install("mnist", source, tmp_path / "data")
    assert sorted(installed.checksums) == sorted(IDX)


def test_one_of_several_sets_is_chosen_by_its_name(tmp_path, parts):
    source = tmp_path / "gzip"
    source.mkdir()
    for kind, images in (("letters", parts[0]), ("digits", 255 - parts[0])):
        for name, array in zip(IDX, (images, *parts[1:]), strict=True):
            packed = gzip.compress(idx_bytes(array), 1)
            (source / f"emnist-{kind}-{name.replace('t10k', 'test')}.gz").write_bytes(packed)
    assert "several data sets: ./emnist-digits (IDX, compressed), " in refusal(
        "mine", source, tmp_path / "data"
    )
    install("emnist-letters", source, tmp_path / "data")
    assert np.array_equal(load_data_set("emnist-letters", tmp_path / "data").images[:30, 0], parts[0])


def test_files_that_are_there_compressed_too_are_taken_once(tmp_path, source):
    for path in (source / "package" / "data").iterdir():
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
    assert sorted(install("mnist", source, tmp_path / "data").checksums) == sorted(IDX)


def test_files_of_which_only_some_are_compressed_are_one_set(tmp_path, source, parts):
    path = source / "package" / "data" / IDX[1]
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
    path.unlink()
    installed = install("mnist", source, tmp_path / "data")
    assert sorted(installed.checksums) == sorted([IDX[0], f"{IDX[1]}.gz", *IDX[2:]])
    assert np.array_equal(load_data_set("mnist", tmp_path / "data").labels[:30], parts[1])


def test_a_whole_set_goes_before_a_mixture(tmp_path, source):
    for name in IDX:
        path = source / "package" / "data" / name
        path.with_name(f"{name}.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
    path.unlink()
    installed = install("mnist", source, tmp_path / "data")
    assert sorted(installed.checksums) == sorted(f"{name}.gz" for name in IDX)


@pytest.mark.parametrize("names", [ARRAYS, KERAS])
@pytest.mark.parametrize("kind", ["npy", "npz", "npz alone"])
def test_arrays_are_installed_as_well(tmp_path, parts, names, kind):
    source = tmp_path / "source" / "deep"
    source.mkdir(parents=True)
    if kind == "npy":
        for name, array in zip(names, parts, strict=True):
            np.save(source / f"{name}.npy", array)
    else:
        np.savez(source / "any name.npz", **dict(zip(names, parts, strict=True)))
    given = source / "any name.npz" if kind == "npz alone" else source.parent
    installed = install("shapes", given, tmp_path / "data")
    expected = [f"{name}.npy" for name in ARRAYS] if kind == "npy" else ["shapes.npz"]
    assert sorted(installed.checksums) == sorted(expected)
    assert np.array_equal(load_data_set("shapes", tmp_path / "data").images[:30, 0], parts[0])


def test_a_known_data_set_is_recognised_by_its_content_in_any_layout(tmp_path, source, parts, monkeypatch):
    assert install("mnist", source, tmp_path / "first").known_as == ""
    checksum = known_sets.content_checksum(load_data_set("mnist", tmp_path / "first"))
    monkeypatch.setitem(known_sets.KNOWN, checksum, "Small MNIST")
    np.savez(tmp_path / "any.npz", **dict(zip(KERAS, parts, strict=True)))
    for number, given in enumerate((source, tmp_path / "any.npz")):
        installed = install("mnist", given, tmp_path / str(number))
        assert installed.known_as == "Small MNIST"
        assert "every pixel and label is that of Small MNIST as published" in installed.text()
    shutil.copytree(source, tmp_path / "other")
    path = tmp_path / "other" / "package" / "data" / IDX[0]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    assert install("mnist", tmp_path / "other", tmp_path / "changed").known_as == ""


def test_what_is_there_stays_unless_it_is_forced(tmp_path, source, parts):
    install("mnist", source, tmp_path / "data")
    (tmp_path / "data" / "mnist" / "mine").write_text("mine")
    assert "is there already; --force" in refusal("mnist", source, tmp_path / "data")
    assert (tmp_path / "data" / "mnist" / "mine").is_file()
    install("mnist", source, tmp_path / "data", force=True)
    assert not (tmp_path / "data" / "mnist" / "mine").exists()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, MemoryError, OSError])
@pytest.mark.parametrize("moment", ["between the renames", "instead of the second"])
def test_whatever_stops_a_replacement_the_data_set_before_comes_back(
    tmp_path, source, monkeypatch, stop, moment
):
    install("mnist", source, tmp_path / "data")
    place, rename, stopped = tmp_path / "data" / "mnist", Path.rename, []
    (place / "mine").write_text("mine")

    def stopping(self, target):
        if moment == "instead of the second" and target == place and not stopped:
            stopped.append(self)
            raise stop
        rename(self, target)
        if moment == "between the renames" and self == place:
            stopped.append(self)
            raise stop

    monkeypatch.setattr(Path, "rename", stopping)
    with pytest.raises(ConfigurationError if stop is OSError else stop):
        install("mnist", source, tmp_path / "data", force=True)
    assert stopped
    assert (place / "mine").read_text() == "mine"
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["mnist"]


def test_a_data_set_that_cannot_be_put_back_is_not_thrown_away(tmp_path, source, monkeypatch):
    install("mnist", source, tmp_path / "data")
    place, rename = tmp_path / "data" / "mnist", Path.rename
    (place / "mine").write_text("mine")

    def stopping(self, target):
        if target == place:
            raise OSError(5, "Input/output error")
        rename(self, target)

    monkeypatch.setattr(Path, "rename", stopping)
    said = refusal("mnist", source, tmp_path / "data", force=True)
    (kept,) = (tmp_path / "data").iterdir()
    assert f"{place}: cannot be put there: Input/output error; what was there before lies in {kept}" in said
    assert (kept / "mine").read_text() == "mine"


@pytest.mark.parametrize("name", ["raw", "before"])
def test_any_name_can_be_installed_and_replaced(tmp_path, source, name):
    for _ in range(2):
        assert install(name, source, tmp_path / "data", force=True).folder == tmp_path / "data" / name
    assert [path.name for path in (tmp_path / "data").iterdir()] == [name]


BREAK = {
    "one file short": lambda folder: (folder / IDX[3]).unlink(),
    "cut short": lambda folder: (folder / IDX[0]).write_bytes((folder / IDX[0]).read_bytes()[:-1]),
    "labels and images swapped": lambda folder: (folder / IDX[0]).write_bytes((folder / IDX[1]).read_bytes()),
}
SAID = {
    "one file short": "no data set in package/README.md, package/data/t10k-images-idx3-ubyte, ",
    "cut short": f"source/package/data/{IDX[0]}: ends after ",
    "labels and images swapped": "1 dimensions; expected 3 or 4",
}


@pytest.mark.parametrize("how", BREAK)
@pytest.mark.parametrize("before", [True, False])
def test_what_cannot_be_read_changes_nothing(tmp_path, source, how, before):
    data = tmp_path / "data"
    if before:
        install("mnist", source, data)
    there = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    BREAK[how](source / "package" / "data")
    assert SAID[how] in refusal("mnist", source, data, force=True)
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == there
    assert [path.name for path in data.iterdir()] == (["mnist"] if before else [])


@pytest.mark.parametrize("kind", ["folder", "zip", "tgz"])
def test_a_refusal_names_the_source_and_the_file_in_it(tmp_path, source, kind):
    BREAK["cut short"](source / "package" / "data")
    given = source if kind == "folder" else archived(source, kind)
    name = f"{given}{'/' if kind == 'folder' else ': '}package/data/{IDX[0]}"
    said = refusal("mnist", given, tmp_path / "data")
    assert said.startswith(f"{name}: ends after ")


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_compressed_file_that_unpacks_to_too_much_is_named_as_it_was_given(
    tmp_path, source, kind, monkeypatch
):
    path = source / "package" / "data" / IDX[2]
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(b"\0" * 2**22))
    path.unlink()
    given = source if kind == "folder" else archived(source, kind)
    monkeypatch.setattr(unpacking, "ALWAYS_ALLOWED_BYTES", 2**20)
    said = refusal("mnist", given, tmp_path / "data")
    name = f"{given}{'/' if kind == 'folder' else ': '}package/data/{IDX[2]}.gz"
    assert said.startswith(f"{name}: unpacks to more than ")


WRONG = {
    "fewer labels": (lambda parts: (parts[0], parts[1][:-1], *parts[2:]), ": 30 images and 29 labels"),
    "another shape": (lambda parts: (*parts[:2], parts[2][:, :9], parts[3]), ": images of shape 9 x 28; "),
    "floats beyond 1": (lambda parts: (parts[0] / 2.0, *parts[1:]), ": images: a float outside 0 to 1; "),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("kind", ["npy", "npz", "npz alone"])
def test_a_refusal_of_arrays_names_the_source_and_the_files_in_it(tmp_path, parts, wrong, kind):
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    change, said = WRONG[wrong]
    part = "test" if wrong == "another shape" else "train"
    files = f"deep/{part}_images.npy, deep/{part}_labels.npy"
    if kind == "npy":
        for name, array in zip(ARRAYS, change(parts), strict=True):
            np.save(source / "deep" / f"{name}.npy", array)
    else:
        files = "deep/set.npz"
        np.savez(source / files, **dict(zip(ARRAYS, change(parts), strict=True)))
    given = source / files if kind == "npz alone" else source
    where = f"{given}: {'training' if part == 'train' else 'test'} part"
    where += "" if kind == "npz alone" else f" ({files})"
    assert refusal("shapes", given, tmp_path / "data").startswith(where + said)


@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_arrays_of_objects_are_refused_by_the_name_of_their_file(tmp_path, parts, kind):
    source = tmp_path / "source"
    source.mkdir()
    arrays = dict(zip(ARRAYS, (parts[0].astype(object), *parts[1:]), strict=True))
    if kind == "npz":
        np.savez(source / "set.npz", **arrays)
    else:
        for name, array in arrays.items():
            np.save(source / f"{name}.npy", array)
    name = f"{source}/set.npz: train_images " if kind == "npz" else f"{source}/train_images.npy: "
    said = refusal("shapes", source, tmp_path / "data")
    assert (
        said
        == f"{name}holds Python objects, which are never opened; save numbers, with a dtype such as uint8"
    )


def test_a_folder_of_links_is_told_that_they_are_not_followed(tmp_path, source):
    links = tmp_path / "links"
    links.mkdir()
    for path in (source / "package" / "data").iterdir():
        (links / path.name).symlink_to(path)
    (links / "all").symlink_to(source, target_is_directory=True)
    said = refusal("mnist", links, tmp_path / "data")
    assert said.startswith(f"{links}: no data set in nothing; expected ")
    assert said.endswith("; links are not followed (5 found): give the folder that they lead to, or copies")
    BREAK["one file short"](source / "package" / "data")
    assert "not followed" not in refusal("mnist", source, tmp_path / "data")


@pytest.mark.parametrize("place", ["https://example.org/mnist.zip", "s3://bucket/" + 300 * "x"])
def test_an_address_is_told_that_nothing_is_downloaded(toy_tree, place):
    arguments = ["data", "install", "mnist", "--from", place, "--course", str(toy_tree.root)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 3
    said = f"{place}: nothing is downloaded; fetch the file first and give the path where it lies\n"
    assert done.stderr == said


def test_help_names_every_kind_of_source():
    done = CliRunner().invoke(main, ["data", "install", "--help"])
    assert all(ending in done.stdout for ending in (".zip", ".tar", ".tar.gz", ".tgz or .npz"))


def test_a_hostile_archive_changes_nothing(tmp_path, source):
    given = archived(source, "tar")
    with tarfile.open(given, "a") as archive:
        member = tarfile.TarInfo("../evil")
        archive.addfile(member)
    assert "could lead out" in refusal("mnist", given, tmp_path / "data")
    assert not list((tmp_path / "data").iterdir())
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("ending", ["zip", "tar"])
def test_an_archive_with_a_file_twice_is_refused(tmp_path, source, ending):
    given = archived(source, ending)
    content = (source / "package" / "data" / IDX[0]).read_bytes()
    if ending == "zip":
        with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(given, "a") as archive:
            archive.writestr(f"package/data/{IDX[0]}", content)
    else:
        with tarfile.open(given, "a") as archive:
            archive.add(source / "package" / "data" / IDX[0], f"./package/data/{IDX[0]}")
    assert f"holds package/data/{IDX[0]} twice" in refusal("mnist", given, tmp_path / "data")


@pytest.mark.parametrize("name", ["../mnist", "MNIST", "", "a/b", ".hidden", "digits"])
def test_a_name_that_cannot_be_a_data_set_is_refused(tmp_path, source, name):
    said = refusal(name, source, tmp_path / "data")
    assert ("part of the grader" if name == "digits" else "expected lower-case letters") in said
    assert not (tmp_path / "data").exists()


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path, source):
    (tmp_path / "data").write_text("a file")
    assert f"{tmp_path / 'data'}: cannot be written to" in refusal("mnist", source, tmp_path / "data")


def test_the_command_installs_into_the_data_folder_of_the_course(toy_tree, source):
    arguments = ["data", "install", "mnist", "--from", str(source), "--course", str(toy_tree.root)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    place = toy_tree.data_dir() / "mnist"
    assert f"{place}: 30 training and 10 test images of 1 x 28 x 28, 10 classes\n" in done.stdout
    assert "not one of the data sets that are known by checksum (MNIST, Fashion-MNIST)" in done.stdout
    assert f"  {IDX[0]}\n" in done.stdout
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 3
    assert "--force" in again.stderr
    forced = CliRunner().invoke(main, [*arguments, "--force", "--json"])
    found = json.loads(forced.stdout)
    assert (found["train"], found["shape"], found["known_as"]) == (30, [1, 28, 28], None)


def test_an_absent_data_set_is_told_how_to_come_by(tmp_path):
    with pytest.raises(ConfigurationError, match="`grader data install mnist --from SOURCE`"):
        load_data_set("mnist", tmp_path)
