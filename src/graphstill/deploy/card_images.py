"""The page that goes with an exported student of images; the sections that are no different are the card's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphstill.deploy.card import figures, head, protocol

EXAMPLE = """\
from graphstill.runtime import ImagePredictor

predictor = ImagePredictor("{folder}")
labels = predictor.predict(images)  # uint8 [n, {channels}, {height}, {width}], as in the file"""


def card(manifest: Mapping[str, Any], folder: str) -> str:
    """Markdown, from the manifest alone; ``folder`` is the name it goes by in the example."""
    example = EXAMPLE.format(folder=folder, **manifest["image"])
    parts = [
        head(manifest, "Image"),
        _input(manifest),
        protocol(manifest, "images"),
        figures(manifest),
        _checks(manifest),
        f"## How to run it\n\nNeeds numpy and onnxruntime.\n\n```python\n{example}\n```",
        _limits(manifest),
    ]
    return "\n\n".join(parts) + "\n"


def _input(m: Mapping[str, Any]) -> str:
    image = m["image"]
    mean, std = (", ".join(f"{value:.4f}" for value in image[key]) for key in ("mean", "std"))
    lines = [
        "## Input and output",
        "",
        f"- `images`: uint8 [n, {image['channels']}, {image['height']}, {image['width']}], any n: bytes as in the "
        f"file, channels in the order of `{m['protocol']['dataset']}`. The normalisation of training (bytes / 255, "
        f"mean {mean}, deviation {std}) is inside: do not normalise before.",
        f"- `logits`: float32 [n, {m['classes']}], {m['classes']} classes",
    ]
    if image["class_names"] is not None:
        named = ", ".join(f"{i} {name}" for i, name in enumerate(image["class_names"]))
        lines.append(f"- classes: {named}")
    return "\n".join(lines)


def _checks(m: Mapping[str, Any]) -> str:
    (engine, worst), timing = next(iter(m["parity"]["engines"].items())), m["timing"]
    return "\n".join(
        [
            "## Checked at export",
            "",
            f"Largest difference to torch {worst['difference']:.1e}, relative where logits exceed 1; equal predictions "
            f"{100 * worst['agreement']:.2f} %: the worst over images: {'; '.join(m['parity']['cases'])}.",
            "",
            f"Medians, {timing['threads']} thread: {timing['one_image']:.2f} ms for one image, "
            f"{timing['milliseconds'][engine]:.2f} ms for {timing['images']}.",
            "",
            "Sizes: " + ", ".join(f"{name} {size:,} bytes" for name, size in m["sizes"].items()) + ".",
        ]
    )


def _limits(m: Mapping[str, Any]) -> str:
    return "\n".join(
        [
            "## Limits",
            "",
            f"- It knows the {m['classes']} classes of `{m['protocol']['dataset']}` and nothing else; an image of "
            "anything else gets one of them too.",
            "- Probabilities were not calibrated.",
            "- Images of another size are refused; how they are made smaller or larger changes the answer.",
        ]
    )
