"""What the stages 5.2a, 5.2b and 5.2c share: teach the frames to speak another language.

A frame says what to do, not in which language. The same abstract tasks exist in every language,
so a new decoder learns to write, say, Java from the frames of their Python solutions, and from
the slightly wrong frames that the loop really reaches. The programs are executed by the
language's own toolchain; where it is missing the result is "not run". Their tests run in the
candidate's process, so these verdicts are measured and never learned from.

What of Python carried over is measured on the same tasks: by the programs of the model that knows
Python only, and by a decoder that learned the language alone, for as many steps, from frames of
an encoder that never learned anything.
"""

from typing import TYPE_CHECKING, Any

from voltx_core.errors import StageError
from voltx_core.stages.contract import Artifact, StageReport, StageRun, StageSpec, Target

if TYPE_CHECKING:
    from voltx_core.data.problem import Language, Problem
    from voltx_core.evaluation.transfer import Speakers
    from voltx_core.evaluation.verdicts import LastingVerdicts
    from voltx_core.frame import TensorFrame
    from voltx_core.judge import Judge
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.translator.decoder import SlotDecoder
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
SUITES = ("heldout", "compositions")
EXAMS = ("multipl-e", "humaneval-x")
"""Published problems in other languages. Neither is trained on."""


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
    from voltx_core.evaluation.transfer import Speakers, solved
    from voltx_core.frame import TensorFrame
    from voltx_core.stages.translator import learn_tokenizer
    from voltx_core.translator.translator import Translator, save_decoder

    config = run.config.languages
    problems, python = _parallel_problems(run, language)
    tokenizer = learn_tokenizer(
        run, f"tokenizer-{language}", (p.solution for p in problems), config.vocabulary
    )
    _describe_roles(tokenizer, language, [p.solution for p in problems[:LABELLED]], report)
    programs = [problem.solution for problem in problems]
    truth = translator.encode([p.solution for p in python])
    reached = solved(core, translator.encode([p.query for p in python]))
    frames = TensorFrame.cat([truth, reached])
    decoder = _taught(run, language, language, tokenizer, programs, frames, report)
    folder = run.output(run.spec.name)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(folder / f"{language}_tokenizer.json")
    save_decoder(decoder, folder / f"{language}_decoder.safetensors")
    report.counts |= {
        f"{language} problems": len(problems),
        f"{language} decoder parameters": sum(p.numel() for p in decoder.parameters()),
    }
    speaker = Translator(tokenizer, translator.encoder, decoder, device=run.device)
    alone = None
    if config.control:
        untrained = _untrained(run, translator)
        frames = untrained.encode([p.query for p in python])
        own = _taught(run, language, f"{language}-alone", tokenizer, programs, frames, report)
        alone = Translator(tokenizer, untrained.encoder, own, device=run.device)
    speakers = Speakers(python=translator, both=speaker, alone=alone)
    _examine(run, language, speakers, core, judge, report)


def _untrained(run: StageRun, translator: "Translator") -> "Translator":
    """A translator of the same sizes and the same tokens that learned nothing."""
    from voltx_core.training.randomness import seeded
    from voltx_core.translator.translator import Translator

    with seeded(run.config.seed, "language", "untrained"):
        made = Translator.create(translator.tokenizer, run.config.translator, device=run.device)
    made.encoder.eval().requires_grad_(False)
    return made


