from agarnet_jax.models import AGARNetConfig
from experiments import config_docs
from experiments.config import MODEL_CONFIGS, default_config


def test_the_committed_page_is_up_to_date(repository):
    committed = (repository / "docs" / "config.md").read_text(encoding="utf-8")
    assert committed == config_docs.page(), "Run: python -m experiments.config_docs"


def leaves(plain, prefix=""):
    for name, value in plain.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_the_page_lists_every_setting_of_every_task_once():
    page = config_docs.page()
    for task in MODEL_CONFIGS:
        for key in leaves(default_config(task).to_dict()):
            key = key.replace("model.restorer.", "model.").replace("model.estimator.", "model.")
            shared = key in ("model.conv2d", "model.compute_dtype")  # both networks have these
            assert page.count(f"| `{key}` |") == 1 + shared, key


def test_comments_at_the_end_of_a_field_and_before_it_are_found():
    rows = [line for line in config_docs.page().splitlines() if line.startswith("| `")]
    by_name = {row.split("`")[1]: row for row in rows}
    assert by_name["train.warmup_steps"].endswith("| int | `500` |  |")
    assert by_name["model.gate_features"].endswith(
        "| hidden width of the gates generated from quality |"
    )
    assert "batch size), such as ((30000, 96), (60000, 128, 4))" in by_name["data.crop_schedule"]
    assert "`l1` or `charbonnier` or `mse` or `rmse` | `'l1'`" in by_name["train.loss.kind"]
    assert AGARNetConfig.__doc__.splitlines()[0] in config_docs.page()
