"""Each architecture of the zoo as steps of a plan, in the order that costs least.

Propagation and products with weights commute, so neighbours are summed on whichever side is narrower. Linear layers
absorb what is linear behind them: batch normalisation (by its running statistics), GCNII's identity map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from graphstill.deploy.plan import INPUT, Array, Plan, PlanBuilder, side_by_side
from graphstill.errors import ExportError
from graphstill.nn import Cohort, StackedCohort

# Up to this width x may be propagated before its product; a wider one may be sparse, and is never made dense.
NARROW = 256
BATCH_NORM_EPS = 1e-5
ATTENTION_SLOPE = 0.2

State = Mapping[str, Array]


def steps_of(builder: PlanBuilder, cohort: StackedCohort) -> str:
    """Append the evaluation pass of all members of a cohort; returns the register ``[nodes, members * outputs]``.

    Raises:
        ExportError: an architecture that is not known here.
        ConfigError: a member that was selected while its features were smoothed.
    """
    for member in range(cohort.members):
        cohort.refuse_filter(member)
    name = cohort.spec.name
    if name not in FAMILIES:
        raise ExportError(
            f"model {name!r} cannot be exported, in graphstill.deploy: a network that belongs to the one graph that it "
            f"was trained on serves no other; distil it into one of {', '.join(sorted(FAMILIES))}"
        )
    state = {key: np.asarray(tensor.detach().cpu().float().numpy()) for key, tensor in cohort.state_dict().items()}
    return FAMILIES[name](builder, cohort, state)


def plan_of(cohort: Cohort) -> Plan:
    """The plan of a cohort of one member of the zoo; its logits are the member's."""
    if not isinstance(cohort, StackedCohort) or cohort.members != 1:
        raise ExportError(
            f"a cohort of {cohort.members} {cohort.spec}, in graphstill.deploy.plan_of: give one member of the zoo, "
            "cohort.select([i]); several make an ensemble"
        )
    builder = PlanBuilder(cohort.inputs)
    return builder.finish(steps_of(builder, cohort), cohort.outputs)


def _gcn(b: PlanBuilder, cohort: StackedCohort, state: State) -> str:
    options, h = cohort.spec.options(), INPUT
    for layer in range(options["layers"]):
        if layer:
            h = activate(b, options["activation"], h)
        weight, bias = state[f"convs.{layer}.weight"], state[f"convs.{layer}.bias"]
        if _aggregate_first(h, weight):
            h = b.linear(b.propagate(h, "gcn", options["self_loops"]), _shared(h, weight), bias)
        else:
            h = b.add(b.propagate(b.products(h, [weight])[0], "gcn", options["self_loops"]), bias)
    return h


def _sage(b: PlanBuilder, cohort: StackedCohort, state: State) -> str:
    options, h = cohort.spec.options(), INPUT
    for layer in range(options["layers"]):
        if layer:
            h = activate(b, options["activation"], h)
        neighbours, own = np.split(state[f"convs.{layer}.weight"], 2, axis=2)
        bias = state[f"convs.{layer}.bias"]
        if _aggregate_first(h, neighbours):
            mean = b.propagate(h, "mean", False)
            h = b.add(b.products(mean, [_shared(h, neighbours)])[0], b.linear(h, own, bias))
        else:
            to_sum, kept = b.products(h, [neighbours, own])
            h = b.add(b.add(b.propagate(to_sum, "mean", False), kept), bias)
    return h


def _gin(b: PlanBuilder, cohort: StackedCohort, state: State) -> str:
    options, h = cohort.spec.options(), INPUT
    for layer in range(options["layers"]):
        if layer:
            h = b.node("Relu", h)
        key = f"convs.{layer}"
        first, bias = state[f"{key}.first.weight"], state[f"{key}.first.bias"]
        if options["batch_norm"]:
            first, bias = fold_batch_norm(first, bias, state, f"{key}.norm")
        if _aggregate_first(h, first):
            h = b.linear(b.add(b.propagate(h, "sum", False), h), _shared(h, first), bias)
        else:
            product = b.products(h, [first])[0]
            h = b.add(b.add(b.propagate(product, "sum", False), product), bias)
        h = b.linear(b.node("Relu", h), state[f"{key}.second.weight"], state[f"{key}.second.bias"])
    return h


