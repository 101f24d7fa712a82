import av
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data
from PIL import Image

from agarnet_jax import weights
from agarnet_jax.models import AGARNet, AGARNetConfig, EstimatorConfig, QualityEstimator

SMALL = AGARNetConfig(
    pixel_features=2,
    dct_features=2,
    dct_blocks=1,
    encoder1_blocks=1,
    encoder2_blocks=1,
    encoder4_blocks=1,
    decoder2_blocks=1,
    decoder2_gated_blocks=1,
    decoder1_blocks=1,
    decoder1_gated_blocks=1,
    gate_features=4,
)


@pytest.fixture(scope="session")
def small_weights(random_params):
    """Random weights of the smallest networks with every part."""
    image = jnp.zeros((1, 64, 64, 1))
    restorer = random_params(AGARNet(SMALL), image, 0)
    config = EstimatorConfig(features=(2, 2, 2, 2))
    estimator = QualityEstimator(config).init(jax.random.key(1), image)
    parts = jax.device_get((restorer, estimator["params"]))
    return weights.Weights(SMALL, parts[0], config, parts[1])


@pytest.fixture(scope="session")
def small_file(small_weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    weights.save(small_weights, path)
    return str(path)


@pytest.fixture(scope="session")
def photos():
    """Three gray photographs of equal size, by name."""
    image = skimage.data.astronaut()[..., 1]
    return {name: image[top : top + 48, 200:264].copy() for name, top in zip("abc", (0, 100, 200))}


@pytest.fixture
def folder(photos, tmp_path):
    """A folder with the photographs."""
    path = tmp_path / "clean"
    path.mkdir()
    for name, image in photos.items():
        Image.fromarray(image).save(path / f"{name}.png")
    return path


@pytest.fixture
def save():
    """Writes an array as an image file and creates its parent folders."""

    def save(path, image):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(image)).save(path)

    return save


@pytest.fixture
def clip(tmp_path, astronaut):
    """A lossless clip: ten frames of a pan, 96×64."""
    path = tmp_path / "pan.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "bgr0"
        for start in range(10):
            frame = np.ascontiguousarray(astronaut[start : 64 + start, 100:196])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path
