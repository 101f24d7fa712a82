"""Forward pass and training step of a configuration, compared with PyTorch if it is installed.

    python -m benchmarks.network --config=experiments/configs/tiny.py [--train=16x64 --forward=512]

The PyTorch network has the same architecture and parameters (outputs are compared), uses
channels_last and PyTorch's default number of threads. Its training step has the same losses,
gradient clipping and Adam, but no parameter averaging. Ratios are JAX / PyTorch, paired within each
round. `first call` includes compilation, without a cache. A single image runs on one device, a
batch on all of them.
"""

import dataclasses
import importlib.util
import math
import statistics
from typing import Any

import jax
import numpy as np
from absl import flags
from ml_collections import config_flags

from agarnet_jax import runtime
from agarnet_jax.jpeg_tables import FREQUENCIES
from agarnet_jax.models import AGARNet, AGARNetConfig, Conv3DFormulation
from agarnet_jax.sharding import batch_sharding, make_mesh, replicated_sharding
from agarnet_jax.training.config import TrainConfig
from agarnet_jax.training.initial import initial_state
from agarnet_jax.training.step import to_unit_range
from agarnet_jax.training.tasks import RestorationTask
from benchmarks.timing import Case, compare, milliseconds, print_table, spread
from benchmarks.training import random_batch, training_step
from experiments import program
from experiments.config import from_config_dict

_CONFIG = config_flags.DEFINE_config_file(
    "config", "experiments/configs/tiny.py", "Experiment configuration of a restorer."
)
_FORWARD = flags.DEFINE_list(
    "forward", ["1x256", "1x512", "2x512"], "Batches of images to restore, as COUNTxSIDE."
)
_TRAIN = flags.DEFINE_list("train", ["8x64", "16x64"], "Training batches, as COUNTxSIDE.")
_CONV3D = flags.DEFINE_list("conv3d", ["auto"], "Formulations of the 3D convolution to compare.")
_ROUNDS = flags.DEFINE_integer("rounds", 7, "Timing rounds.")
_CPU_DEVICES = flags.DEFINE_integer("cpu_devices", 0, "CPU devices; 0 uses as many as training.")
_TORCH = flags.DEFINE_boolean("torch", True, "Compare with PyTorch if it is installed.")


def jax_forward(config: AGARNetConfig, params: Any, batch: dict[str, np.ndarray]) -> Case:
    model = AGARNet(config)
    apply = jax.jit(lambda p, x, q: model.apply({"params": p}, x, quality=q).restored)
    # A batch that cannot be split evenly runs on one device.
    divisible = len(batch["degraded"]) % jax.device_count() == 0
    mesh = make_mesh(None if divisible else jax.devices()[:1])
    sharding = batch_sharding(mesh)
    images = jax.device_put((batch["degraded"], batch["quality"]), sharding)
    on_devices = jax.device_put(params, replicated_sharding(mesh))
    return lambda: np.asarray(apply(on_devices, *images))


def jax_step(config: AGARNetConfig, params: Any, batch: dict[str, np.ndarray]) -> Case:
    settings = TrainConfig()
    task = RestorationTask(config, settings.dct_loss_weight)
    return training_step(task, settings, make_mesh(), params=params, batch=batch)


def torch_cases(
    config: AGARNetConfig, params: Any, batch: dict[str, np.ndarray]
) -> tuple[Case, Case]:
    """Prepares the forward pass and the training step in PyTorch."""
    import torch

    from benchmarks.torch_agarnet import TorchAGARNet, leaves

    settings = TrainConfig()
    network = TorchAGARNet(config, jax.tree.map(np.asarray, params))
    parameters = leaves(network.params)
    optimizer = torch.optim.Adam(parameters, lr=settings.learning_rate)
    quality = torch.from_numpy(batch["quality"].reshape(-1, 1))
    tables = torch.from_numpy(batch["tables"].reshape(-1, FREQUENCIES))
    image, clean = (
        torch.from_numpy(batch[key].transpose(0, 3, 1, 2)) for key in ("degraded", "clean")
    )

    def forward() -> np.ndarray:
        with torch.inference_mode():
            return network(image, quality, tables)[0].numpy().transpose(0, 2, 3, 1)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        restored, dct_restored = network(image, quality, tables)
        loss = (restored - clean).abs().mean()
        loss = loss + settings.dct_loss_weight * (dct_restored - clean).abs().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, settings.clip_norm)
        optimizer.step()

    return forward, step


def main() -> None:
    if _CPU_DEVICES.value:
        jax.config.update("jax_num_cpu_devices", _CPU_DEVICES.value)
    runtime.use_cpu_devices(math.gcd(*(int(job.split("x")[0]) for job in _TRAIN.value)) or None)
    runtime.keep_freed_memory()
    config = from_config_dict(_CONFIG.value).model
    if not isinstance(config, AGARNetConfig):
        raise ValueError("This benchmark needs a restorer's configuration in --config.")
    variants = {
        f"JAX {name}": dataclasses.replace(config, conv3d=Conv3DFormulation(name))
        for name in _CONV3D.value
    }
    # Kept on the host, since a training step donates its state.
    task = RestorationTask(config, 0.0)
    params = jax.device_get(initial_state(task, TrainConfig(), make_mesh(), None).params)
    with_torch = _TORCH.value and importlib.util.find_spec("torch") is not None
    jobs = [("forward", job) for job in _FORWARD.value]
    jobs += [("training step", job) for job in _TRAIN.value]
    path = config_flags.get_config_filename(flags.FLAGS["config"])
    rows = []
    for kind, job in jobs:
        count, side = map(int, job.split("x"))
        title = f"{kind} {count}×{side}×{side}"
        batch = jax.device_get(to_unit_range(random_batch(count, side)))
        make = jax_forward if kind == "forward" else jax_step
        cases = {name: make(variant, params, batch) for name, variant in variants.items()}
        if with_torch:
            torch_forward, torch_step = torch_cases(config, params, batch)
            cases["PyTorch"] = torch_forward if kind == "forward" else torch_step
        timings = compare(cases, rounds=_ROUNDS.value)
        if with_torch and kind == "forward":
            expected = torch_forward()
            error = max(float(np.abs(case() - expected).max()) for case in cases.values())
            print(f"{title}: all outputs within {error:.1e} of PyTorch's")
        for name, timing in timings.items():
            rows.append(
                (
                    title,
                    name,
                    f"{timing.first:.1f}",
                    spread(milliseconds(timing.wall), 1),
                    f"{count * side**2 / statistics.median(timing.wall) / 1e6:.3f}",
                    f"{statistics.median(timing.cpu) / statistics.median(timing.wall):.2f}",
                    spread(timing.ratio(timings["PyTorch"])) if with_torch else "",
                )
            )
    print_table(
        f"{path}: {sum(x.size for x in jax.tree.leaves(params)):,} parameters, "
        f"{jax.device_count()} {jax.default_backend()} device(s)",
        ("", "", "first call, s", "ms", "Mpx/s", "cores busy", "JAX / PyTorch"),
        rows,
    )


if __name__ == "__main__":
    program.start(main)