def _taught(
    run: StageRun,
    language: "Language",
    scope: str,
    tokenizer: "CodeTokenizer",
    programs: list[str],
    frames: "TensorFrame",
    report: StageReport,
) -> "SlotDecoder":
    """A decoder that learned to write N programs from N or 2N frames.

    Of 2N frames the first half are true ones, the second those that the loop reaches; each lesson
    draws from which of them a program is to be written.
    """
    import torch

    from voltx_core.training.loop import Batch, train
    from voltx_core.training.randomness import seeded
    from voltx_core.translator.decoder import SlotDecoder
    from voltx_core.translator.objective import add_slot_noise, reconstruction_loss

    config = run.config.languages
    with seeded(run.config.seed, "language", language):
        decoder = SlotDecoder(
            vocabulary=tokenizer.vocabulary,
            slot_width=frames.width,
            width=config.decoder_width,
            blocks=config.decoder_blocks,
            heads=run.config.translator.decoder_heads,
            max_tokens=config.decoder_tokens,
        )
    decoder.to(run.device)
    targets, _ = tokenizer.encode(programs, config.decoder_tokens, bos_eos=True)

    def loss(batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        own = torch.rand(len(batch.rows), generator=batch.generator) < 0.5
        reached = batch.rows + len(frames) - len(programs)
        rows = torch.where(own, reached, batch.rows)
        noisy = add_slot_noise(frames[rows], run.config.translator.slot_noise, batch.generator)
        return reconstruction_loss(decoder, noisy, targets[batch.rows]), {}

    trained = train(
        run,
        scope=scope,
        modules={"decoder": decoder},
        loss=loss,
        items=len(programs),
        batch=config.batch,
        steps=config.steps,
        optimizer=config.optimizer,
    )
    report.flops += trained.flops
    report.timings_s[f"training {scope}"] = trained.seconds
    return decoder


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


def _examine(
    run: StageRun,
    language: "Language",
    speakers: "Speakers",
    core: "SoftCore",
    judge: "Judge",
    report: StageReport,
) -> None:
    """Execute held-out programs in the language, beside what Python alone comes to."""
    from voltx_core.evaluation.transfer import examined
    from voltx_core.evaluation.verdicts import LastingVerdicts
    from voltx_core.judge import toolchain

    title, chain = TITLES[language], toolchain(language)
    if not chain.available and toolchains((language,)).popitem()[1] != "absent":
        # Committing "not run" would outlast the cause, which may be a busy machine.
        raise StageError(f"{chain.why}. Mend or remove the toolchain, then run again.")
    if not chain.available:
        report.notes.append(f"{title}: programs written but not run: {chain.why}")
        return
    judged = LastingVerdicts(run, judge, f"examined-{language}")
    rows: list[dict[str, Any]] = []
    for suite in SUITES:
        problems, python = _parallel_problems(run, language, suite)
        if not problems:
            report.notes.append(
                f"{title}: no problem of {suite} has a form in it; not examined there. "
                "Raise data.evaluation_problems."
            )
            continue
        run.observer.progress(len(rows), 10, "examinations", f"{title}, {suite}")
        found = examined(suite, title, problems, python, speakers, core, judged)
        suffix = "" if suite == "heldout" else f"_{suite}"
        report.metrics |= {f"{language}_{k}{suffix}": v for k, v in found.metrics.items()}
        rows += found.rows
    report.tables[f"{title}: pass@1 on the same tasks"] = rows
    for exam in EXAMS:
        _published(run, exam, language, speakers, core, judge, judged, report)
    report.notes.append(f"{title} ran with {chain.version}.")


def _published(
    run: StageRun,
    exam: str,
    language: "Language",
    speakers: "Speakers",
    core: "SoftCore",
    judge: "Judge",
    judged: "LastingVerdicts",
    report: StageReport,
) -> None:
    """Greedy pass@1 on a published set; a note where its data is absent."""
    from voltx_core.data.jsonl import read_problems
    from voltx_core.evaluation.exams import spread
    from voltx_core.evaluation.requirements import unmet
    from voltx_core.evaluation.trained_on import BOTH
    from voltx_core.evaluation.transfer import LOOP, score_row, solved

    path = run.inputs["problems"] / "exams" / f"{exam}-{language}.jsonl"
    if not path.exists():
        report.notes.append(
            f"{exam}-{language} not run: its data is not here (set VOLTX_DATA_DIR)."
        )
        return
    everything = list(read_problems(path))
    needs = {(language, name) for p in everything for name in p.traits.get("requires", ())}
    missing = {package for _, package in unmet(needs, judge)}
    able = [p for p in everything if not missing & set(p.traits.get("requires", ()))]
    if not able:
        wanted = ", ".join(sorted(missing)) or "problems"
        report.notes.append(f"{exam}-{language} not run: {wanted} are not here.")
        return
    problems = spread(able, run.config.languages.evaluation_problems)
    frame = solved(core, speakers.both.encode([p.query for p in problems]))
    verdicts = judged(problems, [written.text for written in speakers.both.write(frame)])
    row = score_row(exam, TITLES[language], BOTH, LOOP, problems, verdicts)
    report.tables[f"{TITLES[language]}: {exam}, greedy"] = [row]
    report.metrics[f"{exam.replace('-', '_')}_{language}_pass@1"] = row["pass@1"]
    if len(problems) < len(everything):
        report.notes.append(
            f"{exam}-{language}: {len(problems)} of {len(everything)} problems were asked "
            f"(languages.evaluation_problems; {len(everything) - len(able)} want packages that "
            "are not here)."
        )
