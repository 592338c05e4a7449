from __future__ import annotations

import copy

import pytest
import scipy.sparse
import torch
from torch import Tensor

from graphstill.errors import ConfigError, DataError
from graphstill.ops import Noise, SparseFeatures

N, F, H, M = 12, 7, 4, 3


@pytest.fixture
def x() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(N, F, dtype=torch.float64, generator=generator)
    x[torch.rand(N, F, generator=generator) < 0.6] = 0
    x[4] = 0
    return x


@pytest.fixture
def features(x: Tensor) -> SparseFeatures:
    return SparseFeatures.from_dense(x)


def weights(members: int = M) -> Tensor:
    return torch.randn(members, F, H, dtype=torch.float64, requires_grad=True)


def test_every_way_in_gives_the_same_matrix(x: Tensor, features: SparseFeatures) -> None:
    csr = scipy.sparse.csr_array(x.numpy())
    for made in (
        features,
        SparseFeatures.from_scipy(csr),
        SparseFeatures.from_scipy(csr.tocoo()),
        SparseFeatures.from_csr(features.ptr.long(), features.indices.long(), features.values, (N, F)),
    ):
        assert torch.equal(made.to_dense(), x)
        assert (made.shape, made.nnz, len(made)) == ((N, F), int((x != 0).sum()), N)
        assert made.indices.dtype == torch.int32
    assert SparseFeatures.from_scipy(scipy.sparse.eye_array(3, dtype=int)).dtype == torch.float32


def test_rows(x: Tensor, features: SparseFeatures) -> None:
    for index in (torch.tensor([5, 4, 5, 0]), torch.tensor([], dtype=torch.int64), torch.arange(N) % 3 == 0):
        assert torch.equal(features.rows(index).to_dense(), x[index])


def test_a_copy_works_on_its_own(features: SparseFeatures) -> None:
    weight = weights()
    expected = features.matmul(weight)
    assert torch.equal(copy.deepcopy(features).matmul(weight), expected)


def test_row_normalized(x: Tensor, features: SparseFeatures) -> None:
    total = x.abs().sum(1, keepdim=True)
    assert torch.allclose(features.row_normalized().to_dense(), x / torch.where(total == 0, 1.0, total))


def test_converts(x: Tensor, features: SparseFeatures) -> None:
    assert features.to("cpu") is features and features.to(torch.float64) is features
    assert torch.equal(features.to(torch.float32).to_dense(), x.float())
    assert features.to("meta").device.type == "meta"


def test_product_and_gradient_equal_dense(x: Tensor, features: SparseFeatures) -> None:
    weight = weights()
    out, grad = features.matmul(weight), torch.randn(M, N, H, dtype=torch.float64)
    assert torch.allclose(out, x @ weight) and out.is_contiguous()
    assert torch.allclose(torch.autograd.grad(out, weight, grad)[0], x.t() @ grad)
    assert torch.autograd.gradcheck(features.matmul, (weight,))


def test_dropout_acts_on_the_non_zeros_of_each_member(x: Tensor, features: SparseFeatures) -> None:
    noise = Noise([1, 2])
    identity = torch.eye(F, dtype=torch.float64).repeat(2, 1, 1).requires_grad_()
    dropped = features.matmul(identity, noise.at(0), 0.5).detach()
    assert ((dropped == 0) | torch.isclose(dropped, 2 * x)).all()
    assert not torch.equal(dropped[0], dropped[1]) and dropped.any() and (dropped == 0)[:, x != 0].any()
    # The gradient is that of a product with exactly these features.
    grad = torch.randn(2, N, F, dtype=torch.float64)
    out = features.matmul(identity, noise.at(0), 0.5)
    assert torch.allclose(torch.autograd.grad(out, identity, grad)[0], dropped.transpose(1, 2) @ grad)
    assert torch.equal(features.matmul(identity[:1], noise.at(0).member(1), 0.5)[0], dropped[1])


def test_dropout_is_distributed_as_dense_dropout() -> None:
    """Mean and covariance of the product over 20,000 draws, against their closed forms for dropout of a dense row."""
    row = torch.tensor([[1.0, 0.0, -2.0, 0.5]], dtype=torch.float64)
    weight = torch.tensor([[1.0, 0.5], [3.0, 1.0], [1.0, -1.0], [0.0, 2.0]], dtype=torch.float64)
    draws = 20_000
    features = SparseFeatures.from_dense(row.expand(draws, -1))
    out = features.matmul(weight[None], Noise([0]), 0.25)[0]
    terms = row.t() * weight
    covariance = terms.t() @ terms * (0.25 / 0.75)
    assert torch.allclose(out.mean(0), (row @ weight)[0], atol=4 * (covariance.diagonal().max() / draws).sqrt().item())
    assert torch.allclose(out.t().cov(), covariance, atol=0.05)


def test_no_noise_and_no_rate_are_the_plain_product(features: SparseFeatures) -> None:
    weight = weights()
    for out in (features.matmul(weight, None, 0.5), features.matmul(weight, Noise(range(M)), 0.0)):
        assert torch.equal(out, features.matmul(weight))


def test_all_zero_features() -> None:
    features = SparseFeatures.from_dense(torch.zeros(3, F, dtype=torch.float64))
    weight = weights()
    out = features.matmul(weight, Noise(range(M)), 0.5)
    out.sum().backward()
    assert not out.any() and not weight.grad.any()


def test_unsuitable_arguments_are_refused(features: SparseFeatures) -> None:
    for weight in (torch.zeros(F, H).double(), torch.zeros(1, F + 1, H).double(), torch.zeros(1, F, H)):
        with pytest.raises(ConfigError, match="weight is"):
            features.matmul(weight)
    with pytest.raises(ConfigError, match="2 members of noise"):
        features.matmul(weights(), Noise([0, 1]), 0.5)
    with pytest.raises(DataError, match="shape"):
        SparseFeatures.from_dense(torch.zeros(3))
    ptr, indices, values = torch.tensor([0, 1, 2]), torch.tensor([0, 3]), torch.ones(2)
    for parts, shape in [
        ((ptr, indices, values), (2, 3)),
        ((ptr, indices, values), (3, 4)),
        ((torch.tensor([0, 2, 1]), indices, values), (2, 4)),
        ((ptr, indices, torch.ones(3)), (2, 4)),
    ]:
        with pytest.raises(DataError, match="not a CSR matrix"):
            SparseFeatures.from_csr(*parts, shape)
