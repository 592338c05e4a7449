"""Recipes: every key checked against what it configures, errors with the nearest key and the line."""

from __future__ import annotations

import pytest
import yaml

from graphstill.engine import Training
from graphstill.errors import ConfigError, GraphstillError, MethodError
from graphstill.methods import METHODS
from graphstill.nn import MODELS, TransductiveModel
from graphstill.study.recipe import check_training, parse_recipe
from graphstill.study.schema import arguments
from graphstill.study.source import Source

TEXT = """\
name: kd-digits
task: {name: digits, seed: 3}
student:
  name: gcn
  hidden: 8
teacher:
  model: {name: gcn, hidden: 64}
  training:
    epochs: 20
method:
  name: kd
  temperature: 2
training:
  epochs: 10
  lr: 5e-3
seeds: 3
"""

GROUP = """\
name: group
task: digits
student: gcn
peers: 4
method: oad
"""


def test_what_is_not_said_is_written_out() -> None:
    found = parse_recipe(TEXT).resolved()
    assert found["student"] == {"name": "gcn", **MODELS["gcn"](hidden=8).options()}
    assert found["method"] == [{**METHODS["kd"](temperature=2.0).config(), "weight": 1.0}]
    assert found["training"]["lr"] == 5e-3
    assert found["training"]["weight_decay"] == MODELS["gcn"].defaults["weight_decay"]  # the model's own
    assert found["training"]["epochs"] == 10
    assert found["teacher"]["training"]["epochs"] == 20
    assert found["teacher"]["seeds"] == found["seeds"] == [0, 1, 2]
    assert found["task"]["seed"] == 3
    assert found["baseline_training"] == found["training"]  # the undistilled student gets what the distilled one gets


@pytest.mark.parametrize("text", [TEXT, GROUP, GROUP + "baseline: false\n"])
def test_the_canonical_form_reads_as_itself(text: str) -> None:
    dump = parse_recipe(text).dump()
    assert parse_recipe(dump).dump() == dump


def test_overrides_beat_the_file_and_the_short_form_grows() -> None:
    found = parse_recipe(GROUP, ["student.hidden=16", "training.epochs=7", "method.temperature=1", "seeds=[5, 7]"])
    assert found.student["hidden"] == 16
    assert found.training["epochs"] == 7
    assert found.method[0]["temperature"] == 1
    assert found.seeds == [5, 7]


def test_baseline_student_changes_only_what_it_names() -> None:
    found = parse_recipe(TEXT + "baseline_student: {dropout: 0.7}\n")
    assert found.baseline_student == {**found.student, "dropout": 0.7}
    assert parse_recipe(TEXT).baseline_student == found.student


CPF = """\
name: cpf
task: digits
student: {name: plp, hops: 5}
teacher: {model: gcn}
method: cpf
training: {lr: 0.02}
baseline_student: {name: mlp, hidden: 8}
"""


def test_a_baseline_of_another_name_takes_no_options_of_the_student() -> None:
    found = parse_recipe(CPF)
    assert found.baseline_student == {"name": "mlp", **MODELS["mlp"](hidden=8).options()}
    assert found.training["epochs"] == MODELS["plp"].defaults["epochs"]
    # Settings that the recipe names are shared; the rest is as each network recommends.
    assert found.baseline_training is not None
    assert found.baseline_training["lr"] == found.training["lr"] == 0.02
    assert found.baseline_training["epochs"] == MODELS["mlp"].defaults["epochs"]
    assert parse_recipe(found.dump()) == found
    assert parse_recipe(CPF.replace("{name: mlp, hidden: 8}", "mlp")).baseline_student == {
        "name": "mlp",
        **MODELS["mlp"]().options(),
    }


def test_labels_that_are_an_input_are_no_targets() -> None:
    """Said before the teacher is trained, with the line."""
    with pytest.raises(MethodError, match=r"targets of 1 \* kd.*line 5"):
        parse_recipe(CPF.replace("method: cpf", "method: kd"))
    with pytest.raises(MethodError, match=r"warm-up of 3 epochs"):
        parse_recipe(CPF.replace("{lr: 0.02}", "{warmup: 3}"))
    with pytest.raises(MethodError, match=r"baseline is a 'plp'.*baseline_student: \{name: mlp\}"):
        parse_recipe(CPF.replace("baseline_student: {name: mlp, hidden: 8}\n", ""))
    alone = CPF.replace("baseline_student: {name: mlp, hidden: 8}", "baseline: false")
    assert parse_recipe(alone).baseline_student is None


def test_baseline_training_changes_only_what_it_names() -> None:
    found = parse_recipe(TEXT + "baseline_training: {lr: 0.1}\n")
    assert found.baseline_training == {**found.training, "lr": 0.1}


def test_a_default_of_the_baseline_survives_reading_again() -> None:
    """What a section leaves out as saying nothing must not be taken from the distilled student's."""
    training = "training: {optimizer: sgd, momentum: 0.5, precision: bfloat16, lr_steps: [2]}\n"
    baseline = "baseline_training: {optimizer: adam, precision: float32, lr_steps: []}\n"
    found = parse_recipe(GROUP + training + baseline)
    assert found.baseline_training is not None
    again = parse_recipe(yaml.safe_dump(found.resolved()))
    assert again.baseline_training == found.baseline_training
    made = Training(**found.baseline_training)
    assert (made.optimizer, made.precision, list(made.lr_steps)) == ("adam", "float32", [])