def _gat(b: PlanBuilder, cohort: StackedCohort, state: State) -> str:
    options, h, members = cohort.spec.options(), INPUT, cohort.members
    for layer in range(options["layers"]):
        if layer:
            h = activate(b, options["activation"], h)
        key, last = f"convs.{layer}", layer == options["layers"] - 1
        weight = state[f"{key}.weight"]
        _, heads, width = state[f"{key}.att_source"].shape
        products = b.products(
            h, [weight[..., : heads * width], *([weight[..., heads * width :]] * options["residual"])]
        )
        value, skip = products[0], products[1:]
        source, target = b.products(value, [_blocks(state[f"{key}.att_{end}"]) for end in ("source", "target")])
        h = b.attend(value, source, target, members * heads, ATTENTION_SLOPE)
        if last and heads > 1:
            apart = b.node("Reshape", h, b.constant(np.array([-1, members, heads, width])))
            mean = b.node("ReduceMean", apart, b.constant(np.array([2])), keepdims=0)
            h = b.node("Reshape", mean, b.constant(np.array([-1, members * width])))
        for own in skip:
            h = b.add(h, own)
        h = b.add(h, state[f"{key}.bias"])
    return h


def _gcnii(b: PlanBuilder, cohort: StackedCohort, state: State) -> str:
    options = cohort.spec.options()
    alpha, width = options["alpha"], options["hidden"]
    h = b.node("Relu", b.linear(INPUT, state["first.weight"], state["first.bias"]))
    # (1 - alpha) A h + alpha h_0 = (1 - alpha) (A h + h_0 alpha / (1 - alpha)): the factor goes into the weights.
    own = b.scale(h, alpha / (1.0 - alpha)) if alpha else None
    for layer in range(options["layers"]):
        beta = np.log(options["lambda_"] / (layer + 1) + 1.0)
        mixed = b.propagate(h, "gcn", True)
        if own is not None:
            mixed = b.add(mixed, own)
        weight = state[f"convs.{layer}.weight"].astype(np.float64)
        h = b.node("Relu", b.products(mixed, [(1.0 - alpha) * (beta * weight + (1.0 - beta) * np.eye(width))])[0])
    return b.linear(h, state["last.weight"], state["last.bias"])


def _sgc(b: PlanBuilder, cohort: StackedCohort, state: State) -> str:
    hops, h, weight = cohort.spec.options()["hops"], INPUT, state["linear.weight"]
    if hops and _aggregate_first(h, weight):
        for _ in range(hops):
            h = b.propagate(h, "gcn", True)
        return b.linear(h, _shared(INPUT, weight), state["linear.bias"])
    h = b.products(h, [weight])[0]
    for _ in range(hops):
        h = b.propagate(h, "gcn", True)
    return b.add(h, state["linear.bias"])


def _appnp(b: PlanBuilder, cohort: StackedCohort, state: State) -> str:
    options, h = cohort.spec.options(), INPUT
    for layer in range(options["layers"]):
        h = b.linear(b.node("Relu", h) if layer else h, state[f"lins.{layer}.weight"], state[f"lins.{layer}.bias"])
    own = b.scale(h, options["alpha"])
    for _ in range(options["hops"]):
        h = b.add(b.scale(b.propagate(h, "gcn", True), 1.0 - options["alpha"]), own)
    return h


def _mlp(b: PlanBuilder, cohort: StackedCohort, state: State) -> str:
    options, h = cohort.spec.options(), INPUT
    for layer in range(options["layers"]):
        if layer:
            h = activate(b, options["activation"], h)
        weight, bias = state[f"lins.{layer}.weight"], state[f"lins.{layer}.bias"]
        if options["batch_norm"] and layer < options["layers"] - 1:
            weight, bias = fold_batch_norm(weight, bias, state, f"norms.{layer}")
        h = b.linear(h, weight, bias)
    return h


