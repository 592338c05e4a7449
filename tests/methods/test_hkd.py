"""HKD: memory and negatives, and the equations written out once more; NCE is in tests/losses."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.method import View
from graphstill.method.parts.holistic import Holistic
from graphstill.methods import HKD
from graphstill.nn import Hidden
from tests.methods.maps import IMAGES, STORE, Images, set_images
from tests.methods.stage import set_stage
from tests.tiny import tiny_task

TAU = 0.07


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def memory(images: Images) -> dict[str, Tensor]:
    return images.parts.state


def after(method: HKD, images: Images) -> None:
    with torch.no_grad():
        method.after_step(images.s, images.t, images.step)


def visited(method: HKD, student: tuple[int, ...] = (6,), images: int = IMAGES) -> Images:
    """A batch whose memory holds other samples too, some of them not yet visited."""
    found = set_images(method, student=(student,), teacher=((8,),), images=images)
    state, g = memory(found), torch.Generator().manual_seed(5)
    for i, name in enumerate(("student", "teacher")):
        state[name] = F.normalize(normal(2, STORE, method.width, seed=i), dim=-1)
    state["classes"] = torch.randint(-1, 3, (1, STORE), generator=g).repeat(2, 1)
    state["classes"][:, found.s.nodes] = found.step.batch.y
    return found


def embeddings(images: Images, m: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """e and g of one member by the definition: nearest predictions by sorting, one row after another."""
    joint, e, g = images.parts.joint, dict[str, Tensor](), dict[str, Tensor]()
    assert isinstance(joint, Holistic)
    views = {"student": (images.s, m), "teacher": (images.t, 0)}
    for name, (view, row) in views.items():
        linear, encoder = getattr(joint.embed, name), getattr(joint, name)
        e[name] = F.normalize(view.hidden[-1].post[row].flatten(1) @ linear.weight[m] + linear.bias[m], dim=-1)
        p = view.logits[row].softmax(-1)
        around = []
        for i in range(len(p)):
            distance = 1 - F.cosine_similarity(p[i], p, dim=-1)
            distance[i] = -1
            around.append(e[name][distance.argsort()[:8]].mean(0))
        both = torch.cat([e[name], torch.stack(around)], -1)
        g[name] = F.normalize(both @ encoder.weight[m] + encoder.bias[m], dim=-1)
    return e, g


def literal(images: Images, m: int, same: bool, rows: Tensor | None = None) -> Tensor:
    """Section 3 of the paper for one member, anchor by anchor."""
    e, g = embeddings(images, m)
    ids, classes = images.s.nodes, memory(images)["classes"][m]
    banks = {name: memory(images)[name][m] for name in e}
    total = torch.zeros((), dtype=torch.float64)
    for name, other in (("student", "teacher"), ("teacher", "student")):
        for i, sample in enumerate(ids.tolist()):
            others = (classes != images.step.batch.y[i]) & (classes >= 0)
            if rows is not None:
                others &= torch.zeros(STORE, dtype=torch.bool).index_fill(0, rows, True)
            noise = banks[name if same else other][others]
            blend = F.normalize(0.75 * banks[other][sample] + 0.25 * g[other][i], dim=0).detach()
            for a, p in ((e[name][i], banks[other][sample]), (g[name][i], blend)):
                scores = torch.cat([(a @ p)[None], noise @ a]) / TAU
                total = total - scores.log_softmax(0)[0] / IMAGES
    return total


@pytest.mark.parametrize("negatives", ["cross", "same"])
@pytest.mark.parametrize("student", [(6,), (3, 2, 2)], ids=["vectors", "maps"])
def test_equals_the_equations(negatives: str, student: tuple[int, ...]) -> None:
    method = HKD(width=5, negatives=negatives)  # type: ignore[arg-type]
    images = visited(method, student)
    terms = method.loss(images.s, images.t, images.step)
    total = terms["node"] + terms["graph"]
    expected = torch.stack([literal(images, m, negatives == "same") for m in range(2)])
    torch.testing.assert_close(total, expected)
    (h, joint) = images.s.hidden[-1].pre, images.parts.joint
    assert joint is not None
    leaves = [h, *joint.parameters()]
    found, wanted = (torch.autograd.grad(x.sum(), leaves, retain_graph=True) for x in (total, expected))
    for one, two in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, two)


def test_drawn_negatives_are_samples_that_were_visited() -> None:
    method = HKD(width=5, sample=7)
    images = visited(method)
    images.move(number=3)
    terms = method.loss(images.s, images.t, images.step)
    seen = (memory(images)["classes"][0] >= 0).nonzero().squeeze(1)
    drawn = images.parts.options["sampler"].draw(3, len(seen), 7, torch.device("cpu"))
    for m in range(2):
        torch.testing.assert_close((terms["node"] + terms["graph"])[m], literal(images, m, False, seen[drawn[m]]))
    many = HKD(width=5, sample=STORE).loss(images.s, images.t, images.step)
    torch.testing.assert_close(many, HKD(width=5).loss(images.s, images.t, images.step))


def test_no_gradient_into_memory_and_predictions() -> None:
    """Nor into blends: the definition above, whose gradients are the same, detaches them."""
    method = HKD(width=5)
    images = visited(method)
    for name in ("student", "teacher"):
        memory(images)[name].requires_grad_()
    terms = method.loss(images.s, images.t, images.step)
    (terms["node"] + terms["graph"]).sum().backward()
    assert images.s.logits.grad is None and not any(memory(images)[n].grad is not None for n in ("student", "teacher"))
    joint = images.parts.joint
    assert joint is not None and all(p.grad is not None and p.grad.abs().max() > 0 for p in joint.parameters())


def test_memory_moves_where_the_batch_was() -> None:
    method = HKD(width=5)
    images = visited(method)
    before = {name: x.clone() for name, x in memory(images).items()}
    e, _ = embeddings(images, 1)
    after(method, images)
    ids, others = images.s.nodes, torch.ones(STORE, dtype=torch.bool)
    others[ids] = False
    for name, now in e.items():
        bank, old = memory(images)[name], before[name]
        torch.testing.assert_close(bank.norm(dim=-1), torch.ones(2, STORE, dtype=torch.float64))
        assert torch.equal(bank[:, others], old[:, others]), "bitwise"
        torch.testing.assert_close(bank[1, ids], F.normalize(0.9 * old[1, ids] + 0.1 * now, dim=-1))


def test_first_visit() -> None:
    """A sample's row starts as its embedding; samples never seen in training are nobody's negatives."""
    method = HKD(width=5)
    images = set_images(method, student=((6,),), teacher=((8,),))
    state, ids, y = memory(images), images.s.nodes, images.step.batch.y
    assert (state["classes"] < 0).all() and state["student"].abs().max() == 0
    # In the first step the batch itself is all there is: as if its embeddings were in the memory.
    first = method.loss(images.s, images.t, images.step)
    assert (state["classes"] < 0).all(), "looking changes nothing"
    for m in range(2):
        e, _ = embeddings(images, m)
        for name in e:
            state[name][m, ids] = e[name].detach()
    state["classes"][:, ids] = y
    torch.testing.assert_close(first["node"] + first["graph"], torch.stack([literal(images, m, False) for m in (0, 1)]))
    for name in ("student", "teacher"):
        state[name].zero_()
    state["classes"].fill_(-1)
    after(method, images)
    e, _ = embeddings(images, 0)
    torch.testing.assert_close(state["student"][0, ids], e["student"])
    assert torch.equal(state["classes"][:, ids], y.expand(2, -1)) and (state["classes"] >= 0).sum() == 2 * IMAGES
    nobody = (state["classes"][0] < 0).nonzero().squeeze(1)
    value = method.loss(images.s, images.t, images.step)
    state["teacher"][:, nobody] = 1e3
    assert all(torch.equal(a, value[k]) for k, a in method.loss(images.s, images.t, images.step).items())


def test_a_batch_that_is_too_small_has_the_terms_of_nodes_alone() -> None:
    method = HKD(width=5)
    images = visited(method, images=7)
    before = {name: x.clone() for name, x in memory(images).items()}
    assert list(method.loss(images.s, images.t, images.step)) == ["node"]
    after(method, images)
    assert all(torch.equal(x, before[name]) for name, x in memory(images).items())
    assert list(HKD(width=5, k=7).loss(images.s, images.t, images.step)) == ["node", "graph"]


def test_released_starts_from_noise() -> None:
    method = HKD.released()
    assert method == HKD(negatives="same", sample=16384, memory="random")
    images = set_images(method)
    bank = memory(images)["student"]
    bound = math.sqrt(3 / 128)
    assert bank.abs().max() <= bound and bank.norm(dim=-1).mean().item() == pytest.approx(1, rel=0.02)
    assert not torch.equal(bank[0], bank[1]) and not torch.equal(bank, memory(images)["teacher"])
    for name in ("student", "teacher"):
        memory(images)[name] = memory(images)[name].double()
    old = memory(images)["student"].clone()
    after(method, images)
    e, _ = embeddings(images, 0)
    ids = images.s.nodes
    mixed = 0.9 * old[0, ids] + 0.1 * e["student"]
    torch.testing.assert_close(memory(images)["student"][0, ids], F.normalize(mixed, dim=-1))


def test_a_zero_feature_is_no_accident() -> None:
    method = HKD(width=5)
    images = visited(method)
    joint = images.parts.joint
    assert isinstance(joint, Holistic)
    with torch.no_grad():
        joint.embed.student.bias.zero_()
    zero = images.s.hidden[-1].post.detach().index_fill(1, torch.tensor(0), 0.0)
    s = View(images.s.logits, [Hidden(zero, zero, zero)], images.s.graph, images.s.nodes)
    total = sum(x.sum() for x in method.loss(s, images.t, images.step).values())
    assert isinstance(total, Tensor) and total.isfinite()
    total.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in joint.parameters())


def test_nodes_of_a_graph() -> None:
    """The memory of a full batch is the step before; classes are training labels, else the teacher's predictions."""
    method = HKD(width=16, neighbours="edges")
    stage = set_stage(method, tiny_task(), [0, 1])
    stage.total()
    parts, t = stage.active[0].parts, stage.t
    assert parts.options["momentum"] == 0.0 and HKD(momentum=0.5).momentum == 0.5 and t is not None
    stage.put(parts=parts)
    with torch.no_grad():
        method.after_step(stage.s, t, stage.step)
        joint = parts.joint
        assert isinstance(joint, Holistic)
        e_s, _ = joint.embed(stage.s.hidden[-1].post, t.hidden[-1].post)
    torch.testing.assert_close(parts.state["student"], e_s)
    expected = t.logits[0].argmax(-1)
    expected[stage.step.batch.train_rows] = stage.step.batch.y[stage.step.batch.train_rows]
    assert torch.equal(parts.state["classes"], expected.expand(2, -1))


def test_training_nodes_alone_are_remembered() -> None:
    method = HKD(width=16, nodes="train")
    stage = set_stage(method, tiny_task(), [0, 1])
    stage.put(parts=stage.active[0].parts)
    with torch.no_grad():
        method.after_step(stage.s, stage.t, stage.step)
    known = stage.step.parts.state["classes"][0] >= 0
    assert torch.equal(known.nonzero().squeeze(1), stage.step.batch.train_rows)
    stage.total().sum().backward()


BAD: list[dict[str, object]] = [
    {"k": 0},
    {"sample": 0},
    {"temperature": 0},
    {"momentum": 1.5},
    {"blend": -1},
    {"negatives": "all"},
    {"neighbours": "random"},
    {"memory": "zero"},
    {"place": "in"},
    {"nodes": "test"},
]


@pytest.mark.parametrize("wrong", BAD, ids=lambda wrong: next(iter(wrong)))
def test_refuses(wrong: dict[str, object]) -> None:
    make: Callable[..., HKD] = HKD
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        make(**wrong)
