"""The list of mutations, which mutate.py tries by hand, fits the code and its tests."""

from mutate import MUTATIONS, ROOT, list_tests


def test_each_mutation_changes_one_place():
    assert len({one.name for one in MUTATIONS}) == len(MUTATIONS) >= 60
    for one in MUTATIONS:
        text = (ROOT / one.file).read_text(encoding="utf-8")
        assert text.count(one.old) == 1 and one.new != one.old, one.name


def test_the_tests_of_each_mutation_are_there():
    for one in MUTATIONS:
        for test in list_tests(one):
            file, name = test.split("[")[0].split("::")
            assert f"\ndef {name}(" in (ROOT / file).read_text(encoding="utf-8"), one.name
