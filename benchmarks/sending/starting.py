"""How long it takes from starting `nurture run` with a full outbox until the relay has the first mail."""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.sending.scene import Scene, environment
from benchmarks.sending.sinks import Missing, Sink

_PATIENCE_SECONDS = 60.0


def seconds_to_first_mail(scene: Scene, sink: Sink) -> float:
    """Of a process that reads its settings, opens the database, its pages and its connections."""
    with scene.database("sqlite") as url, tempfile.TemporaryDirectory(prefix="nurture-starting-") as place:
        # The journal in the workspace knows of the same mails from the runs before: here they would all count as sent.
        workspace = Path(place) / "workspace"
        shutil.copytree(scene.workspaces["plain"], workspace, ignore=shutil.ignore_patterns("journal"))
        settings = {"NURTURE_DATABASE__URL": url, "NURTURE_SMTP__PORT": str(sink.port), "NURTURE_LOG__LEVEL": "error"}
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "nurture", "-w", str(workspace), "run", "--port", "0"],
            env=environment() | settings, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            while not sink.count():
                if time.monotonic() > began + _PATIENCE_SECONDS or process.poll() is not None:
                    raise Missing(f"`nurture run` sent nothing within {_PATIENCE_SECONDS:.0f} s")
                time.sleep(0.05)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
        return sink.story().first_at - began
