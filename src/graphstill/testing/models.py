"""What must hold for every model whose items are nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from graphstill import plugins
from graphstill.errors import ConfigError, GraphstillError
from graphstill.nn import MODELS, Cohort, KnownLabels, Model, make_model
from graphstill.ops import Adjacency
from graphstill.testing.graph import CLASSES, FEATURES, NODES, SEEDS, dense, edges, graph, known, noise, probe, sparse
from graphstill.testing.invariant import BrokenInvariant, asked, importable, require


def check_model(model: Model | type[Model], *, without: Mapping[str, str] | None = None) -> list[str]:
    """Runs on a model, in a second or two, what graphstill's own tests run on every model of its own.

    Args:
        model: a class, whose options are then their defaults, or a model with options.
        without: names of `graphstill.testing.models.CHECKS` that need not hold, each with the reason.

    Returns:
        The names of the checks that were made; all hold.

    Raises:
        BrokenInvariant: a check does not hold; the message says which, and what it found.
        ConfigError: no model, one of images or whole graphs, a name that no check has, or an empty reason.

    >>> from graphstill.nn import GCN
    >>> check_model(GCN(hidden=8))[:3]
    ['configuration', 'members_differ', 'order_of_nodes_changes_nothing']
    """
    made = model() if isinstance(model, type) and issubclass(model, Model) else model
    if not isinstance(made, Model):
        raise ConfigError(f"{model!r} is no model, in check_model: give a class that derives from Model, or one made")
    if made.takes != "graph" or made.readout is not None:
        raise ConfigError(f"model {made.name!r} answers for images or whole graphs, but check_model has nodes only")
    names = asked(CHECKS, without or {}, "check_model")
    for name in names:
        run_check(name, made)
    return names


def run_check(name: str, model: Model) -> None:
    """One check; raises BrokenInvariant with its name, what it asks for, and what it found."""
    check = CHECKS[name]
    try:
        check(model)
    except (AssertionError, GraphstillError) as error:
        wanted = (check.__doc__ or "").strip().partition("\n")[0]
        raise BrokenInvariant(f"model {model.name!r} breaks {name!r}. {wanted} Found: {error}") from error


def configuration(model: Model) -> None:
    """A recipe gives back the model that wrote it."""
    options = model.options()
    if MODELS.get(model.name) is type(model) or (importable(type(model)) and plugins.is_path(model.name)):
        again = make_model(model.name, **options)
        require(again == model, f"{options} makes {again}")
    require(type(model)(**options) == model, f"{options} makes {type(model)(**options)}")


def members_differ(model: Model) -> None:
    """Members of other seeds give other logits."""
    logits = _built(model)(dense(), graph()).logits
    require(logits.shape == (len(SEEDS), NODES, CLASSES), f"logits are {list(logits.shape)}")
    require(all((a - b).abs().max() > 1e-3 for a, b in pairwise(logits)), "two members give the same logits")


def order_of_nodes_changes_nothing(model: Model) -> None:
    """A graph with its nodes in another order gives the same logits in that order."""
    order = torch.randperm(NODES, generator=torch.Generator().manual_seed(0))
    place = torch.empty_like(order)
    place[order] = torch.arange(NODES)
    renumbered = Adjacency.from_edge_index(place[edges()], NODES)
    other = _built(model, labels=KnownLabels(known().labels[order]))
    assert_close(other(dense()[order], renumbered).logits, _built(model)(dense(), graph()).logits[:, order])


def graphs_in_a_batch_do_not_touch(model: Model) -> None:
    """Two graphs side by side give what each gives alone."""
    cohort, x = _built(model), dense()
    two = _built(model, labels=KnownLabels(known().labels.repeat(2)))
    both = two(torch.cat([x, x.flip(0)]), Adjacency.disjoint([graph(), graph()])).logits
    assert_close(both[:, :NODES], cohort(x, graph()).logits)
    assert_close(both[:, NODES:], cohort(x.flip(0), graph()).logits)


def sparse_features_equal_dense_ones(model: Model) -> None:
    """Features that are sparse, dense, or dense for each member give the same logits."""
    cohort = _built(model)
    expected = cohort(dense(), graph()).logits
    assert_close(cohort(sparse(), graph()).logits, expected)
    assert_close(cohort(dense().expand(len(SEEDS), -1, -1), graph()).logits, expected)


def noise_repeats(model: Model) -> None:
    """The same step draws the same noise, and a model without any says so."""
    cohort = _built(model)
    first, again = (cohort(dense(), graph(), noise(step=1)).logits for _ in range(2))
    require(torch.equal(first, again), "a step that is repeated gives other logits")
    # The engine shares one pass between training and evaluation where a cohort says so: overlooked noise would be lost.
    same = torch.equal(first, _built(model)(dense(), graph()).logits)
    require(same or not cohort.noiseless, "`noiseless`, but training computes something else than evaluation")
    require(not same or cohort.noiseless or not cohort.stacked, "training computes what evaluation does: `noiseless`")


def one_member_alone_equals_one_of_many(model: Model) -> None:
    """A member has the weights, logits, features and gradients that it has without the others."""
    many, one = _built(model), _built(model, [SEEDS[1]])
    _compare(_of_member(one, one.state_dict(), 0), _of_member(many, many.state_dict(), 1), exactly=True)
    for x in (dense(), sparse()):
        for drawn, own in ((None, None), (noise(), noise([SEEDS[1]]))):
            out, alone = many(x, graph(), drawn), one(x, graph(), own)
            assert_close(out.logits[1], alone.logits[0])
            for layer, layer_alone in zip(out.hidden, alone.hidden, strict=True):
                assert_close(layer.dropped[1], layer_alone.dropped[0])
            slopes, slopes_alone = _gradients(many, out.logits), _gradients(one, alone.logits)
            _compare(_of_member(one, slopes_alone, 0), _of_member(many, slopes, 1))


def learns(model: Model) -> None:
    """Two kinds of nodes, edges within each kind: sixty steps tell them apart, for every member."""
    generator = torch.Generator().manual_seed(0)
    kind = torch.arange(40) % 2
    pairs = torch.randint(20, (2, 100), generator=generator) * 2
    index = torch.cat([pairs, pairs + 1, pairs.flip(0), pairs.flip(0) + 1], dim=1)
    adjacency = Adjacency.from_edge_index(index, 40)
    x = torch.randn(40, 8, generator=generator) + 1.5 * kind.unsqueeze(1)
    cohort = model.build(8, 2, SEEDS, KnownLabels.none(40))
    optimizer = torch.optim.Adam(cohort.parameters(), lr=0.05)
    for step in range(60):
        logits = cohort(x, adjacency, noise(step=step)).logits
        loss = F.cross_entropy(logits.flatten(0, 1), kind.repeat(len(SEEDS)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    accuracy = (cohort(x, adjacency).logits.argmax(-1) == kind).double().mean(1)
    require(accuracy.min() > 0.9, f"accuracies {accuracy.tolist()}")


#: Every check by its name.
CHECKS: dict[str, Callable[[Model], None]] = {
    check.__name__: check
    for check in (
        configuration,
        members_differ,
        order_of_nodes_changes_nothing,
        graphs_in_a_batch_do_not_touch,
        sparse_features_equal_dense_ones,
        noise_repeats,
        one_member_alone_equals_one_of_many,
        learns,
    )
}


def _built(model: Model, seeds: Sequence[int] = SEEDS, labels: KnownLabels | None = None) -> Cohort:
    return model.build(FEATURES, CLASSES, seeds, labels or known()).to(torch.float64)


def _gradients(cohort: Cohort, logits: Tensor) -> dict[str, Tensor]:
    names, parameters = zip(*cohort.named_parameters(), strict=True)
    found = torch.autograd.grad(probe(logits).sum(), parameters, allow_unused=True)
    return {name: g for name, g in zip(names, found, strict=True) if g is not None}


def _of_member(cohort: Cohort, tensors: Mapping[str, Tensor], i: int) -> dict[str, Tensor]:
    """One member's part, by name: stacked tensors have a member axis in front, networks of their own a number."""
    if cohort.stacked:
        return {name: tensor[i] for name, tensor in tensors.items()}
    own = f"networks.{i}."
    return {name.removeprefix(own): tensor for name, tensor in tensors.items() if name.startswith(own)}


def _compare(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], exactly: bool = False) -> None:
    require(set(found) == set(expected), f"{sorted(set(found) ^ set(expected))} in one of the two only")
    for name, tensor in found.items():
        if exactly:
            require(torch.equal(tensor, expected[name]), f"weights {name} differ")
        else:
            assert_close(tensor, expected[name], msg=name)
