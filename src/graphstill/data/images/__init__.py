"""Images: readers of the usual formats, a cache of decoded ones, augmentation, and the task made from them."""

from graphstill.data.images.augment import Augment
from graphstill.data.images.catalog import CATALOG, knows, load, names
from graphstill.data.images.task import ImageTask

__all__ = ["CATALOG", "Augment", "ImageTask", "knows", "load", "names"]
