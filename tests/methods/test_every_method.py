"""What must hold for every registered method. A new method is tested here without a line of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.method import Method, Needs, Step, View
from graphstill.methods import KD, METHODS
from graphstill.nn import GCN
from graphstill.testing import CHECKS, BrokenInvariant, check_method
from graphstill.testing.methods import Case, run_check
from tests.methods.stage import by_default, every_method, set_stage
from tests.tiny import tiny_task

#: Methods that refuse a teacher wider than the student.
EQUAL_WIDTHS = {"graphakd", "pgkd"}
#: Methods that compare different layers: the target equals the student where all layers are equal.
LAYERS_EQUAL = {"alignahead"}
LEARNT_MAPS = "features are compared after maps that are still random: tested without maps, or by closed forms"
SUPERVISED = "some of its terms are supervised or self-supervised"
OWN_DRAWS = "it draws a number for each node: tested without draws, or with them in the nodes' order"
CONTROL = "a control has no terms"
ADVERSARY = "an adversary says how far the student is from the target"
WITHOUT: dict[str, dict[str, str]] = {
    "minimal_at_target": {
        **dict.fromkeys(("crd", "fitnet", "gcrd", "hkd", "nosmog", "reviewkd"), LEARNT_MAPS),
        **dict.fromkeys(("alignahead++", "gnn-sd", "one", "rod"), SUPERVISED),
        "graphakd": ADVERSARY,
        "independent": CONTROL,
    },
    "order_of_nodes_changes_nothing": {
        "crd": "its memory starts from a random vector for each number of a node: tested with the memory reordered too",
        **dict.fromkeys(("freekd", "nosmog"), OWN_DRAWS),
    },
    "gradients_stay_with_the_student": {"independent": CONTROL},
}
PAIRS = [(name, check) for check in CHECKS for name in every_method() if name not in WITHOUT.get(check, {})]


@pytest.mark.parametrize(("name", "check"), PAIRS)
def test_every_method(name: str, check: str) -> None:
    case = Case(by_default(name), equal_layers=name in LAYERS_EQUAL)
    run_check(check, replace(case, teacher=GCN(hidden=6, layers=3)) if name in EQUAL_WIDTHS else case)


def test_what_is_left_out_is_about_methods_that_there_are() -> None:
    assert {name for names in WITHOUT.values() for name in names} <= set(METHODS) and set(WITHOUT) <= set(CHECKS)
    built = set_stage(by_default("graphakd"), tiny_task(), [0]).active[0].parts
    assert built.adversary is not None, "the reason that is given"
    assert not set_stage(by_default("independent"), tiny_task(), [0]).terms()


@pytest.mark.parametrize("name", sorted(METHODS))
def test_docstrings(name: str) -> None:
    doc = METHODS[name].__doc__ or ""
    assert len(doc) > 200 and "L" in doc, "a method's docstring says what it computes"


@dataclass(frozen=True)
class Mean(Method):
    """The student's logits come close to the teacher's, but for what `how` breaks."""

    needs = Needs(teacher=True)
    how: str = ""

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        assert t is not None
        distance = (s.logits - t.logits).square().mean(2)
        return {"mean": BROKEN[self.how](distance)}


BROKEN: dict[str, Callable[[Tensor], Tensor]] = {
    "": lambda d: d.mean(1),
    "mixes": lambda d: d.mean(1) + 0.1 * d.mean(),
    "shape": lambda d: d.mean(),
    "first node": lambda d: d[:, 0],
    "elsewhere": lambda d: (d - 1).square().mean(1),
    "infinite": lambda d: d.mean(1) / 0,
    "nothing": lambda d: 0 * d.mean(1),
}


@pytest.mark.parametrize(
    ("how", "check", "found"),
    [
        ("mixes", "runs_never_mix", "Tensor-likes are not close"),
        ("shape", "gradients_stay_with_the_student", "term 'mean' is (), not [members]"),
        ("first node", "order_of_nodes_changes_nothing", "Tensor-likes are not close"),
        ("elsewhere", "minimal_at_target", "near the target"),
        ("infinite", "gradients_stay_with_the_student", "term 'mean' is [inf, inf]"),
        ("nothing", "gradients_stay_with_the_student", "no gradient reaches the student"),
    ],
)
def test_what_is_broken_is_found(how: str, check: str, found: str) -> None:
    asked = f"^method 'tests.methods.test_every_method:Mean' breaks '{check}'"
    with pytest.raises(BrokenInvariant, match=asked) as caught:
        check_method(Mean(how=how))
    assert found in str(caught.value)


def test_a_method_of_another_module() -> None:
    assert check_method(Mean) == list(CHECKS)
    state = torch.random.get_rng_state()
    assert check_method(KD(temperature=4.0), without={"resumes_exactly": "tested above"}) == list(CHECKS)[:-1]
    assert torch.equal(torch.random.get_rng_state(), state), "global random numbers are left alone"


def test_what_cannot_be_checked() -> None:
    for wrong, problem in ((3, "is no method"), (METHODS["mugsi"], "compares whole graphs")):
        with pytest.raises(ConfigError, match=problem):
            check_method(wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="did you mean 'several_labels'"):
        check_method(KD, without={"several_label": "none"})
    with pytest.raises(ConfigError, match="without a reason"):
        check_method(KD, without={"several_labels": " "})
