"""Shows what a configuration trains on: a contact sheet, and the throughput of each stage.

    python -m experiments.inspect_data --config=experiments/configs/tiny.py --out=DIR \\
      --config.data.train_dir=FOLDER [--config.KEY=VALUE …] [--samples=12]

Writes DIR/samples.png (each row: clean, degraded, their difference times 8, the quality label, and
the degradation), DIR/samples.jsonl (quality and degradation as text) and DIR/throughput.md.
"""

import io
import json
import pathlib

from absl import flags
from ml_collections import config_flags

from agarnet_jax import atomic_files
from data_pipelines import batching, contact_sheet, throughput
from experiments import program
from experiments.config import from_config_dict
from experiments.markdown import aligned_table

_CONFIG = config_flags.DEFINE_config_file("config", None, "Experiment configuration file.")
_OUT = flags.DEFINE_string("out", None, "Folder for the results.", required=True)
_SAMPLES = flags.DEFINE_integer(
    "samples", 12, "Number of rows of the contact sheet.", lower_bound=1
)
_COUNT = flags.DEFINE_integer(
    "count", 200, "Number of crops on which each stage is timed.", lower_bound=1
)


def main() -> None:
    with program.one_line_errors():
        experiment = from_config_dict(_CONFIG.value)
        source = batching.train_source(experiment.data)
        out = pathlib.Path(_OUT.value)
        atomic_files.check_folder(out)
        out.mkdir(parents=True, exist_ok=True)
    data, seed = experiment.data, experiment.train.seed
    print(f"{len(source)} training images, {source.skipped} skipped.", flush=True)
    batch = next(batching.train_batches(source, config=data, batch_size=_SAMPLES.value, seed=seed))
    samples = [{key: values[row] for key, values in batch.items()} for row in range(_SAMPLES.value)]
    sheet = io.BytesIO()
    contact_sheet.draw(samples).save(sheet, "PNG")
    lines = [json.dumps(contact_sheet.summary(sample)) + "\n" for sample in samples]
    with program.one_line_errors():
        atomic_files.write(out / "samples.png", sheet.getvalue())
        atomic_files.write(out / "samples.jsonl", "".join(lines).encode())

    rows = []
    for name, stage in throughput.stages(source, data, seed=seed).items():
        stage(0)  # warm-up
        rows.append((name, f"{throughput.rate(stage, _COUNT.value):.0f}"))
    table = aligned_table(("stage", "per second"), rows, left_aligned={0})
    print(table)
    with program.one_line_errors():
        atomic_files.write(out / "throughput.md", f"{table}\n".encode())
    print(f"Look at {out / 'samples.png'}.")


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    program.start(main)
