"""A training interrupted at any moment leaves the published model as it was, or the new one complete."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlrec import Recommender
from mlrec.artifacts import model_folder, registry
from mlrec.model.train import train
from mlrec.settings import TrainSettings
from tests.processes import started

MLREC = str(Path(sys.executable).with_name("mlrec"))


def test_an_interrupt_while_duckdb_is_loaded_is_heard_afterwards():
    """Without a word of DuckDB's about its insides; the signal comes as the first of its modules is looked for."""
    script = """
import os, signal, sys
class Presser:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("_duckdb"):
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Presser())
from mlrec.dataset.database import load_duckdb
try:
    load_duckdb()
except KeyboardInterrupt:
    print("heard", "duckdb" in sys.modules, signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("heard True True\n", "")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill"])
@pytest.mark.parametrize("delay", [0.6, 0.9, 1.2, 1.6, 2.0])
def test_interrupted_training(demo_copy, how, delay):
    before = registry.published_id(demo_copy)
    command = [MLREC, "--data-dir", str(demo_copy.root), "train", "--iterations", "40"]
    with started(command, stderr=subprocess.PIPE) as process:
        time.sleep(delay)
        process.send_signal(how)
        _, messages = process.communicate(timeout=60)
    assert "Traceback" not in messages
    if how == signal.SIGINT:
        # Python itself dies of an interrupt that comes when all is done and it is tidying up.
        assert process.returncode in (130, 0, -signal.SIGINT)

    with Recommender.open(demo_copy.root) as recommender:
        assert len(recommender.get_top_n(42)) == 10
        assert recommender.model_id == before or recommender.model_id == registry.list_ids(demo_copy)[-1]
    for model_id in registry.list_ids(demo_copy):
        model_folder.open_model(demo_copy.model(model_id))

    # The lock is free, and nothing half-written stays behind.
    train(demo_copy, TrainSettings(iterations=1))
    assert not demo_copy.unfinished_models()
    assert not demo_copy.scratch.exists()
