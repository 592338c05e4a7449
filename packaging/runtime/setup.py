"""Of the package graphstill itself, the runtime has the modules that it imports, and no others."""

from setuptools import setup
from setuptools.command.build_py import build_py

MODULES = ("__init__", "allocator", "environment", "errors", "files")


class Runtime(build_py):
    def find_package_modules(self, package, package_dir):
        found = super().find_package_modules(package, package_dir)
        return [module for module in found if package != "graphstill" or module[1] in MODULES]


# Beside this file, not among the sources, where it would look like an installed distribution.
setup(cmdclass={"build_py": Runtime}, options={"egg_info": {"egg_base": "."}})
