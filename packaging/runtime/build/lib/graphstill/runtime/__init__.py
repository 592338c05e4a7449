"""Serves an exported student: numpy and onnxruntime, nothing of what trained it."""

from graphstill.runtime.features import Features
from graphstill.runtime.graph import Graph
from graphstill.runtime.images import ImagePredictor
from graphstill.runtime.predictor import Predictor
from graphstill.runtime.verify import Report, verify

__all__ = ["Features", "Graph", "ImagePredictor", "Predictor", "Report", "verify"]
