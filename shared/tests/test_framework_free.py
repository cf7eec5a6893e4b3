"""dl_shared imports no deep-learning framework: all of it imports where there is none."""

import subprocess
import sys

FRAMEWORKS = ("jax", "jaxlib", "flax", "torch", "torch_xla", "pytorch_lightning", "accelerate", "transformers")
IMPORT_ALL = f"""
import importlib, pkgutil, sys
class Blocked:  # a finder, because scipy asks sys.modules for torch, and takes None for the module
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {FRAMEWORKS}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Blocked)
import dl_shared
names = [module.name for module in pkgutil.walk_packages(dl_shared.__path__, "dl_shared.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


def test_every_module_imports_without_any_framework():
    command = [sys.executable, "-c", IMPORT_ALL]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 30
