import jax
import pytest

from agarnet_jax.convert import released
from agarnet_jax.models import AGARNet, AGARNetConfig


@pytest.fixture(scope="session")
def released_arrays(released_shapes, recipe_weight):
    """f → the variables of the golden recipe at pixel width f."""

    def arrays(features: int, scopes: tuple[str, ...]):
        def narrowed(name, shape):
            pixel = "Pixel_Domain" in name or name.startswith("Generating_CNN/dense")
            if not pixel or "dense1" in name:
                return shape
            # Feature axes are multiples of 32 at f = 32; the gates' hidden width is 64 throughout.
            sides = [s * features // 32 if s % 32 == 0 else s for s in shape]
            if name.startswith("Generating_CNN") and len(shape) == 4:
                sides[2] = shape[2]
            return tuple(sides)

        return {
            name: recipe_weight(name, narrowed(name, shape))
            for name, shape in released_shapes.items()
            if name.startswith(scopes)
        }

    return arrays


@pytest.fixture(scope="session")
def golden_restorer_arrays(released_arrays):
    return released_arrays(8, ("Reconstruction", "Generating"))


@pytest.fixture(scope="session")
def golden_params(golden_restorer_arrays):
    return released.restorer_params(golden_restorer_arrays)


@pytest.fixture(scope="session")
def golden_estimator_params(released_arrays):
    return released.estimator_params(released_arrays(8, ("Estimation",)))


@pytest.fixture(scope="session")
def golden_apply(golden_params):
    """AGARNet at f = 8 with the golden weights, compiled."""
    model = AGARNet(AGARNetConfig(pixel_features=8))

    @jax.jit
    def apply(image, quality, tables=None):
        return model.apply({"params": golden_params}, image, quality=quality, tables=tables)

    return apply
