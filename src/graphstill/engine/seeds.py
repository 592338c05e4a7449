"""Independent streams of randomness from one run seed, so that changing one never moves another."""

from __future__ import annotations

from graphstill.ops.noise import splitmix64

#: Streams of a member's seed.
WEIGHTS, NOISE, PARTS = 1, 2, 3


def member_seed(run_seed: int, peer: int, stream: int) -> int:
    """Seed of one member's weights, noise or method modules: the same however many runs and peers there are."""
    return splitmix64(splitmix64(splitmix64(run_seed) + peer) + stream) >> 1


def member_seeds(run_seeds: list[int], peers: int, stream: int) -> list[int]:
    """Seeds of all members in the order run · peers + peer."""
    return [member_seed(seed, peer, stream) for seed in run_seeds for peer in range(peers)]
