"""The small task of `graphstill.testing`."""

from graphstill.testing.task import Killed, arrays, kill_at, tiny_task

__all__ = ["Killed", "arrays", "kill_at", "tiny_task"]