def _rod(b: PlanBuilder, cohort: StackedCohort, state: State) -> str:
    """The gate's score is one more column of the trunk's product; the mean over heads is a mean of their weights."""
    options, members = cohort.spec.options(), cohort.members
    hops, width = options["hops"], options["hidden"]
    received = b.products(INPUT, [np.concatenate([state["trunk.weight"], state["gate.weight"]], axis=2)])
    for _ in range(hops):
        received.append(b.propagate(received[-1], "gcn", True))
    apart = b.constant(np.array([-1, members, width + 1]))
    pairs = [b.split(b.node("Reshape", h, apart), [width, 1], axis=2) for h in received]
    scores = b.node("Concat", *(score for _, score in pairs), axis=2)
    gates = b.node("Sigmoid", b.node("Add", scores, b.constant(state["gate.bias"])))
    shares = b.split(b.node("Softmax", gates, axis=2), [1] * (hops + 1), axis=2)
    parts = [b.node("Mul", own, share) for (own, _), share in zip(pairs, shares, strict=True)]
    mixed = b.node("Reshape", b.node("Sum", *parts), b.constant(np.array([-1, members * width])))
    h = b.node("Relu", b.add(mixed, state["trunk.bias"]))
    heads, biases = (
        state[f"heads.{name}"].reshape(*shape, hops + 1, cohort.outputs).mean(axis=-2)
        for name, shape in (("weight", (members, width)), ("bias", (members,)))
    )
    return b.linear(h, heads, biases)


def _gine(b: PlanBuilder, cohort: StackedCohort, state: State) -> str:
    options = cohort.spec.options()
    if options.get("readout") or options["virtual_node"] or options["edge_codes"] or options["edge_width"]:
        raise ExportError(
            f"{cohort.spec} answers by graph or reads features of edges, in graphstill.deploy: plans are made of "
            "networks of nodes; use run.member(i), a torch module"
        )
    h = b.products(INPUT, [state["first.weight"]])[0]
    for layer in range(options["layers"]):
        key = f"convs.{layer}"
        own = np.repeat(1.0 + state[f"{key}.eps"], options["hidden"], axis=1)
        mixed = b.add(b.node("Mul", h, b.constant(own.reshape(-1))), b.propagate(h, "sum", False))
        first = fold_batch_norm(state[f"{key}.first.weight"], state[f"{key}.first.bias"], state, f"{key}.norm")
        second = fold_batch_norm(state[f"{key}.second.weight"], state[f"{key}.second.bias"], state, f"norms.{layer}")
        out = b.linear(b.node("Relu", b.linear(mixed, *first)), *second)
        out = out if layer == options["layers"] - 1 else b.node("Relu", out)
        h = b.add(out, h) if options["residual"] else out
    return b.linear(h, state["head.weight"], state["head.bias"])


FAMILIES: dict[str, Callable[[PlanBuilder, StackedCohort, State], str]] = {
    "gcn": _gcn,
    "sage": _sage,
    "gat": _gat,
    "gin": _gin,
    "gine": _gine,
    "gcnii": _gcnii,
    "sgc": _sgc,
    "appnp": _appnp,
    "mlp": _mlp,
    "rod": _rod,
}


def activate(b: PlanBuilder, name: str, h: str) -> str:
    """The activation of that name, as ``graphstill.nn.activations`` has it."""
    if name == "gelu":  # by its definition: opset 18 has no operator of that name
        half = b.scale(h, 0.5)
        inner = b.node("Erf", b.scale(h, 0.5**0.5))
        return b.node("Mul", half, b.node("Add", inner, b.constant(np.float32(1.0))))
    op = {"relu": "Relu", "elu": "Elu", "leaky_relu": "LeakyRelu", "tanh": "Tanh"}[name]
    return b.node(op, h, **({"alpha": 0.01} if name == "leaky_relu" else {}))


def fold_batch_norm(weight: Array, bias: Array, state: State, key: str) -> tuple[Array, Array]:
    """The linear layer that does what this one and the batch normalisation behind it do in evaluation."""
    scale = state[f"{key}.weight"].astype(np.float64) / np.sqrt(state[f"{key}.running_var"] + BATCH_NORM_EPS)
    return weight * scale[:, None, :], (bias - state[f"{key}.running_mean"]) * scale + state[f"{key}.bias"]


def _aggregate_first(h: str, weight: Array) -> bool:
    """Whether neighbours are summed at less width before the product; x serves all members at once."""
    members, inputs, outputs = weight.shape
    if h == INPUT:
        return inputs <= NARROW and inputs < members * outputs
    return inputs < outputs


def _shared(h: str, weight: Array) -> Array:
    """Weights for a register that was summed before its product: of x there is one for all members."""
    return weight if h != INPUT else side_by_side(weight)[None]


def _blocks(attention: Array) -> Array:
    """``[M, heads, width]`` as block-diagonal ``[M, heads * width, heads]``: scores of all heads in one product."""
    members, heads, width = attention.shape
    blocks = attention[..., None] * np.eye(heads, dtype=attention.dtype)[:, None, :]
    return blocks.reshape(members, heads * width, heads)
