"""Ways to execute a program with its tests, each run in a process of its own by ``host``.

A contender is a class with the shape of ``contender.Contender``, in a module of its own that
imports nothing it does not need: those that fork pay for every module their process has loaded.
"""

CONTENDERS = {
    "ns": "voltx_core.bench.contenders.voltx:Voltx",
    "uid": "voltx_core.bench.contenders.voltx:Voltx",
    "seccomp": "voltx_core.bench.contenders.voltx:Voltx",
    "human_eval": "voltx_core.bench.contenders.human_eval:HumanEval",
    "evalplus": "voltx_core.bench.contenders.evalplus:EvalPlus",
    "nsjail": "voltx_core.bench.contenders.nsjail:Nsjail",
    "subprocess": "voltx_core.bench.contenders.cold:Cold",
    "floor": "voltx_core.bench.contenders.floor:Floor",
}
"""Name of a contender (for voltx its isolation level): where its class is."""
