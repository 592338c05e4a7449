"""Members that are image networks."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from graphstill.errors import ConfigError, DataError
from graphstill.nn.cohort import Cohort, Specification, check_state, first_parameter, snapshot
from graphstill.nn.layers import Layers
from graphstill.nn.output import Hidden, Output
from graphstill.ops import Adjacency, Noise, SparseFeatures, blurs, gaussian_kernel
from graphstill.vision.network import ConvNet, ImageMember, Traces

# Images that an evaluation pass takes at a time: its maps are thrown away after each such part.
CHUNK = 256


class ImageSpecification(Specification, Protocol):
    """What an image cohort knows of the :class:`~graphstill.vision.model.ImageModel` that built it."""

    @property
    def smallest(self) -> int: ...


class ImageCohort(Cohort):
    """Members of an :class:`~graphstill.vision.model.ImageModel`, run one after another; what comes out is stacked.

    Parameters have no member axis here: they are those of ``networks[i]``. They and all maps are in channels-last
    layout (``[..., C, H, W]`` in shape), in which a pass over 64 images of 32x32, forward and backward, takes 65 ms for
    ``ResNet(depth=8)`` (88 ms in the contiguous layout) and 33 ms at half width (46 ms), on one thread of a CPU. There
    is no dropout, and so ``deterministic`` changes nothing: running statistics are followed in training all the same.

    Attributes:
        networks: the members.
        smoothing: float32 ``[members]``: width of the Gaussian filter behind every 3x3 convolution, before its
            normalisation, in training and in evaluation; 0 is off. Part of the state. Set by :meth:`smooth`.
    """

    stacked: ClassVar[bool] = False
    graphless: ClassVar[bool] = True
    spec: ImageSpecification

    def __init__(
        self, spec: ImageSpecification, inputs: int, outputs: int, seeds: Sequence[int], networks: Sequence[ConvNet]
    ) -> None:
        super().__init__(spec, inputs, outputs, seeds)
        self.networks: Layers[ConvNet] = Layers(networks)
        self.smoothing: Tensor
        self.register_buffer("smoothing", torch.zeros(len(networks)))

    def forward(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None = None) -> Output:
        """Logits and hidden layers of every image for every member.

        In training (``noise`` given) normalisation uses the batch's statistics and follows them, in evaluation it uses
        the running ones; the noise itself is not drawn from. The graph is not looked at but for its number of nodes.
        The hidden layers are the stages and, last, the pooled vector that the classifier reads; an evaluation pass
        without gradients over more than 256 images returns none, and never holds the maps of more images at once.

        Shapes:
            x: ``[N, inputs, H, W]``. Logits ``[members, N, outputs]``; a stage's ``pre`` and ``post`` ``[members, N, C,
            H', W']``; the pooled vector ``[members, N, D]`` (``pre`` is ``post``).

        Raises:
            DataError: images of the wrong shape or precision, or not one a node of the graph.
            ConfigError: noise for another number of members.
        """
        images = self._check(x, graph, noise)
        images = images.contiguous(memory_format=torch.channels_last)
        for network in self.networks:
            if network.training != (noise is not None):
                network.train(noise is not None)
        kernels = [self._kernel(sigma, images.dtype) for sigma in self.smoothing.tolist()]
        if noise is None and len(images) > CHUNK and not torch.is_grad_enabled():
            parts = [[network(part, k).logits for part in images.split(CHUNK)] for network, k in self._pairs(kernels)]
            return Output(torch.stack([torch.cat(part) for part in parts]))
        traces: list[Traces] = [network(images, kernel) for network, kernel in self._pairs(kernels)]
        stages = zip(*(trace.taps for trace in traces), strict=True)
        pooled = torch.stack([trace.pooled for trace in traces])
        hidden = [_hidden([tap.pre for tap in taps], [tap.post for tap in taps]) for taps in stages]
        return Output(torch.stack([trace.logits for trace in traces]), (*hidden, Hidden(pooled, pooled, pooled)))

    def smooth(self, sigma: float) -> None:
        """Set the filter of every member: ``sigma`` in pixels; 0, or a width too small to matter, is off.

        Raises:
            ConfigError: a negative width.
        """
        blurs(sigma)
        self.smoothing.fill_(sigma)

    def member(self, i: int) -> ImageMember:
        """Member ``i`` as a module of its own, ``forward(images) -> logits``, in evaluation mode, its filter kept."""
        i = self._index(i)
        kernel = self._kernel(self.smoothing[i].item(), first_parameter(self).dtype)
        return ImageMember(copy.deepcopy(self.networks[i]), kernel)  # type: ignore[arg-type]

    def member_parameters(self, i: int) -> list[Tensor]:
        return [parameter for parameter in self.networks[self._index(i)].parameters() if parameter.requires_grad]

    def member_state(self, i: int) -> dict[str, Tensor]:
        """Weights, running statistics and ``smoothing``."""
        return {name: snapshot(tensor) for name, tensor in self._live(i).items()}

    @torch.no_grad()
    def load_member_state(self, i: int, state: Mapping[str, Tensor]) -> None:
        own = self._live(i)
        check_state(state, own, f"member {self._index(i)} of {self.spec}")
        for name, tensor in own.items():
            tensor.copy_(state[name])

    def select(self, members: Sequence[int]) -> ImageCohort:
        chosen = [self._index(i) for i in members]
        if not chosen:
            raise ConfigError(
                f"no member selected, of a cohort of {self.members} {self.spec}: give at least one number"
            )
        networks = [copy.deepcopy(self.networks[i]) for i in chosen]
        seeds = [self.seeds[i] for i in chosen]
        other = ImageCohort(self.spec, self.inputs, self.outputs, seeds, networks)  # type: ignore[arg-type]
        other.smoothing = snapshot(self.smoothing[chosen])
        other.deterministic = self.deterministic
        return other.train(self.training)

    def to_pyg(self, i: int) -> nn.Module:
        """Raises ConfigError: PyG has no layers for images."""
        raise ConfigError(
            f"member {self._index(i)} of {self.spec} has no form in PyG, whose layers are for graphs: "
            "take member(i), a plain torch module from images to logits"
        )

    def refuse_filter(self, i: int) -> None:
        """Raises ConfigError where member ``i``'s filter is still on: an exported network has none."""
        if blurs(width := float(self.smoothing[i])):
            raise ConfigError(
                f"member {i} of {self.spec} was selected while its maps were smoothed (width {width:.3g}), which no "
                "exported network does: let the curriculum end earlier, or set training.select_after"
            )

    def _live(self, i: int) -> dict[str, Tensor]:
        i = self._index(i)
        return {**self.networks[i].state_dict(), "smoothing": self.smoothing[i]}

    def _kernel(self, sigma: float, dtype: torch.dtype) -> Tensor | None:
        return gaussian_kernel(sigma, dtype=dtype).to(self.smoothing.device) if blurs(sigma) else None

    def _pairs(self, kernels: Sequence[Tensor | None]) -> list[tuple[ConvNet, Tensor | None]]:
        return list(zip(self.networks, kernels, strict=True))

    def _check(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None) -> Tensor:
        shape, least = list(x.shape), self.spec.smallest
        wanted = f"give [{graph.num_nodes}, {self.inputs}, height, width] (images, channels)"
        if not isinstance(x, Tensor) or x.dim() != 4 or shape[:2] != [graph.num_nodes, self.inputs]:
            raise DataError(f"images of shape {shape} for {self.spec}: {wanted}")
        if min(shape[2:]) < least:
            raise DataError(f"images of {shape[2]}x{shape[3]} pixels for {self.spec}: give at least {least}x{least}")
        dtype = first_parameter(self).dtype
        if x.dtype != dtype:
            raise DataError(f"images are {x.dtype}, the weights of {self.spec} are {dtype}: convert one of them")
        if noise is not None and noise.members != self.members:
            raise ConfigError(
                f"noise for {noise.members} members given to {self.members} of {self.spec}: "
                "make it from the cohort's seeds"
            )
        return x


def _hidden(pre: list[Tensor], post: list[Tensor]) -> Hidden:
    before = torch.stack(pre)
    after = before if pre[0] is post[0] else torch.stack(post)
    return Hidden(before, after, after)
