"""Of the package graphstill itself, the runtime has the modules that it imports, and no others."""

import tempfile

from setuptools import setup
from setuptools.command.build_py import build_py

MODULES = ("__init__", "allocator", "environment", "errors", "files")


class Runtime(build_py):
    def find_package_modules(self, package, package_dir):
        found = super().find_package_modules(package, package_dir)
        return [module for module in found if package != "graphstill" or module[1] in MODULES]


# What is built goes to a folder of its own: one that stays would bring modules along that are no longer there. The
# egg-info lies beside this file, not among the sources, where it would look like an installed distribution.
with tempfile.TemporaryDirectory() as built:
    setup(cmdclass={"build_py": Runtime}, options={"build": {"build_base": built}, "egg_info": {"egg_base": "."}})