def test_terms_weights_and_presets() -> None:
    text = TEXT.replace(
        "method:\n  name: kd\n  temperature: 2\n", "method: [kd, {name: lsp, preset: released, weight: 100}]\n"
    )
    kd, lsp = parse_recipe(text).method
    assert kd == {**METHODS["kd"]().config(), "weight": 1.0}
    assert lsp == {**METHODS["lsp"].released().config(), "weight": 100.0}


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("hidden: 8", "hiden: 8", 5, "unknown key 'hiden' in student 'gcn'.*did you mean 'hidden'"),
        ("hidden: 8", "hidden: eight", 5, "hidden is 'eight'.*integer"),
        ("hidden: 8", "hidden: true", 5, "hidden is True"),
        ("hidden: 8", "hidden: -1", 3, "at least 1"),
        ("name: gcn\n", "name: gcnn\n", 4, "unknown student 'gcnn'.*did you mean 'gcn'"),
        ("temperature: 2", "temprature: 2", 12, "did you mean 'temperature'"),
        ("temperature: 2", "temperature: -2", 10, "above 0"),
        ("temperature: 2", "preset: paper", 10, "unknown preset 'paper'"),
        ("name: kd\n", "name: kdd\n", 11, "did you mean 'kd'"),
        ("epochs: 20", "epoch: 20", 9, "did you mean 'epochs'"),
        ("lr: 5e-3", "lr: fast", 15, "lr.* is 'fast'"),
        ("seed: 3", "sed: 3", 2, "unknown key 'sed' in task.*did you mean 'seed'"),
        ("seed: 3", "root: here", 2, "unknown key 'root' in task"),
        ("seeds: 3", "seeds: 0", 16, "seeds is 0"),
        ("seeds: 3", "seeds: [1, 1]", 16, "distinct"),
        ("seeds: 3", "sedes: 3", 16, "unknown key 'sedes' in the recipe.*did you mean 'seeds'"),
        ("seeds: 3", "peers: 0", 16, "peers is 0"),
        ("  training:\n    epochs: 20", "  run: somewhere", 6, "either `run`"),
        ("name: kd-digits", "name: ../kd", 1, "name is '../kd'"),
    ],
)
def test_errors_say_what_where_and_what_instead(old: str, new: str, line: int, message: str) -> None:
    assert TEXT.count(old) == 1
    with pytest.raises(ConfigError, match=message) as error:
        parse_recipe(TEXT.replace(old, new))
    assert f"line {line}" in str(error.value)


def test_errors_in_overrides_name_the_override() -> None:
    with pytest.raises(ConfigError, match=r"override 'training\.epoch=3'; did you mean 'epochs'"):
        parse_recipe(TEXT, ["training.epoch=3"])
    with pytest.raises(ConfigError, match=r"override 'student=gat3'"):
        parse_recipe(TEXT, ["student=gat3"])


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        (GROUP, ["method=kd"], "'kd' needs a teacher"),
        (GROUP, ["peers=1"], "'oad' needs peers"),
        (TEXT, ["method=independent"], "no method that listens"),
    ],
)
def test_parts_that_do_not_fit_are_refused_before_training(text: str, overrides: list[str], message: str) -> None:
    with pytest.raises(MethodError, match=message):
        parse_recipe(text, overrides)


@pytest.mark.parametrize("missing", ["name", "task", "student", "method"])
def test_missing_sections(missing: str) -> None:
    tree = yaml.safe_load(GROUP)
    del tree[missing]
    with pytest.raises(ConfigError, match=f"lacks '{missing}'"):
        parse_recipe(yaml.safe_dump(tree))


@pytest.mark.parametrize(
    "text", ["", "[1, 2]", "kd", "name: a\ntask: 3\nstudent: gcn\nmethod: kd", GROUP + "method: []"]
)
def test_things_that_are_no_recipe(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_recipe(text)


def test_a_plain_training() -> None:
    found = check_training(Source({"model": {"name": "mlp", "hidden": 4}, "task": "digits", "seeds": 2}, "x"))
    assert found.name == "digits-mlp"
    assert found.training["epochs"] == MODELS["mlp"].defaults["epochs"]


@pytest.mark.parametrize("registry", [METHODS, MODELS], ids=["methods", "models"])
def test_everything_registered_can_be_put_into_a_recipe(registry: dict[str, type]) -> None:
    """Every option has a type that a recipe can be checked against, and a default that passes the check."""
    for name, cls in registry.items():
        options = {key: default for key, (_, default) in arguments(cls).items()}
        assert ... not in options.values(), f"{name} has an option without a default"
        if registry is MODELS:
            tree = yaml.safe_load(CPF if issubclass(cls, TransductiveModel) else GROUP)
            if cls.takes == "image":
                tree |= {"task": "digits-images", "method": "dml"}
            found = parse_recipe(yaml.safe_dump({**tree, "student": {"name": name, **options}}))
            assert found.student == {"name": name, **cls(**options).options()}
        else:
            tree = {**yaml.safe_load(TEXT), "peers": 2, "method": {"name": name, **options}}
            if not cls.needs.teacher:
                del tree["teacher"]
            assert parse_recipe(yaml.safe_dump(tree)).method == [{"name": name, **options, "weight": 1.0}]


def test_errors_are_graphstills_own() -> None:
    for text in (TEXT.replace("epochs: 10", "warmup: 10000"), TEXT.replace("epochs: 10", "lr: [[1]]")):
        with pytest.raises(GraphstillError, match="line"):
            parse_recipe(text)
