"""Reading pretrained word vectors."""

import gzip

import numpy as np
import pytest

from components.errors import UserError
from components.tagger import vectors

LINES = "the 0.5 1\nApple 2 -3e-1\napple 9 9\nin 2004 7 8\n1999 4 5\n"


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "vectors"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


@pytest.mark.parametrize("content", [LINES, "5 2\n" + LINES, gzip.compress(LINES.encode()), LINES.replace("\n", " \n")])
def test_each_form_of_file_is_read_alike(file, content):
    found = vectors.read(file(content), {"apple", "absent"}, limit=2)
    assert found.dimensions == 2 and list(found.known) == ["apple"] and found.others == ("the", "in 0000")
    np.testing.assert_allclose(found.known["apple"], [2, -0.3], rtol=1e-6)
    np.testing.assert_allclose(found.extra, [[0.5, 1], [7, 8]])


def test_without_room_for_others_there_are_none(file):
    found = vectors.read(file(LINES), {"apple"}, limit=0)
    assert found.others == () and found.extra.shape == (0, 2)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("a 1 2\nb 1\n", 2),
        ("a 1 2\nb 1 x\n", 2),
        ("a 1 nan\n", 1),
        ("", 1),
        ("3 2\n", 1),
        ("words alone\n", 1),
        ("word\n", 1),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(file, content, line):
    path = file(content)
    with pytest.raises(UserError, match=f"{path}:{line}: "):
        vectors.read(path, {"a", "b"}, limit=10)


def test_a_missing_file_and_a_torn_gzip_are_refused(file, tmp_path):
    with pytest.raises(UserError, match="cannot read"):
        vectors.read(str(tmp_path / "none"), set(), 1)
    with pytest.raises(UserError, match="cannot read"):
        vectors.read(file(gzip.compress(LINES.encode() * 99)[:-20]), set(), 1)


def test_the_width_is_known_from_the_first_lines(file):
    assert vectors.dimensions_of(file("5 2\n" + LINES)) == 2
