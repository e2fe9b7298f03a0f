"""What the stages 5.2a, 5.2b and 5.2c share: teach the frames to speak another language.

A frame says what to do, not in which language. The same abstract tasks exist in every language,
so a new decoder learns to write, say, Java from the frames of their Python solutions, and from
the slightly wrong frames that the loop really reaches. The programs are executed by the
language's own toolchain; where it is missing the result is "not run". Their tests run in the
candidate's process, so these verdicts are measured and never learned from.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from voltx_core.errors import StageError
from voltx_core.stages.contract import Artifact, StageReport, StageRun, StageSpec, Target

if TYPE_CHECKING:
    from voltx_core.data.problem import Language, Problem
    from voltx_core.frame import TensorFrame
    from voltx_core.judge import Judge, Verdict
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.translator.tokenizer import CodeTokenizer
    from voltx_core.translator.translator import Translator

TITLES: "dict[Language, str]" = {
    "javascript": "JavaScript",
    "java": "Java",
    "rust": "Rust",
    "go": "Go",
}
PROMISED: "dict[Language, float]" = {"javascript": 0.25, "java": 0.25, "rust": 0.2, "go": 0.2}
"""The plan's MultiPL-E pass@1."""
LABELLED = 200
"""Programs whose roles are counted for the report."""


def language_spec(number: str, name: str, languages: "tuple[Language, ...]") -> StageSpec:
    """The spec of a language stage."""
    return StageSpec(
        number=number,
        name=name,
        title=" and ".join(TITLES[language] for language in languages),
        needs=("problems", "tokenizer", "encoder", "decoder", "soft_core_sleep"),
        makes=(Artifact(name, name),),
        reads=("languages", "translator", "soft_core", "data.evaluation_problems"),
        pool="gpu",
        judges=True,
        targets=tuple(
            Target(
                f"multipl_e_{language}_pass@1",
                ">",
                PROMISED[language],
                f"MultiPL-E {TITLES[language]} pass@1",
            )
            for language in languages
        ),
    )


def toolchains(languages: "tuple[Language, ...]") -> dict[str, str]:
    """What executes the programs on this machine, which decides what can be examined."""
    from voltx_core.judge.languages import Recipe, find

    found = {language: find(language) for language in languages}
    return {
        f"toolchain {language}": recipe.version if isinstance(recipe, Recipe) else "absent"
        for language, recipe in found.items()
    }


def teach(run: StageRun, languages: "tuple[Language, ...]") -> StageReport:
    """Train and examine one decoder a language."""
    from voltx_core.evaluation.frames import open_judge
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.stages.soft_core import load_translator

    report = StageReport()
    translator = load_translator(run)
    core = SoftCore.load(run.inputs["soft_core_sleep"], device=run.device)
    with open_judge(run.config) as judge:
        for language in languages:
            _teach_one(run, language, translator, core, judge, report)
    return report


