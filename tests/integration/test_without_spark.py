"""Code that does not need Spark does not import it."""

from __future__ import annotations

import subprocess
import sys


def test_who_does_not_use_spark_does_not_pay_for_it(demo_raw, tmp_path):
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from mlrec.cli import main\n"
        "from mlrec.dataset.prepare import prepare\n"
        "from mlrec.model.train import train\n"
        "from mlrec.workspace import Workspace\n"
        "import mlrec.doctor, mlrec.evaluation.protocol\n"
        "workspace = Workspace(Path(sys.argv[1]))\n"
        "prepare(workspace, raw=Path(sys.argv[2]))\n"
        "train(workspace)\n"
        "print({name.partition('.')[0] for name in sys.modules} & {'pyspark', 'py4j', 'pyarrow'},\n"
        "      [name for name in sys.modules if name.startswith('mlrec.spark')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(demo_raw)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "set() []\n", done.stderr
