"""The page that goes with an exported student: what it is, what it was measured to do, and what it was not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CARD = "card.md"
EXAMPLE = """\
from graphstill.runtime import Graph, Predictor

predictor = Predictor("{folder}")
graph = Graph(edge_index, num_nodes=len(x))  # int64 [2, edges]: sources, targets
x = predictor.prepare(x)  # float32 [nodes, {features}]: normalised as in training
labels = predictor.predict(x, graph)"""
EXAMPLE_ROWS = """\
from graphstill.runtime import Predictor

predictor = Predictor("{folder}")
x = predictor.prepare(x)  # float32 [nodes, {features}]: normalised as in training
labels = predictor.predict(x)"""


def card(manifest: Mapping[str, Any], folder: str) -> str:
    """Markdown, from the manifest alone; ``folder`` is the name it goes by in the example."""
    parts = [
        head(manifest, "Node"),
        _input(manifest),
        protocol(manifest, "nodes"),
        figures(manifest),
        _checks(manifest),
        _use(manifest, folder),
        _limits(manifest),
    ]
    return "\n\n".join(parts) + "\n"


def head(m: Mapping[str, Any], thing: str) -> str:
    """What it is, and of which run; ``thing`` is what it classifies."""
    options = ", ".join(f"{key}={value}" for key, value in m["model"].items() if key not in ("name", "models"))
    which = f"an ensemble of {m['members']} members" if m["member"] == "ensemble" else f"member {m['member']}"
    name = ", ".join(x["name"] for x in m["model"].get("models", [])) or m["model"]["name"]
    return (
        f"# {m['name']}\n\n{thing} classifier: {name}{f' ({options})' if options else ''}, {which} of run "
        f"`{m['name']}`, {m['parameters']:,} parameters. Exported by graphstill {m['graphstill']}."
    )


def _input(m: Mapping[str, Any]) -> str:
    what = "labels, each with a logit of its own" if m["multi_label"] else "classes"
    lines = [
        "## Input and output",
        "",
        f"- `x`: float32 [nodes, {m['features']}], the features of `{m['protocol']['dataset']}` in the same order"
        + _prepared(m),
    ]
    if "edge_index" in m["inputs"]:
        lines.append("- `edge_index`: int64 [2, edges], sources and targets, both directions of an undirected edge")
    if "degree" in m["inputs"]:
        lines.append(
            "- `degree` (model.onnx used by itself; the runtime makes it): float32 [nodes], edges into each node but "
            "self-loops"
        )
    lines.append(f"- `logits`: float32 [nodes, {m['classes']}], {m['classes']} {what}")
    return "\n".join(lines)


def _prepared(m: Mapping[str, Any]) -> str:
    if m["protocol"].get("positions"):
        return ", as its task has them: normalised, with the columns of `task.with_positions` behind"
    steps = {
        "binary": "1 where a stored value is not zero",
        "row": "each row divided by the sum of its absolute values",
    }
    done = [steps[step] for step in (m["feature_normalization"] or "").split("-") if step]
    if done:
        return f", {', then '.join(done)} (`prepare` does it)"
    return ", as they are"


def protocol(m: Mapping[str, Any], things: str) -> str:
    """How it was trained, on how many of which things."""
    p = m["protocol"]
    teacher = "no teacher" if p.get("teacher") is None else f"teacher: {p['teacher'].get('name', p['teacher'])}"
    return (
        "## How it was trained\n\n"
        f"`{p['dataset']}`, split {p['split']} ({p['train']} training, {p['val']} validation, {p['test']} test "
        f"{things}), {p['setting']}; selected by {p['selected_by']}; {teacher}. Loss: {m['effective_loss']}. "
        f"Data hash `{m['data_hash'][:12]}`."
    )


def figures(m: Mapping[str, Any]) -> str:
    """A table of what was measured on validation and test."""
    r = m["results"]
    lines = ["## Figures", "", f"| {r['metric']} | % |", "|---|---|"]
    validation = r["validation"]
    which = f"seed {r['seeds'][0]}" if len(set(r["seeds"])) == 1 else f"{len(r['seeds'])} seeds, mean"
    members = ", mean of its members" if len(validation) > 1 else ""
    lines.append(f"| validation, this network ({which}{members}) | {100 * sum(validation) / len(validation):.2f} |")
    if r["test"] is not None:
        lines.append(f"| test, this network (one network: no claim about the method) | {100 * r['test']:.2f} |")
    lines += [f"| test, {name} {_over_seeds(spread)} |" for name, spread in (r["all_seeds"] or {}).items()]
    lines += _gain(m)
    if r["all_seeds"] is None:
        lines.append("| test | the test set was left sealed |")
    for part, taught in (r.get("teacher") or {}).items():
        values = taught[r["metric"]]
        lines.append(f"| {part}, the teacher itself | {100 * sum(values) / len(values):.2f} |")
    return "\n".join([*lines, *(line for text in r.get("warnings", ()) for line in ("", f"**Warning.** {text}."))])


def _over_seeds(spread: Mapping[str, Any]) -> str:
    std = "" if spread["std"] is None else f" ± {100 * spread['std']:.2f}"
    seeds = "1 seed" if spread["seeds"] == 1 else f"{spread['seeds']} seeds"
    return f"({seeds}) | {100 * spread['mean']:.2f}{std}"


def _gain(m: Mapping[str, Any]) -> list[str]:
    """The undistilled student and the difference to it, or why there is none."""
    r = m["results"]
    twin, gain = r.get("baseline"), r["gain"]
    if gain is None:
        why = {
            "train": "none: this network was trained on labels alone",
            "evaluate": "not known: this network was trained elsewhere",
        }
        text = why.get(r.get("kind"), "not known: no undistilled twin was trained beside it, or given as baseline")
        return [f"| gain over the plain student | {text} |"]
    lines = []
    if twin is not None:
        models = m["model"].get("models", [m["model"]])
        same = all(model in models for model in twin["models"]) and len({str(model) for model in twin["models"]}) == 1
        kind = "its twin" if same else ", ".join(model_text(model) for model in twin["models"][:1])
        lines += [
            f"| test, the plain student ({kind}), {name} {_over_seeds(spread)} |"
            for name, spread in twin["all_seeds"].items()
        ]
    return lines + [
        f"| gain over the plain student, {figure}, paired by seed | {text} |" for figure, text in gain.items()
    ]


def model_text(model: Mapping[str, Any]) -> str:
    """A model and its options."""
    options = ", ".join(f"{key}={value}" for key, value in model.items() if key not in ("name", "models"))
    return f"{model['name']}, {options}" if options else str(model["name"])


def _checks(m: Mapping[str, Any]) -> str:
    lines = [
        "## Checked at export",
        "",
        "| engine | largest difference to torch | equal predictions | ms |",
        "|---|---|---|---|",
    ]
    for engine, worst in m["parity"]["engines"].items():
        time = m["timing"]["milliseconds"].get(engine)
        lines.append(
            f"| {engine} | {worst['difference']:.1e} | {100 * worst['agreement']:.2f} % | "
            f"{'not measured' if time is None else f'{time:.2f}'} |"
        )
    cases, timing = m["parity"]["cases"], m["timing"]
    of_int8 = "" if m["int8"] is None else " (int8: on the last of them)"
    lines += [
        "",
        f"Differences are the worst over {len(cases)} graphs{of_int8}, "
        f"relative where logits exceed 1: {'; '.join(cases)}. Times are medians for {timing['graph']}, "
        f"{timing['threads']} thread, taken in turns. Default engine: **{m['engine']}** ({timing['reason']}).",
        "",
        "Sizes: " + ", ".join(f"{name} {size:,} bytes" for name, size in m["sizes"].items()) + ".",
    ]
    if m["int8"] is not None:
        q = m["int8"]
        lines += [
            "",
            f"int8 ({q['kind']}): validation {q['metric']} {100 * q['validation']:.2f} % against "
            f"{100 * q['validation_float']:.2f} % before rounding ({q['validation_nodes']} nodes), {q['bytes']:,} "
            f"against {q['bytes_float']:,} bytes.",
        ]
    return "\n".join(lines)


def _use(m: Mapping[str, Any], folder: str) -> str:
    example = (EXAMPLE if "edge_index" in m["inputs"] else EXAMPLE_ROWS).format(folder=folder, features=m["features"])
    return f"## How to run it\n\nNeeds numpy and onnxruntime.\n\n```python\n{example}\n```"


def _limits(m: Mapping[str, Any]) -> str:
    lines = [
        "## Limits",
        "",
        f"- It knows the {m['classes']} {'labels' if m['multi_label'] else 'classes'} of `{m['protocol']['dataset']}` "
        "and nothing else; features of another source need another student.",
        "- Probabilities were not calibrated.",
    ]
    if m["hops"]:
        lines.append(f"- A prediction reads the features of all nodes within {m['hops']} edges.")
    if m["protocol"]["setting"] == "transductive":
        lines.append("- Trained transductively: nodes that came later were not part of any figure above.")
    return "\n".join(lines)
