import pytest

from agarnet_jax import whole_files


def test_a_file_is_replaced(tmp_path):
    path = tmp_path / "file"
    for contents in (b"first", b"second"):
        whole_files.write(path, contents)
        assert path.read_bytes() == contents
    assert list(tmp_path.iterdir()) == [path]


def test_no_other_file_is_touched(tmp_path):
    other = tmp_path / "file.part"
    other.write_bytes(b"mine")
    whole_files.write(tmp_path / "file", b"contents")
    assert other.read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["folder", "missing/file"])
def test_where_none_can_be_nothing_is_left(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=f"{name}'$"):
        whole_files.write(tmp_path / name, b"contents")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
