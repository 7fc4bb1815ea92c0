"""Child process of `ovfrad.deep.weights.convert`: a pickled state dict in, a safetensors file out.

`python -m ovfrad.deep.unpickle SOURCE TARGET`; the only module that opens a pickle, and only with torch's restricted
loader, which builds tensors and containers and calls nothing else.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file


def main(source: Path, target: Path) -> str | None:
    """Convert one file; return the fault in one line, or None."""
    try:
        content = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # any damage of the file ends here, in a process that ends with it
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return f"{type(error).__name__}: {first}"
    state = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        return f"it holds {type(content).__name__}, not named tensors alone"
    with source.open("rb") as file:
        origin = {"source": source.name, "source_sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    save_file({str(key): value.clone().contiguous() for key, value in state.items()}, target, metadata=origin)
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
