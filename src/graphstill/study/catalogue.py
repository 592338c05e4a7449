"""What there is, by name: methods, models, data sets, and what each of them takes."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from graphstill import plugins
from graphstill.errors import ConfigError, nearest
from graphstill.study.schema import arguments
from graphstill.study.starting import starting_point

if TYPE_CHECKING:
    from graphstill.method import Reference

Kind = Literal["methods", "models", "datasets"]
KINDS: tuple[Kind, ...] = ("methods", "models", "datasets")
WHAT: dict[Kind, plugins.What] = {"methods": "method", "models": "model", "datasets": "dataset"}


def catalogue(kind: Kind) -> list[dict[str, Any]]:
    """Name and one line of each method, model or data set. Raises ConfigError for another kind."""
    if kind not in KINDS:
        raise ConfigError(f"nothing to list called {kind!r}, in `list`: {nearest(kind, KINDS)}")
    if kind == "datasets":
        from graphstill.data import datasets, graph_datasets, images

        ours = {*datasets.names(), *graph_datasets.names(), *images.names()}
        return [{"name": name, "summary": _note(name)} for name in sorted({*ours, *plugins.entries("dataset")})]
    rows: list[dict[str, Any]] = []
    for name, cls in sorted(_registry(kind).items()):
        row: dict[str, Any] = {"name": name, "class": cls.__name__, "summary": _first_line(cls.__doc__)}
        if kind == "methods":
            row["needs"] = [need for need, value in cls.needs._asdict().items() if value]
        rows.append(row)
    return sorted([*rows, *_broken(kind)], key=lambda row: str(row["name"]))


def describe(name: str) -> dict[str, Any]:
    """All about one name: docstring, options with type and default, needs; of a method also its papers, what a search
    varies, and where to start. A path describes that recipe, resolved.

    A class is as good as its name in recipes: `GraphSAGE`, `sage`. A name that is both a method and a model is told by
    the prefix, `methods/NAME`. Raises ConfigError for a name that nothing has.
    """
    if name.endswith((".yaml", ".yml")) or Path(name).is_file():
        from graphstill.study.recipe import read_recipe

        return {"kind": "recipe", "name": name, "recipe": read_recipe(name).resolved()}
    prefix, _, rest = name.rpartition("/")
    kinds = [kind for kind in KINDS if prefix in ("", kind)]
    if plugins.is_path(rest):
        return _describe(_kind_at(rest, kinds), rest)
    for kind in kinds:  # as written before classes and capitals: `rod` is a method and a model, `ROD` a class
        if rest in _names(kind):
            return _describe(kind, rest)
    for kind in kinds:
        found = _by_class(kind).get(rest.lower())
        if found is not None:
            return _describe(kind, found)
    everything = [known for kind in KINDS for known in _names(kind)]
    raise ConfigError(f"no method, model, data set or recipe file is called {name!r}: {nearest(rest, everything)}")


def papers(name: str) -> list[Reference]:
    """The papers of a method, by name or class, its own first.

    Raises ConfigError for a name that no method has, and for the control, which is of no paper.
    """
    plain = plugins.is_path(name) or name in _names("methods")
    found = name if plain else _by_class("methods").get(name.lower())
    if found is None:
        raise ConfigError(
            f"no method is called {name!r}, so there is nothing to cite: {nearest(name, _names('methods'))}"
        )
    references = list(_class("methods", found).reference)
    if not references:
        raise ConfigError(f"method {found!r} is a control, of no paper: cite the method that it is compared with")
    return references


def _names(kind: Kind) -> list[str]:
    return [row["name"] for row in catalogue(kind)]


def _by_class(kind: Kind) -> dict[str, str]:
    """Names by themselves and by their classes, all in small letters."""
    known = {name.lower(): name for name in _names(kind)}
    return known if kind == "datasets" else {cls.__name__.lower(): n for n, cls in _registry(kind).items()} | known


def _describe(kind: Kind, name: str) -> dict[str, Any]:
    from graphstill.data import datasets

    if kind == "datasets":
        options = {key: value for key, value in arguments(datasets.loader(name)).items() if key not in ("name", "root")}
        return {"kind": "dataset", "name": name, "doc": _note(name), "options": _options(options)}
    cls = _class(kind, name)
    found: dict[str, Any] = {
        "kind": kind.removesuffix("s"),
        "name": name,
        "class": cls.__name__,
        "doc": inspect.getdoc(cls) or "",
        "options": _options(arguments(cls)),
    }
    if kind == "methods":
        found["needs"] = [need for need, value in cls.needs._asdict().items() if value]
        found["presets"] = {"released": cls.released().config()} if _has_preset(cls) else {}
        found["reference"] = [paper.as_dict() for paper in cls.reference]
        found["space"] = {option: list(values) for option, values in cls.space.items()}
        found["start"] = starting_point(cls)
    else:
        found["training"] = dict(cls.defaults)
    return found


def _class(kind: Kind, name: str) -> Any:
    from graphstill.methods import find_method
    from graphstill.models import find_model

    return find_method(name) if kind == "methods" else find_model(name)


def _registry(kind: Kind) -> dict[str, Any]:
    """Ours, and those of other packages that can be imported."""
    from graphstill.methods import METHODS
    from graphstill.models import MODELS

    known: dict[str, Any] = {**(METHODS if kind == "methods" else MODELS)}
    broken = {row["name"] for row in _broken(kind)}
    others = [name for name in plugins.entries(WHAT[kind]) if name not in known and name not in broken]
    return known | {name: _class(kind, name) for name in others}


def _broken(kind: Kind) -> list[dict[str, Any]]:
    """A row for each entry point that is no use, with the reason."""
    rows = []
    for name in plugins.entries(WHAT[kind]):
        try:
            _class(kind, name)
        except ConfigError as error:
            rows.append({"name": name, "class": "", "summary": f"of no use: {error}", "needs": []})
    return rows


def _kind_at(place: str, kinds: list[Kind]) -> Kind:
    """What stands at ``package.module:Name``."""
    from graphstill.method import Method
    from graphstill.nn import Model

    thing = plugins.load(WHAT[kinds[0]], place)
    bases: dict[Kind, type] = {"methods": Method, "models": Model}
    return next(
        (kind for kind, base in bases.items() if isinstance(thing, type) and issubclass(thing, base)), "datasets"
    )


def _has_preset(cls: Any) -> bool:
    from graphstill.method import Method

    return cls.released.__func__ is not Method.released.__func__  # type: ignore[attr-defined]


def _options(found: dict[str, tuple[Any, Any]]) -> list[dict[str, Any]]:
    """Plain values; a type is written as in the signature."""
    return [
        {
            "name": name,
            "type": inspect.formatannotation(annotation).replace("typing.", ""),
            **({} if default is ... else {"default": json.loads(json.dumps(default, default=str))}),
        }
        for name, (annotation, default) in found.items()
    ]


def _note(dataset: str) -> str:
    from graphstill.data import datasets, graph_datasets, images

    for catalog in (datasets.CATALOG, graph_datasets.CATALOG, images.CATALOG):
        if dataset in catalog:
            return str(catalog[dataset].note)
    if dataset in plugins.entries("dataset") or plugins.is_path(dataset):
        try:
            return _first_line(datasets.loader(dataset).__doc__)
        except ConfigError as error:
            return f"of no use: {error}"
    return "a file in the data folder"


def _first_line(doc: str | None) -> str:
    return inspect.cleandoc(doc or "").partition("\n")[0]