def _teach_one(
    run: StageRun,
    language: "Language",
    translator: "Translator",
    core: "SoftCore",
    judge: "Judge",
    report: StageReport,
) -> None:
    import torch

    from voltx_core.frame import TensorFrame
    from voltx_core.stages.translator import learn_tokenizer
    from voltx_core.training.loop import Batch, train
    from voltx_core.training.randomness import seeded
    from voltx_core.translator.decoder import SlotDecoder
    from voltx_core.translator.objective import add_slot_noise, reconstruction_loss
    from voltx_core.translator.translator import Translator, save_decoder

    config = run.config.languages
    problems, python = _parallel_problems(run, language)
    tokenizer = learn_tokenizer(
        run, f"tokenizer-{language}", (p.solution for p in problems), config.vocabulary
    )
    with seeded(run.config.seed, "language", language):
        decoder = SlotDecoder(
            vocabulary=tokenizer.vocabulary,
            slot_width=translator.width,
            width=config.decoder_width,
            blocks=config.decoder_blocks,
            heads=run.config.translator.decoder_heads,
            max_tokens=config.decoder_tokens,
        )
    decoder.to(run.device)
    _describe_roles(tokenizer, language, [p.solution for p in problems[:LABELLED]], report)
    targets, _ = tokenizer.encode(
        [p.solution for p in problems], config.decoder_tokens, bos_eos=True
    )
    truth = translator.encode([p.solution for p in python])
    reached = _solve(core, translator.encode([p.query for p in python]))
    frames = TensorFrame.cat([truth, reached])

    def loss(batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        # Half of the frames are what the loop reaches, half the truth with noise.
        own = torch.rand(len(batch.rows), generator=batch.generator) < 0.5
        rows = torch.where(own, batch.rows + len(problems), batch.rows)
        noisy = add_slot_noise(frames[rows], run.config.translator.slot_noise, batch.generator)
        return reconstruction_loss(decoder, noisy, targets[batch.rows]), {}

    trained = train(
        run,
        scope=language,
        modules={"decoder": decoder},
        loss=loss,
        items=len(problems),
        batch=config.batch,
        steps=config.steps,
        optimizer=config.optimizer,
    )
    folder = run.output(run.spec.name)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(folder / f"{language}_tokenizer.json")
    save_decoder(decoder, folder / f"{language}_decoder.safetensors")
    report.flops += trained.flops
    report.timings_s[f"training {language}"] = trained.seconds
    report.counts |= {
        f"{language} problems": len(problems),
        f"{language} decoder parameters": sum(p.numel() for p in decoder.parameters()),
    }
    speaker = Translator(tokenizer, translator.encoder, decoder, device=run.device)
    _examine(run, language, translator, speaker, core, judge, report)


def _describe_roles(
    tokenizer: "CodeTokenizer", language: "Language", codes: list[str], report: StageReport
) -> None:
    """How often each role occurs in programs of the language."""
    from voltx_core.translator.roles import distribution, label_tokens

    labels = label_tokens(tokenizer, codes, max(tokenizer.lengths(codes)), language)
    report.tables[f"{TITLES[language]}: role labels"] = [
        {"role": role, "share": share} for role, share in distribution(labels).items()
    ]


def _parallel_problems(
    run: StageRun, language: "Language", split: str = "train"
) -> "tuple[list[Problem], list[Problem]]":
    """Problems in the language beside the same tasks in Python, task by task."""
    from voltx_core.data.generator import problem_of, supported, task_of
    from voltx_core.data.jsonl import read_problems

    config = run.config.languages
    count = config.problems if split == "train" else config.evaluation_problems
    here: list[Problem] = []
    python: list[Problem] = []
    for problem in read_problems(run.inputs["problems"] / f"{split}.jsonl"):
        run.stop.check()
        if "task_spec" not in problem.traits or len(here) >= count:
            continue
        task = task_of(problem)
        if supported(task, language):
            here.append(problem_of(task, problem.query, language=language))
            python.append(problem)
    return here, python


def _solve(core: "SoftCore", query: "TensorFrame") -> "TensorFrame":
    import torch

    with torch.no_grad():
        return core.solve(query).frame


def _examine(
    run: StageRun,
    language: "Language",
    translator: "Translator",
    speaker: "Translator",
    core: "SoftCore",
    judge: "Judge",
    report: StageReport,
) -> None:
    """Execute held-out programs in the language, beside Python's pass rate on the same tasks."""
    from voltx_core.evaluation.verdicts import LastingVerdicts
    from voltx_core.judge import toolchain

    chain = toolchain(language)
    if not chain.available and toolchains((language,)).popitem()[1] != "absent":
        # Committing "not run" would outlast the cause, which may be a busy machine.
        raise StageError(f"{chain.why}. Mend or remove the toolchain, then run again.")
    if not chain.available:
        report.notes.append(f"{TITLES[language]}: programs written but not run: {chain.why}")
        return
    judged = LastingVerdicts(run, judge, f"examined-{language}")
    rows: list[dict[str, Any]] = []
    for suite in ("heldout", "compositions"):
        problems, python = _parallel_problems(run, language, suite)
        if not problems:
            report.notes.append(
                f"{TITLES[language]}: no problem of {suite} has a form in it; not examined there. "
                "Raise data.evaluation_problems."
            )
            continue
        query = translator.encode([p.query for p in python])
        truth = translator.encode([p.solution for p in python])
        reached = _solve(core, query)
        for title, frame in (
            ("RAR loop", reached),
            ("true solution frame (upper bound)", truth),
        ):
            run.observer.progress(
                len(rows), 6, "examinations", f"{TITLES[language]}, {suite}, {title}"
            )
            codes = [written.text for written in speaker.write(frame)]
            verdicts = judged(problems, codes)
            rows.append(_row(suite, TITLES[language], title, problems, verdicts))
            if title == "RAR loop":
                suffix = "" if suite == "heldout" else f"_{suite}"
                report.metrics[f"{language}_pass@1{suffix}"] = rows[-1]["pass@1"]
        asked = translator.asked([p.query for p in python])
        codes = [written.text for written in translator.write(reached, asked=asked)]
        verdicts = judged(python, codes)
        rows.append(_row(suite, "Python, same tasks", "RAR loop", python, verdicts))
    report.tables[f"{TITLES[language]}: pass@1 on the same tasks"] = rows
    report.notes.append(
        f"{TITLES[language]} ran with {chain.version}. MultiPL-E is a full-size benchmark and was "
        "not run by this stage."
    )


def _row(
    suite: str,
    language: str,
    frame: str,
    problems: "Sequence[Problem]",
    verdicts: "Sequence[Verdict]",
) -> dict[str, Any]:
    from voltx_core.evaluation.intervals import bootstrap

    passed = [float(verdict.passed) for verdict in verdicts]
    interval = bootstrap(passed, tasks=[problem.task for problem in problems])
    return {
        "suite": suite,
        "language": language,
        "frame": frame,
        "tests ran": "/".join(sorted({verdict.assurance for verdict in verdicts})),
        "n": interval.n,
        "pass@1": round(interval.mean, 4),
        "low": round(interval.low, 4),
        "high": round(interval.high, 4),
    }
