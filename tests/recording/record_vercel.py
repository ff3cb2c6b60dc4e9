"""Records the Vercel AI SDK: `python -m tests.recording.record_vercel NODE_FOLDER FOLDER`.

NODE_FOLDER holds `node_modules` (README.md says which packages); the script is copied there for the run.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.recording import providers
from tests.recording.sink import Sink

SCENARIOS = ("chat", "tools", "stream", "embeddings", "error")


def main() -> None:
    """Record every scenario."""
    modules, folder = Path(sys.argv[1]), Path(sys.argv[2])
    version = json.loads((modules / "node_modules/ai/package.json").read_text())["version"]
    base_url = f"http://127.0.0.1:{providers.start().server_address[1]}"
    sink = Sink(folder / f"ai-{version}")
    script = modules / "record_vercel.mjs"
    shutil.copyfile(Path(__file__).with_suffix(".mjs"), script)
    for scenario in SCENARIOS:
        subprocess.run(["node", script.name, base_url, sink.url, scenario], cwd=modules, check=True)
        sink.write(scenario)
    script.unlink()


if __name__ == "__main__":
    main()
