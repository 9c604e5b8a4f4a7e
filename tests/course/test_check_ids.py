import pytest

from grader.course.check_ids import covers, exists

KL = "hidden/test_vae.py::test_kl"


@pytest.mark.parametrize("pattern", ["hidden", "hidden/", "hidden/test_vae.py", KL])
def test_a_folder_a_file_and_the_check_itself_mean_a_check(pattern):
    assert covers(pattern, KL)


def test_a_check_means_all_its_parameters_and_one_of_them_only_itself():
    assert covers(KL, f"{KL}[3-4]")
    assert covers(f"{KL}[3-4]", f"{KL}[3-4]")
    assert not covers(f"{KL}[3-4]", f"{KL}[3-5]")


@pytest.mark.parametrize("pattern", ["hid", "hidden/test_va", "hidden/test_vae", f"{KL[:-1]}", "public", ""])
def test_the_beginning_of_a_name_is_not_the_name(pattern):
    assert not covers(pattern, KL)


def test_an_id_exists_where_it_means_a_check_or_parameters_of_one():
    assert exists(f"{KL}[3]", [KL])
    assert exists("hidden", [KL])
    assert not exists("hidden/test_gan.py", [KL])
    assert not exists("hidden", [])
