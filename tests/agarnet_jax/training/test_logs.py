import errno
import json
import threading

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import RecordWriter

from agarnet_jax.training.logs import MetricWriter, Progress


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_resumed_run_removes_the_lines_that_it_will_report_again(tmp_path):
    writer = MetricWriter(tmp_path)
    for step in (1, 2, 3, 4):
        writer.write(step, "train", {"loss": step})
    writer.close()
    with (tmp_path / "metrics.jsonl").open("a") as log:
        log.write('{"step": 1, "train/lo')  # killed while writing

    writer = MetricWriter(tmp_path, start=2)
    assert [row["step"] for row in lines(tmp_path)] == [1, 2]
    writer.write(3, "train", {"loss": 30.0})
    writer.close()
    assert [row["train/loss"] for row in lines(tmp_path)] == [1, 2, 30]


def test_non_finite_values_are_written_as_valid_json(tmp_path):
    writer = MetricWriter(tmp_path)
    writer.write(1, "train", {"loss": np.nan, "norm": np.inf, "rate": 1.0})
    writer.close()
    text = (tmp_path / "metrics.jsonl").read_text()
    row = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert (row["train/loss"], row["train/norm"], row["train/rate"]) == (None, None, 1.0)


def test_events_hold_the_same_values_as_the_lines(tmp_path, monkeypatch):
    records = []
    monkeypatch.setattr(RecordWriter, "write", lambda _, data: records.append(data))
    writer = MetricWriter(tmp_path, start=6)
    writer.write(7, "train", {"loss": 0.5})
    writer.image(8, "eval/q20", np.array([[0.0, 1.0]]))
    writer.close()
    version, start, loss, image = [Event.FromString(record) for record in records]
    assert version.file_version == "brain.Event:2"
    assert (start.step, start.session_log.status) == (7, start.session_log.START)
    assert (loss.step, loss.summary.value[0].tag) == (7, "train/loss")
    assert loss.summary.value[0].simple_value == 0.5
    assert (image.step, image.summary.value[0].tag) == (8, "eval/q20")
    assert (image.summary.value[0].image.height, image.summary.value[0].image.width) == (1, 2)


def test_a_full_disk_ends_the_events_but_not_the_run(tmp_path, monkeypatch, caplog):
    writer = MetricWriter(tmp_path)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RecordWriter, "write", full)
    monkeypatch.setattr(RecordWriter, "flush", full)

    def run():
        for step in range(200):
            writer.write(step, "train", {"loss": step})
            writer.image(step, "eval", np.zeros((8, 8)))
        writer.flush()
        writer.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    assert [row["step"] for row in lines(tmp_path)] == list(range(200))
    (message,) = caplog.messages
    assert f"No more TensorBoard events are written to {tmp_path}: No space left" in message


def test_time_is_split_into_data_wait_device_and_host(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("agarnet_jax.training.logs.time.monotonic", lambda: now[0])
    progress = Progress(start=0, total=10)
    for _ in range(2):
        now[0] += 4.0
        progress.step(shape=(8, 16, 16, 1), data_wait=1.0, device_wait=2.0)
    progress.add_device_wait(1.0)
    rates = progress.pop_rates(loss=0.5)
    assert rates["steps_per_second"] == 2 / 8
    assert rates["pixels_per_second"] == 2 * 8 * 256 / 8
    assert rates["data_wait_share"] == 2 / 8
    assert rates["compute_share"] == 5 / 8
    assert rates["host_share"] == 1 / 8
    now[0] += 2.0
    assert progress.summary() == "2 steps in 10.0 s, 1.6 crops/s"
    progress.close()


def test_a_log_gets_few_lines_of_progress(capsys):
    progress = Progress(start=0, total=100)
    for _ in range(100):
        progress.step(shape=(8, 16, 16, 1), data_wait=0.0, device_wait=0.0)
        progress.pop_rates(loss=0.5)
    progress.close()
    assert capsys.readouterr().err.count("\r") < 10  # one in ten seconds, and the last
