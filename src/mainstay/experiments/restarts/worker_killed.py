"""One process of several that serve is killed."""

import os
import signal

from mainstay.experiments.fault import FaultExperiment
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial


class WorkerKilled(FaultExperiment):
    """When one of several serving processes is killed, the others carry on and it is replaced.

    One worker behind an address, or one instance of several, gets SIGKILL under load.

    Run more than one process, and something that replaces one that ended.
    """

    what = "one worker is killed"
    holds = 0.0
    cuts = True

    def applies(self, stand: Stand) -> str:
        serving = [process for process in stand.declaration.processes if process.serves]
        if any(process.workers > 1 or process.count > 1 for process in serving):
            return ""
        return "one process serves: all-killed kills it"

    def inject(self, trial: Trial) -> None:
        serving = trial.stand.service.serving
        if len(serving) > 1:
            serving[0].program.signal(signal.SIGKILL)
            return
        program = serving[0].program
        children = [pid for pid in program.pids() if pid != program.pid]
        os.kill(children[-1] if children else program.pid, signal.SIGKILL)
