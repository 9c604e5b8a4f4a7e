"""Archives that somebody else has made: what is wanted comes out, and nothing else can happen."""

import gzip
import io
import stat
import tarfile
import zipfile

import pytest

from grader.data import unpacking
from grader.data.unpacking import refuse_bomb, take
from grader.errors import ConfigurationError

DEVICES = {
    "symbolic link": (tarfile.SYMTYPE, "../../etc/passwd"),
    "hard link": (tarfile.LNKTYPE, "elsewhere"),
    "character device": (tarfile.CHRTYPE, ""),
    "block device": (tarfile.BLKTYPE, ""),
    "pipe": (tarfile.FIFOTYPE, ""),
}
NAMES_THAT_LEAD_OUT = ("../a", "a/../../b", "/etc/passwd", "a\\..\\b", "C:/a", "..")


def taken(source, folder):
    """Everything that is in a source, by name."""
    folder.mkdir()
    found = {}

    def wanted(path):
        found[str(path)] = folder / str(len(found))
        return found[str(path)]

    take(source, wanted)
    return {name: path.read_bytes() for name, path in found.items()}


def refusal(source, folder):
    with pytest.raises(ConfigurationError) as caught:
        taken(source, folder)
    assert str(source) in str(caught.value)
    return str(caught.value)


def make_zip(path, members, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def make_tar(path, members):
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


FILES = {"deep/er/a": b"one", "b": b"", "c.gz": b"\x1f\x8b two"}


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz", ".tgz", ""])
def test_every_kind_of_source_gives_the_same_files(tmp_path, ending):
    source = tmp_path / f"source{ending}"
    if not ending:
        (source / "deep" / "er").mkdir(parents=True)
        for name, content in FILES.items():
            (source / name).write_bytes(content)
    else:
        (make_zip if ending == ".zip" else make_tar)(source, FILES)
    assert taken(source, tmp_path / "out") == FILES


def test_what_nobody_wants_is_not_written(tmp_path):
    source = make_tar(tmp_path / "source.tgz", FILES)
    asked = []
    take(source, lambda path: asked.append(str(path)))
    assert sorted(asked) == sorted(FILES)
    assert [path.name for path in tmp_path.iterdir()] == ["source.tgz"]


def test_an_archive_of_arrays_is_taken_as_it_is(tmp_path):
    source = tmp_path / "set.npz"
    source.write_bytes(b"arrays")
    assert taken(source, tmp_path / "out") == {"set.npz": b"arrays"}


@pytest.mark.parametrize("name", NAMES_THAT_LEAD_OUT)
@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_a_name_that_leads_out_of_the_archive_is_refused(tmp_path, name, ending):
    make = make_zip if ending == ".zip" else make_tar
    said = refusal(make(tmp_path / f"source{ending}", {"good": b"", name: b"evil"}), tmp_path / "out")
    assert "could lead out of the archive" in said


@pytest.mark.parametrize("kind", DEVICES)
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    source = tmp_path / "source.tar"
    with tarfile.open(source, "w") as archive:
        member = tarfile.TarInfo("train-images-idx3-ubyte")
        member.type, member.linkname = DEVICES[kind]
        archive.addfile(member)
    assert "is a link or a device" in refusal(source, tmp_path / "out")


def test_a_file_with_holes_is_no_ordinary_file(tmp_path):
    source = tmp_path / "source.tar"
    with tarfile.open(source, "w", format=tarfile.GNU_FORMAT) as archive:
        member = tarfile.TarInfo("holes")
        member.type = tarfile.GNUTYPE_SPARSE
        archive.addfile(member)
    assert "is a link or a device" in refusal(source, tmp_path / "out")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO])
def test_links_and_devices_in_a_zip_are_refused(tmp_path, kind):
    member = zipfile.ZipInfo("train-images-idx3-ubyte")
    member.external_attr = (kind | 0o777) << 16
    source = make_zip(tmp_path / "source.zip", {member: b"/etc/passwd"})
    assert "is a link or a device" in refusal(source, tmp_path / "out")


