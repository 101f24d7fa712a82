import dataclasses

import matplotlib.pyplot as plt
import pytest

from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.degradations.tables import TableFamily
from experiments.evaluating import plots
from experiments.evaluating.records import INPUT, Record, Results
from experiments.evaluating.scoring import Scores
from experiments.evaluating.suites import BLIND, jpeg_cases


def cameras(suite, qualities):
    """Cases of single JPEGs with quantization tables of cameras."""
    return [
        dataclasses.replace(case, degradation=Jpeg(case.x, TableFamily.CAMERA))
        for case in jpeg_cases(suite, "LIVE1", qualities, BLIND)
    ]


@pytest.fixture
def drawn(monkeypatch):
    """Draws cases where "AGARNet-EST" gains as many dB as the quality; returns lines by title."""
    lines = {}

    def keep(figure):
        axes = figure.axes[0]
        lines[axes.get_title()] = {
            line.get_label(): list(zip(*map(list, line.get_data()))) for line in axes.lines
        }
        close(figure)

    close = plt.close
    monkeypatch.setattr(plt, "close", keep)

    def draw(cases):
        records = [
            Record(case.images, 0, "0", case.degradation, (case,), method, Scores(psnr=psnr))
            for case in cases
            for method, psnr in ((INPUT, 0.0), ("AGARNet-EST", float(gain(case))))
        ]
        found = plots.draw(cases, Results(records, {"LIVE1": ["one"]}), paper=True)
        return found, lines

    return draw


def gain(case):
    return case.x + 1000 * (case.degradation.family is TableFamily.CAMERA)


def test_suites_of_one_set_share_a_plot_unless_their_jpeg_settings_differ(drawn):
    cases = [
        *jpeg_cases("table2", "LIVE1", (10, 40), BLIND),
        *jpeg_cases("gain", "LIVE1", (40, 95), BLIND),
        *cameras("cameras", (10, 40)),
    ]
    found, lines = drawn(cases)
    assert {*found} == {"gain_LIVE1.png", "gain_LIVE1_camera.png"}
    usual = lines["LIVE1: PSNR gain over the JPEG"]
    assert usual["AGARNet-EST"] == [(10, 10), (40, 40), (95, 95)]
    camera = lines["LIVE1, camera: PSNR gain over the JPEG"]
    assert camera["AGARNet-EST"] == [(10, 1010), (40, 1040)]
    assert any("[paper" in name for name in usual)
    assert not any("[paper" in name for name in camera)  # figure 4 uses IJG tables
