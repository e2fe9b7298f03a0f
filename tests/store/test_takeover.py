"""Work killed with -9 on one machine is gone on with on another, through an S3 server alone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from voltx_core.bench.faults import FaultPlan, FaultyProxy
from voltx_core.store import ArtifactStore, open_store, sha256_file

STEPS = 60
STAGE = ("soft_core", "cafe")

MACHINE = """
import sys, time
from pathlib import Path
import torch
from voltx_core.stages.remote_progress import RemoteProgress, take_over
from voltx_core.store import ArtifactStore, Mirror, open_store
from voltx_core.training.checkpoint import Checkpoints

url, endpoint, home, steps, pause_s = sys.argv[1:]
home, stage = Path(home), ("soft_core", "cafe")
torch.set_num_threads(1)
artifacts = ArtifactStore(open_store(url, endpoint_url=endpoint), home / "cache")
take_over(artifacts, *stage, home / "progress")
network = torch.nn.Linear(16, 16, bias=False)
torch.nn.init.eye_(network.weight)
optimiser = torch.optim.AdamW(network.parameters())
with Mirror(capacity=1) as mirror:
    remote = RemoteProgress(artifacts, *stage, keep=2, outbox=home / "outbox", mirror=mirror)
    with Checkpoints(home / "progress", interval_s=0.0, mirror=remote.send) as checkpoints:
        saved, done = checkpoints.restore("train"), 0
        if saved:
            done = saved.step
            network.weight.data.copy_(saved.tensors["weight"])
            moments = {k: v for k, v in saved.tensors.items() if k != "weight"}
            optimiser.load_state_dict(
                {"state": {0: moments}, "param_groups": optimiser.state_dict()["param_groups"]}
            )
        print("from", done, flush=True)
        for step in range(done, int(steps)):
            generator = torch.Generator().manual_seed(step)
            x = torch.randn(8, 16, generator=generator)
            loss = (network(x) - x.flip(1)).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            time.sleep(float(pause_s))
            state = {"weight": network.weight.detach(), **optimiser.state_dict()["state"][0]}
            checkpoints.save("train", step + 1, state, {}, wait=False)
(home / "weights").write_bytes(network.weight.detach().numpy().tobytes())
"""


def machine(home: Path, url: str, endpoint: str, *, pause_s: float) -> "subprocess.Popen[str]":
    """A process with a process group, a working folder and a cache of its own."""
    home.mkdir()
    return subprocess.Popen(
        [sys.executable, "-c", MACHINE, url, endpoint, str(home), str(STEPS), str(pause_s)],
        cwd=home,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.integration
@pytest.mark.parametrize("storm", [False, True], ids=["calm", "in a storm of faults"])
def test_another_machine_goes_on_from_the_remote_checkpoint_to_the_same_bits(
    bucket: str, s3_server: str, tmp_path: Path, storm: bool
) -> None:
    plan = FaultPlan.storm(1, rate=0.1) if storm else FaultPlan()
    with FaultyProxy(s3_server, plan) as proxy:
        whole = machine(tmp_path / "whole", f"s3://{bucket}/whole", s3_server, pause_s=0.0)
        first = machine(tmp_path / "first", f"s3://{bucket}/p", proxy.url, pause_s=0.2)
        store = open_store(f"s3://{bucket}/p", endpoint_url=s3_server)
        artifacts = ArtifactStore(store, tmp_path / "cache")
        deadline = time.monotonic() + 300
        while not (arrived := artifacts.progress_steps(*STAGE)) or arrived[-1] < 5:
            assert first.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(first.pid, signal.SIGKILL)
        assert first.wait(30) == -signal.SIGKILL
        (newest,) = artifacts.progress_steps(*STAGE)[-1:]

        second = machine(tmp_path / "second", f"s3://{bucket}/p", proxy.url, pause_s=0.0)
        said, _ = second.communicate(timeout=300)
        assert second.returncode == 0
        assert 5 <= newest < STEPS
        assert newest <= int(said.split()[1]) <= newest + 1  # one was under way
        whole.communicate(timeout=300)
    assert sha256_file(tmp_path / "second" / "weights") == sha256_file(tmp_path / "whole/weights")
