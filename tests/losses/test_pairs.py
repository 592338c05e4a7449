"""Sums over all pairs: blocks equal the whole, closed forms equal dense matrices, fixtures F4, F5, F7 and F8."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from graphstill import losses
from graphstill.losses import pairs
from graphstill.ops import Adjacency

IDENTITY = torch.eye(2, dtype=torch.float64)[None]
SAME = torch.tensor([[[1.0, 0], [1, 0]]], dtype=torch.float64)
NO_EDGES = Adjacency.from_edge_index(torch.zeros(2, 0, dtype=torch.int64), 2)


def features(members: int, nodes: int, width: int, seed: int = 0) -> Tensor:
    return torch.randn(members, nodes, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def graph(nodes: int) -> Adjacency:
    edges = torch.randint(nodes, (2, 4 * nodes), generator=torch.Generator().manual_seed(1))
    return Adjacency.from_edge_index(edges.unique(dim=1), nodes).with_self_loops()


def rotation(width: int) -> Tensor:
    return torch.linalg.qr(features(1, width, width, 9)[0]).Q


def test_g_crd_fixture() -> None:
    """F4: orthonormal and aligned; all rows equal."""
    assert losses.info_nce(IDENTITY, IDENTITY, 1.0).item() == pytest.approx(0.313262, abs=1e-6)
    assert losses.info_nce(IDENTITY, IDENTITY, 0.075).item() == pytest.approx(1.6196e-06, rel=1e-4)
    assert losses.info_nce(SAME, SAME, 0.075).item() == pytest.approx(math.log(2))
    eye = torch.eye(5, dtype=torch.float64)[None]
    expected = math.log(1 + 4 * math.exp(-1 / 0.3))
    assert losses.info_nce(eye, eye, 0.3).item() == pytest.approx(expected)


def test_gkd_fixture() -> None:
    """F5: sigmoid, 1.160051 in all and a tenth of it where there is no edge; Gaussians of paper and code."""
    loops = NO_EDGES.with_self_loops()
    for delta, expected in ((1.0, 1.160051), (0.1, 0.116005), (0.0, 0.0)):
        value = losses.kernel_matching("sigmoid", IDENTITY, SAME, loops, delta)
        assert value.item() == pytest.approx(expected, abs=1e-6)
    for kernel, scale, expected in (("exponential", 1.0, 0.243117), ("rbf", math.sqrt(2), 0.606531)):
        x = losses.for_kernel(kernel, IDENTITY, scale)
        assert losses.kernels.of_pairs(kernel, x, x)[0, 0, 1].item() == pytest.approx(expected, abs=1e-6)


def test_rkd_fixture() -> None:
    """F7."""
    s = torch.tensor([[[0.0, 0], [1, 0], [0, 2]]], dtype=torch.float64)
    t = torch.tensor([[[0.0, 0], [2, 0], [0, 1]]], dtype=torch.float64)
    d = pairs.root(pairs.squared_distances(s, s))
    assert (d.sum() / (d > 0).sum()).item() == pytest.approx(1.745356, abs=1e-6)
    assert losses.distance_relation(t, s).item() == pytest.approx(0.072949, abs=1e-6)


def test_sp_fixture() -> None:
    """F8: the mean over pairs, that is the mean over rows divided by two nodes."""
    assert (losses.similarity_rows(SAME, IDENTITY) / 2).item() == pytest.approx(0.292893, abs=1e-6)


def dense(kernel: str, x: Tensor) -> Tensor:
    d = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    mean = d.square().mean((1, 2), keepdim=True)
    dot = x @ x.transpose(1, 2)
    cosine = dot / (x.norm(dim=-1)[:, :, None] * x.norm(dim=-1)[:, None])
    return {
        "cosine": cosine,
        "poly": cosine.square(),
        "l2": d / mean.sqrt(),
        "rbf": (-d.square() / (2 * mean)).exp(),
        "exponential": (-d / mean.sqrt()).exp(),
        "sigmoid": (dot / x.square().sum(-1).mean(-1)[:, None, None]).tanh(),
    }[kernel]


@pytest.mark.parametrize("kernel", losses.PAIR_KERNELS)
def test_kernels_equal_dense_matrices(kernel: losses.PairKernel) -> None:
    t, s, g = features(1, 15, 4), features(3, 15, 6, 1), graph(15)
    difference = (dense(kernel, t) - dense(kernel, s)).square()
    a, b = losses.for_kernel(kernel, t), losses.for_kernel(kernel, s)
    torch.testing.assert_close(losses.pair_distance(kernel, a, b), difference.sum((1, 2)))
    weights = torch.full((15, 15), 0.3, dtype=torch.float64)
    weights[g.target, g.source] = 1
    expected = (weights * difference).sum((1, 2))
    torch.testing.assert_close(losses.kernel_matching(kernel, a, b, g, 0.3), expected)


def test_products_of_columns_equal_dense_matrices() -> None:
    a, b, g = features(1, 15, 4), features(3, 15, 6, 1), graph(15)
    difference = (a @ a.transpose(1, 2) - b @ b.transpose(1, 2)).square()
    torch.testing.assert_close(losses.gram_distance(a, b), difference.sum((1, 2)))
    weights = torch.full((15, 15), 0.3, dtype=torch.float64)
    weights[g.target, g.source] = 1
    torch.testing.assert_close(losses.product_matching(a, b, g, 0.3), (weights * difference).sum((1, 2)))
    gram_t, gram_s = (torch.nn.functional.normalize(x @ x.transpose(1, 2), dim=-1) for x in (a, b))
    torch.testing.assert_close(losses.similarity_rows(a, b), (gram_t - gram_s).square().sum(-1).mean(-1))


@pytest.mark.parametrize(("n", "widths"), [(5, (9, 7)), (8, (9, 7)), (7, (7, 7))])
def test_similarity_by_rows_and_by_widths(n: int, widths: tuple[int, int]) -> None:
    """Fewer rows than widths, as of maps: the other way to the same."""
    t, s = features(1, n, widths[0]), features(2, n, widths[1], 1).requires_grad_()
    gram_t, gram_s = (torch.nn.functional.normalize(x @ x.transpose(1, 2), dim=-1) for x in (t, s))
    value, expected = losses.similarity_rows(t, s), (gram_t - gram_s).square().sum(-1).mean(-1)
    torch.testing.assert_close(value, expected)
    one, two = (torch.autograd.grad(x.sum(), s, retain_graph=True)[0] for x in (value, expected))
    torch.testing.assert_close(one, two)


def test_angles_equal_the_definition() -> None:
    t, s = features(1, 6, 3), features(2, 6, 4, 1)

    def cosine(h: Tensor, i: int, j: int, k: int) -> Tensor:
        u, v = h[j] - h[i], h[k] - h[i]
        return u @ v / (u.norm() * v.norm()) if i not in (j, k) else torch.zeros((), dtype=h.dtype)

    for m in range(2):
        total = sum(
            torch.nn.functional.smooth_l1_loss(cosine(s[m], i, j, k), cosine(t[0], i, j, k))
            for i in range(6)
            for j in range(6)
            for k in range(6)
        )
        torch.testing.assert_close(losses.angle_relation(t, s)[m], torch.as_tensor(total) / 6**3)


BLOCKED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "pairs": lambda t, s: losses.pair_distance("exponential", t, s),
    "sampled rows": lambda t, s: losses.pair_distance("sigmoid", t, s, torch.tensor([[0, 3, 5], [1, 2, 11]])),
    "angles": losses.angle_relation,
    "contrast": lambda t, s: losses.info_nce(losses.unit(t), losses.unit(s), 0.3),
    "noise": lambda t, s: losses.noise_contrastive(
        s, t.expand(2, -1, -1), features(2, 7, 4, 5), s.new_tensor([0.5, 1.0]), 40, 0.5
    ),
}


@pytest.mark.parametrize("name", BLOCKED)
@pytest.mark.parametrize("teachers", [1, 2])
def test_blocks_change_neither_value_nor_gradient(name: str, teachers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    t, s = features(teachers, 13, 4), features(2, 13, 4, 1).requires_grad_()
    whole = BLOCKED[name](t, s)
    (gradient,) = torch.autograd.grad(whole.sum(), s)
    monkeypatch.setattr(pairs, "BLOCK", 40)
    blocked = BLOCKED[name](t, s)
    torch.testing.assert_close(blocked, whole)
    torch.testing.assert_close(torch.autograd.grad(blocked.sum(), s)[0], gradient)


@pytest.mark.parametrize("name", BLOCKED)
def test_gradients(name: str) -> None:
    t, s = features(1, 13, 4), features(2, 13, 4, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: BLOCKED[name](t, x), s)


def test_coinciding_and_zero_features_have_finite_gradients() -> None:
    s = features(1, 6, 4)
    s[0, 1] = s[0, 0]
    s[0, 2] = 0
    s = s.requires_grad_()
    t = features(1, 6, 3, 1)
    total = losses.distance_relation(t, s) + losses.angle_relation(t, s) + losses.similarity_rows(t, s)
    for kernel in losses.PAIR_KERNELS:
        total = total + losses.pair_distance(kernel, losses.for_kernel(kernel, t), losses.for_kernel(kernel, s))
    total.sum().backward()
    assert s.grad is not None and s.grad.abs().max() < 1e3


def test_unit_rows_have_the_gradient_of_the_definition() -> None:
    x, weight = features(2, 5, 4).requires_grad_(), features(2, 5, 4, 1)
    assert torch.autograd.gradcheck(losses.unit, x)
    assert torch.allclose(losses.unit(x), x / x.norm(dim=-1, keepdim=True))
    with torch.no_grad():
        x[0, 1] = 0
    (losses.unit(x) * weight).sum().backward()
    assert not losses.unit(x)[0, 1].any() and not x.grad[0, 1].any() and x.grad[0, 0].any()


def test_sampled_rows_have_the_right_mean() -> None:
    """Every row drawn once: the mean of the estimates is the exact loss, edges and diagonal included."""
    t, s, g = features(1, 15, 4), features(2, 15, 4, 1), graph(15)
    exact = losses.kernel_matching("rbf", t, s, g, 0.4)
    estimates = [losses.kernel_matching("rbf", t, s, g, 0.4, torch.full((2, 1), i)) for i in range(15)]
    torch.testing.assert_close(torch.stack(estimates).mean(0), exact)


def test_invariances() -> None:
    t, s = features(1, 9, 4), features(2, 9, 4, 1)
    q, positive = rotation(4), features(2, 9, 1, 3).abs() + 0.1
    # RKD: similarity transforms.
    for relation in (losses.distance_relation, losses.angle_relation):
        torch.testing.assert_close(relation(s, 3 * s @ q + 1).abs().max().item(), 0.0, atol=1e-12, rtol=0)
        torch.testing.assert_close(relation(t, 3 * s @ q + 1), relation(t, s))
    # SP: a rotation of the target's features is the target.
    torch.testing.assert_close(losses.similarity_rows(t, t @ q).item(), 0.0, atol=1e-12, rtol=0)
    # GSP: rotation and a positive factor for each row.
    for kernel in ("cosine", "poly"):
        a, b = losses.for_kernel(kernel, s @ q * positive), losses.for_kernel(kernel, s)
        torch.testing.assert_close(losses.pair_distance(kernel, a, b).max().item(), 0.0, atol=1e-12, rtol=0)
    # GKD: common rotation, and translation where distances count.
    for kernel, moved in (("rbf", s @ q + 2), ("exponential", s @ q + 2), ("sigmoid", s @ q)):
        a, b = losses.for_kernel(kernel, moved, 0.7), losses.for_kernel(kernel, s, 0.7)
        torch.testing.assert_close(losses.pair_distance(kernel, a, b).max().item(), 0.0, atol=1e-12, rtol=0)


def test_contrast_does_not_depend_on_the_order() -> None:
    u, v = losses.unit(features(2, 9, 4)), losses.unit(features(1, 9, 4, 1))
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(losses.info_nce(v[:, order], u[:, order], 0.1), losses.info_nce(v, u, 0.1))


def test_random_features_have_the_arc_cosine_kernel_in_the_mean() -> None:
    x = features(1, 2, 3)
    directions = features(1, 3, 200_000, 4)
    phi = losses.relu_features(x, directions, 1.0)[0]
    a, b = x[0]
    theta = torch.arccos(a @ b / (a.norm() * b.norm()))
    expected = a.norm() * b.norm() * (theta.sin() + (math.pi - theta) * theta.cos()) / (2 * math.pi)
    assert (phi[0] @ phi[1]).item() == pytest.approx(expected.item(), rel=0.03)


def test_noise_contrast_ends() -> None:
    """P⁺ -> ∞ and P⁻ -> 0 leave nothing; equal scores leave log(1 + K) + K log(1 + 1/K)."""
    anchor = IDENTITY
    near, far = 100 * IDENTITY, -100 * torch.ones(1, 3, 2, dtype=torch.float64)
    value = losses.noise_contrastive(anchor, near, far, anchor.new_zeros(1), 10, 1.0)
    assert value.item() == pytest.approx(0, abs=1e-12)
    same = SAME[:, :1].expand(1, 3, 2)
    log_z = losses.log_normaliser(SAME, same, 10, 0.07)
    value = losses.noise_contrastive(SAME, SAME, same, log_z, 10, 0.07)
    assert value.item() == pytest.approx(math.log(1 + 3) + 3 * math.log(4 / 3))


def test_attention_map() -> None:
    """AT: signs, a factor and rotations of rows do not count; the distance lies between 0 and 2."""
    t, s, q = features(1, 9, 5), features(2, 9, 4, 1), rotation(4)
    value = losses.attention_distance(t, s)
    for same in (-s, 7 * s, s @ q):
        torch.testing.assert_close(losses.attention_distance(t, same), value)
    a, b = (x.square().sum(-1) for x in (t, s))
    expected = (a / a.norm(dim=1, keepdim=True) - b / b.norm(dim=1, keepdim=True)).square().sum(-1)
    torch.testing.assert_close(value, expected)
    far = torch.zeros(1, 2, 1), torch.zeros(1, 2, 1)
    far[0][0, 0], far[1][0, 1] = 3, 4
    assert losses.attention_distance(*far).item() == pytest.approx(2)
    assert losses.attention_distance(t, s, 1.0).shape == (2,)
