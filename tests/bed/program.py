# SPDX-License-Identifier: GPL-2.0-only
"""Our programs have no suffix in their names; other programs use them as modules all the same."""
import importlib.machinery
import importlib.util
import sys


def load(path, name):
    """The program at @path as a module of that name; it is not run."""
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    sys.modules[name] = module
    loader.exec_module(module)
    return module