def test_links_in_a_folder_are_not_followed(tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    source = tmp_path / "source"
    source.mkdir()
    (source / "link").symlink_to(tmp_path / "secret")
    (source / "up").symlink_to(tmp_path, target_is_directory=True)
    (source / "file").write_bytes(b"file")
    assert taken(source, tmp_path / "out") == {"file": b"file"}


def zeros(size):
    return {"zeros": b"\0" * size}


@pytest.mark.parametrize("ending", [".zip", ".tgz"])
def test_an_archive_that_unpacks_to_a_thousand_times_its_size_is_refused(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(unpacking, "ALWAYS_ALLOWED_BYTES", 10_000)
    make = make_zip if ending == ".zip" else make_tar
    source = make(tmp_path / f"source{ending}", zeros(2**20))
    assert source.stat().st_size * 100 < 2**20
    assert "unpacks to more than" in refusal(source, tmp_path / "out")
    monkeypatch.setattr(unpacking, "ALWAYS_ALLOWED_BYTES", 2**21)
    assert len(taken(source, tmp_path / "again")["zeros"]) == 2**20


@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_no_archive_unpacks_to_more_than_the_most(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(unpacking, "MOST_BYTES", 4096)
    make = make_zip if ending == ".zip" else make_tar
    source = make(tmp_path / f"source{ending}", {str(number): b"x" * 1500 for number in range(3)})
    assert "unpacks to more than 4096 bytes" in refusal(source, tmp_path / "out")


def test_a_header_that_announces_gigabytes_is_refused_before_they_are_read(tmp_path):
    source = tmp_path / "source.tar"
    member = tarfile.TarInfo("large")
    member.size = 2**40
    source.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024)
    assert "unpacks to more than" in refusal(source, tmp_path / "out")


def test_a_name_that_is_gigabytes_long_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "ALWAYS_ALLOWED_BYTES", 2**20)
    source = tmp_path / "source.tgz"
    member = tarfile.TarInfo("pax")
    member.type, member.size = tarfile.XHDTYPE, 2**25
    with gzip.open(source, "wb") as file:
        file.write(member.tobuf())
        for _ in range(32):
            file.write(b"\0" * 2**20)
    assert "headers of more than" in refusal(source, tmp_path / "out")


LONG_HEADERS = {
    "of the next file": tarfile.XHDTYPE,
    "of all that follow": tarfile.XGLTYPE,
    "of Solaris": tarfile.SOLARIS_XHDTYPE,
    "long name": tarfile.GNUTYPE_LONGNAME,
    "long link": tarfile.GNUTYPE_LONGLINK,
}


@pytest.mark.parametrize("kind", LONG_HEADERS)
@pytest.mark.parametrize("times", [1, 40])
def test_headers_that_take_more_memory_than_any_data_set_needs_are_refused(
    tmp_path, monkeypatch, kind, times
):
    """One of 4000 bytes, or many of 100, where 3000 are allowed."""
    monkeypatch.setattr(unpacking, "MOST_HEADER_BYTES", 3000)
    size = 4000 if times == 1 else 100
    header = tarfile.TarInfo("header")
    header.type, header.size = LONG_HEADERS[kind], size
    content = b"%d comment=" % size
    block = content.ljust(size - 1, b"x") + b"\n"
    source = tmp_path / "source.tar"
    padded = block.ljust(-(-size // 512) * 512, b"\0")
    files = (tarfile.TarInfo(f"file-{number}").tobuf() for number in range(times))
    source.write_bytes(b"".join(header.tobuf() + padded + file for file in files) + b"\0" * 1024)
    with pytest.raises(ConfigurationError, match="headers of more than 3000 bytes; do not trust this file"):
        take(source, lambda _: None)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_headers_of_headers_without_end_are_damage(tmp_path, kind):
    header = tarfile.TarInfo("header")
    header.type = kind
    source = tmp_path / "source.tar"
    source.write_bytes(header.tobuf() * 5000 + b"\0" * 1024)
    assert "cannot be unpacked" in refusal(source, tmp_path / "out")


def test_long_names_are_read(tmp_path):
    name = "/".join(["folder" * 10] * 5)
    assert taken(make_tar(tmp_path / "source.tar", {name: b"x"}), tmp_path / "out") == {name: b"x"}


def test_a_size_below_zero_is_damage(tmp_path):
    header = bytearray(tarfile.TarInfo("backwards").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = (-512).to_bytes(12, "big", signed=True)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    source = tmp_path / "source.tar"
    source.write_bytes(bytes(header) + b"\0" * 1024)
    assert "cannot be unpacked: backwards has -512 bytes" in refusal(source, tmp_path / "out")


@pytest.mark.parametrize("ending", [".zip", ".tar", ""])
def test_more_files_than_any_data_set_has_are_refused(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(unpacking, "MOST_FILES", 3)
    members = {f"{number}": b"" for number in range(4)}
    source = tmp_path / f"source{ending}"
    if ending:
        (make_zip if ending == ".zip" else make_tar)(source, members)
    else:
        source.mkdir()
        for name in members:
            (source / name).touch()
    assert "more than 3 files" in refusal(source, tmp_path / "out")


def test_an_encrypted_zip_says_so(tmp_path):
    source = make_zip(tmp_path / "source.zip", {"a": b"x"})
    content = bytearray(source.read_bytes())
    for mark, offset in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        content[content.index(mark) + offset] |= 1
    source.write_bytes(bytes(content))
    assert "a is encrypted" in refusal(source, tmp_path / "out")


@pytest.mark.parametrize("ending", [".zip", ".tgz", ".tar"])
def test_a_damaged_archive_says_so(tmp_path, ending):
    make = make_zip if ending == ".zip" else make_tar
    source = make(tmp_path / f"source{ending}", {"a": bytes(range(256)) * 400})
    source.write_bytes(source.read_bytes()[:-900] if ending != ".tar" else source.read_bytes()[:50_000])
    assert "cannot be unpacked" in refusal(source, tmp_path / "out")
    (tmp_path / f"none{ending}").write_bytes(b"no archive at all")
    assert "cannot be unpacked" in refusal(tmp_path / f"none{ending}", tmp_path / "again")


def test_a_wrong_checksum_inside_a_zip_is_damage(tmp_path):
    source = tmp_path / "source.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a", b"aaaa")
    source.write_bytes(source.read_bytes().replace(b"aaaa", b"aaab", 1))
    assert "cannot be unpacked" in refusal(source, tmp_path / "out")


def test_a_source_that_is_none_is_named(tmp_path):
    assert "no such folder or archive" in refusal(tmp_path / "nothing.zip", tmp_path / "out")
    (tmp_path / "a.rar").write_bytes(b"")
    said = refusal(tmp_path / "a.rar", tmp_path / "again")
    assert "expected a folder or an archive (.zip, .tar, .tar.gz, .tgz, .npz)" in said


def test_a_compressed_data_file_may_not_be_a_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "ALWAYS_ALLOWED_BYTES", 1000)
    packed, arrays, other = tmp_path / "a.gz", tmp_path / "a.npz", tmp_path / "a.npy"
    packed.write_bytes(gzip.compress(b"\0" * 2**20))
    make_zip(arrays, zeros(2**20))
    other.write_bytes(b"\0" * 2000)
    refuse_bomb(other)
    for path in (packed, arrays):
        with pytest.raises(ConfigurationError, match="unpacks to more than"):
            refuse_bomb(path)
    packed.write_bytes(b"no gzip")
    with pytest.raises(ConfigurationError, match="cannot be unpacked"):
        refuse_bomb(packed)
