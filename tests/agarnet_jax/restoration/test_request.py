import numpy as np
import pytest

from agarnet_jax.restoration.request import QualitySource, Request

DEFAULTS = {"strength": 1.0, "chroma": True, "bits": None, "ensemble": 1}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"strength": -0.1}, r"strength is -0\.1; use a number from 0"),
        ({"strength": float("nan")}, "strength is nan"),
        ({"strength": "1"}, "strength is '1'; use a number"),
        ({"strength": np.ones((99, 99))}, r"strength is float64 \(99, 99\); use a number"),
        ({"ensemble": 4}, r"ensemble is 4; use 1 \(none\) or 8"),
        ({"bits": 12}, "bits is 12; use 8 or 16"),
        ({"quality": 0}, "quality is 0; use a JPEG quality, 1–100"),
        ({"quality": True}, "quality is True; use"),
        ({"quality": {}}, r"quality is \{\}; use"),
        ({"quality": np.ones((2, 2), bool)}, r"quality is bool \(2, 2\); use"),
        ({"table": [1, 2, 3]}, r"must be \(8, 8\) numbers, got int64 \(3,\)"),
        ({"table": np.full((8, 8), np.nan)}, "at least 1, got nan to nan"),
        ({"table": np.zeros((8, 8), int)}, "at least 1, got 0 to 0"),
        ({"table": []}, r"must be \(8, 8\) numbers, got float64 \(0,\)"),
        ({"table": np.ones((8, 8)), "quality": QualitySource.HEADER}, "table is given, but"),
        ({"table": "luma"}, r"must be \(8, 8\) numbers, got .*\(\)"),
    ],
)
def test_invalid_values_are_refused_by_name(values, message):
    with pytest.raises(ValueError, match=message):
        Request(**DEFAULTS | values)


@pytest.mark.parametrize(
    ("quality", "estimated"), [(30.0, False), *zip(QualitySource, (True, True, False))]
)
def test_quality_is_estimated_for_the_sources_image_and_map(quality, estimated):
    assert Request(**DEFAULTS, quality=quality).is_estimated is estimated


@pytest.mark.parametrize("strength", [0, 1.5, np.float32(0.5), np.array(0.8)])
def test_strength_may_be_any_numeric_type(strength):
    assert Request(**DEFAULTS | {"strength": strength}).strength == strength
