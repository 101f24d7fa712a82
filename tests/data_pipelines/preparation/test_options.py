"""Validation of folders, options and Beam's flags."""

import pytest

pytest.importorskip("apache_beam")

from data_pipelines.preparation import beam_options
from data_pipelines.preparation.options import PrepareOptions


def test_invalid_folders_are_named(folder, tmp_path, run):
    out = tmp_path / "out"
    with pytest.raises(FileNotFoundError, match="nowhere' is not a directory"):
        run(tmp_path / "nowhere", out)
    for inside in (folder, folder / "out"):
        with pytest.raises(ValueError, match="lies in the input"):
            run(folder, inside)
    with pytest.raises(ValueError, match="Output folder is empty"):
        run(folder, "")
    with pytest.raises(ValueError, match=r"contains one of \*\?\["):
        run(folder, tmp_path / "out[1]")
    with pytest.raises(ValueError, match="apache-beam"):
        run("nosuch://bucket/in", out)
    (tmp_path / "bare").mkdir()
    with pytest.raises(FileNotFoundError, match="holds no file"):
        run(tmp_path / "bare", out)
    assert not out.exists()
    # A sibling of the input folder with the same name prefix is valid.
    run(folder, tmp_path / "in_prepared")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile": 100}, "multiple of 8 of at least 128"),
        ({"tile": 120}, "at least 128"),
        ({"tile": -8}, "tile is -8"),
        ({"tile": 64, "min_side": 33}, "at least 80"),
        ({"min_side": 0}, "min_side is 0"),
        ({"shards": -1}, "shards is -1"),
    ],
)
def test_invalid_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        PrepareOptions(**options)


def test_unknown_flags_are_rejected_with_a_hint():
    beam_options.check(["--runner", "FlinkRunner", "--experiments=a,b", "--region=r"])
    for flag, hint in (("--runer=x", "--runner"), ("--tiel=8", "--tile"), ("stray", "see --help")):
        with pytest.raises(ValueError, match=f"Unknown flag '{flag}'.*{hint}"):
            beam_options.check([flag], other_flags=["tile"])


def test_only_local_runs_use_all_cores_by_default():
    assert beam_options.is_local(beam_options.parse([]))
    local = beam_options.parse(["--runner=DirectRunner"]).get_all_options(drop_default=True)
    assert local["direct_running_mode"] == "multi_processing"
    assert local["direct_num_workers"] == 0
    remote = beam_options.parse(["--runner=DataflowRunner", "--project=p"])
    assert not beam_options.is_local(remote)
    assert remote.get_all_options(drop_default=True) == {"runner": "DataflowRunner", "project": "p"}
    mine = beam_options.parse(["--direct_num_workers=3"]).get_all_options()
    assert (mine["direct_num_workers"], mine["direct_running_mode"]) == (3, "multi_processing")
