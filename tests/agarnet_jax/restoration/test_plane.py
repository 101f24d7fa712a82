import dataclasses
import io

import numpy as np
from PIL import Image

from agarnet_jax.jpeg_tables import quality_table
from agarnet_jax.restoration.splitting import split


def test_a_table_has_to_amount_to_the_quality_that_shows(astronaut, encode):
    picture = Image.open(io.BytesIO(encode(astronaut[:256, :256], 80)))
    right = split(picture).lead
    assert right.has_table_of(80)
    assert not right.has_table_of(50)
    wrong = dataclasses.replace(right, table=quality_table(50))
    assert not wrong.has_table_of(50)
    assert not wrong.has_table_of(80)
    assert not split(np.asarray(picture)).lead.has_table_of(80)  # no header, no table
