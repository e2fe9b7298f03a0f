"""Every setting of voltx, with the training plan's own numbers as defaults.

One class a stage, in the order of the graph; ``VoltxConfig`` at the end holds them all. Presets
(presets.py) change sizes only, never the method. This module imports neither torch nor prefect,
so that ``voltx --help`` and ``voltx plan`` answer at once.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from voltx_core.config.section import Section

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0)]


class OptimizerConfig(Section):
    """AdamW with linear warm-up and cosine decay; one schedule per training run."""

    lr: Rate = 5e-4
    """Peak learning rate."""
    final_lr_share: Share = 0.05
    """Learning rate at the last step, as a share of the peak."""
    weight_decay: float = 0.01
    beta1: Share = 0.9
    beta2: Share = 0.98
    warmup_share: Annotated[float, Field(ge=0, le=0.1)] = 0.05
    """Share of the steps spent warming up; more than a tenth starves the rest."""
    clip_norm: Rate = 1.0
    """Gradients are scaled down to this global L2 norm."""
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of an exponential moving average of the weights, which are then what is evaluated and
    committed; 0 keeps the last weights."""


class DataConfig(Section):
    """What the model learns from and is examined on (stage 1.0)."""

    directory: str | None = None
    """Folder of published data sets; the variable VOLTX_DATA_DIR sets it when this is empty."""
    problems: str | None = None
    """Your own training problems: a ``.jsonl`` or ``.jsonl.gz`` file in the problem format."""
    on_bad: Literal["raise", "skip"] = "raise"
    """A bad line of yours ends the stage at once, or is reported, counted and left out."""
    corpus: str | None = None
    """Your own source files: a folder or a ``.jsonl`` with ``content`` or ``code``. Without it,
    the Python sources installed on this machine are harvested."""
    generated_problems: Count = 20_000
    """Generated training problems (besides published or own ones)."""
    evaluation_problems: Positive = 1_000
    """Generated problems in each held-out set: validation, calibration, held-out problems,
    held-out compositions, held-out phrasings."""
    corpus_files: Positive = 160_000
    """Most source files kept for tokenizer and codebook; 39 vectors a centroid need 160,000."""
    corpus_mib: Positive = 4_096
    """Most MiB of source text kept."""
    pairs: Positive = 100_000
    """Most (function, docstring) pairs mined from the corpus."""
    apps_levels: tuple[Literal["introductory", "interview", "competition"], ...] = (
        "introductory",
        "interview",
        "competition",
    )
    """APPS difficulties used for training where the data set is present."""
    augmentation: Annotated[int, Field(ge=1)] = 10
    """Versions of each published training problem: itself plus renamed and paraphrased copies."""
    intents: Positive = 10_000
    """Labelled queries for the intent router."""
    held_out_intents: Positive = 2_000
    """Router queries of held-out templates and sources."""
    overlap_ngrams: tuple[int, ...] = (8, 13)
    """A training problem sharing an n-gram of one of these lengths with an exam is dropped."""
    allow_contamination: bool = False
    """Train on exam problems as the plan did; every affected score is labelled."""


class TranslatorConfig(Section):
    """Tokenizer, encoder, decoder, trained together by reconstruction through the slots (1.1)."""

    vocabulary: Annotated[int, Field(ge=300, le=65_536)] = 32_768
    """Byte-level BPE entries."""
    tokenizer_files: Positive = 50_000
    """Corpus files that the tokenizer is trained on."""
    encoder_tokens: Positive = 512
    """Longest input of the encoder; longer text is cut."""
    decoder_tokens: Positive = 256
    """Longest program the decoder writes."""
    slot_width: Positive = 256
    """Width of one slot of a TensorFrame."""
    embedding_width: Positive = 128
    encoder_width: Positive = 256
    decoder_width: Positive = 256
    decoder_blocks: Positive = 4
    decoder_heads: Positive = 4
    objective: Literal["reconstruction", "contrastive"] = "reconstruction"
    """``contrastive`` is the plan's own method, kept for the ablation table."""
    contrastive_weight: float = 0.1
    """Weight of InfoNCE between query and solution summaries."""
    translation_share: Share = 0.5
    """Share of each batch whose solution is written from the query's slots instead of its own:
    the soft core starts there, so they must already carry what the solution needs."""
    role_weight: float = 0.1
    """Weight of the cross-entropy on role labels."""
    temperature: Rate = 0.07
    """Temperature of InfoNCE."""
    slot_noise: float = 1.0
    """Noise norm on slots during training is uniform in [0, slot_noise]."""
    corpus_share: Share = 0.125
    """Share of each batch taken from mined (function, docstring) pairs."""
    corpus_weight: Share = 1.0
    """How much writing a mined function counts beside writing a solution. 0 leaves mined pairs to
    contrast and roles: a small decoder that must hold real functions forgets the problems."""
    steps: Positive = 20_000
    batch: Positive = 128
    optimizer: OptimizerConfig = OptimizerConfig(lr=5e-4)


class CodebookConfig(Section):
    """Spherical k-means over slot vectors of the corpus (0.3)."""

    entries: Positive = 65_536
    vectors: Positive = 2_600_000
    """Most slot vectors clustered."""
    iterations: Positive = 10
    tolerance: Rate = 1e-4
    """Stop when the mean cosine improves by less than this share."""
    hnsw_links: Positive = 24
    hnsw_construction: Positive = 200
    recall_target: Share = 0.95
    """efSearch is doubled until recall@1 against exact search reaches this."""


class SoftCoreConfig(Section):
    """Velocity field, slot attention and diffusion controller, trained jointly (2.1)."""

    width: Positive = 2_048
    blocks: Positive = 6
    body: Literal["mlp", "fno"] = "mlp"
    """Residual MLP per slot, or Fourier neural operator over the slots."""
    objective: Literal["endpoint", "drift"] = "endpoint"
    """``drift`` is the plan's constant field, kept for the ablation table."""
    query_attention: bool = True
    """Cross-attention from the moving slots to the query's slots."""
    slot_embedding: bool = True
    """Tell the field which slot it moves."""
    time_input: bool = False
    """Feed trajectory time; it made the field jitter (see docs/log.md)."""
    rollout_steps: Count = 8
    """Training states come from 0 to this many own RAR steps; 0 gives path states only."""
    query_noise: float = 0.5
    """Noise norm on the query's slots during training is uniform in [0, query_noise]: queries
    never seen give frames that are slightly off."""
    cosine_weight: float = 0.5
    """Weight of 1 - cos(endpoint, solution); more of it makes frames closer and programs worse."""
    decoder_weight: float = 2.0
    """Weight of cross-entropy through the frozen decoder."""
    decoder_share: Share = 1.0
    """Share of each batch that pays the decoder loss."""
    curriculum: Literal["source", "concept"] = "concept"
    """How the three training stages are cut: by data source or by concept level."""
    stage_shares: tuple[float, float, float] = (0.3, 0.35, 0.35)
    """Share of the steps in each of the three curriculum stages."""
    stage_lr_shares: tuple[float, float, float] = (1.0, 0.5, 0.2)
    """Peak learning rate of each stage as a share of optimizer.lr."""
    attention_beta: float = 0.5
    """Weight of the slot-attention message in a RAR step."""
    structured_bias: bool = True
    """Start slot attention from the plan's 16x16 role bias instead of zeros."""
    entropy_weight: float = 0.01
    """Penalty on the entropy of slot attention."""
    sigma_max: float = 0.2
    """Largest noise norm the diffusion controller may ask for."""
    rar_dt: Rate = 0.5
    rar_epsilon: Rate = 0.02
    """A slot freezes when its speed (displacement norm over dt) falls below this."""
    rar_budget: Positive = 30
    """Most RAR iterations."""
    steps: Positive = 100_000
    batch: Positive = 32
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-4)


class RouterConfig(Section):
    """Intent router (3.1)."""

    vectors: Positive = 256
    """Prototype vectors of each strand."""
    steps: Positive = 10_000
    batch: Positive = 256
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-3)


class CertaintyConfig(Section):
    """Calibration of the certainty (3.2)."""

    isotonic_minimum: Positive = 500
    """Fewer calibration points than this use Platt scaling."""
    bins: Positive = 10
    """Equal-width bins of the expected calibration error."""


class SafetyConfig(Section):
    """Safety axioms K1-K5 (3.3)."""

    vectors: Positive = 256
    """Vectors of each axiom."""
    adversarial: Positive = 1_500
    """Generated adversarial programs for K1-K3 together; K4 and K5 come on top."""
    steps: Positive = 2_000
    batch: Positive = 256
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-3)


class EndToEndConfig(Section):
    """Joint training with a policy gradient through decoder and RAR (4.1)."""

    steps: Positive = 10_000
    batch: Positive = 16
    samples: Annotated[int, Field(ge=2)] = 8
    """Programs sampled a problem; the others are the baseline of each."""
    flow_weight: float = 0.7
    reinforce_weight: float = 0.3
    temperature: Rate = 0.8
    unrolled_steps: Positive = 4
    """RAR iterations that gradients flow through."""
    optimizer: OptimizerConfig = OptimizerConfig(lr=5e-5, final_lr_share=0.2)


class RewardConfig(Section):
    """Reward of one executed sample; the defaults are the plan's table."""

    kind: Literal["table", "shaped"] = "table"
    """``shaped`` pays the pass rate and a Brier penalty, so humility never beats progress."""
    pass_certain: float = 1.0
    pass_uncertain: float = 0.5
    partial: float = 0.1
    fail_humble: float = 0.2
    fail_confident: float = -2.0
    fail_between: float = -0.5
    unsafe: float = -5.0
    certain: Share = 0.7
    humble: Share = 0.3

    @model_validator(mode="after")
    def _ordered(self) -> "RewardConfig":
        if self.humble >= self.certain:
            raise ValueError(f"humble ({self.humble}) must be below certain ({self.certain})")
        return self


class RlvfConfig(Section):
    """Reinforcement learning from verified feedback (4.2)."""

    steps: Positive = 100_000
    batch: Positive = 8
    samples: Annotated[int, Field(ge=2)] = 8
    temperature: Rate = 0.8
    unrolled_steps: Positive = 4
    self_play_share: Share = 0.25
    """Share of each batch that are mutated problems with verified references."""
    flow_weight: float = 0.3
    """Weight of the supervised loss that anchors the policy."""
    reward: RewardConfig = RewardConfig()
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-5)


class SleepConfig(Section):
    """Consolidation with validation and rollback (4.3)."""

    replay: Positive = 5_000
    """Queries replayed."""
    steps: Positive = 1_000
    batch: Positive = 32
    forward_forward_weight: float = 0.1
    strand_minimum: Positive = 50
    """Mutually similar high-reward frames needed to graduate a new strand."""
    strand_cosine: Share = 0.8
    gain_required: float = 0.05
    """Pass-rate gain on new problems without which nothing is kept."""
    loss_allowed: float = 0.03
    """Pass-rate loss on old problems beyond which nothing is kept."""
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-5)


class AlignmentConfig(Section):
    """Phase 4."""

    e2e: EndToEndConfig = EndToEndConfig()
    rlvf: RlvfConfig = RlvfConfig()
    sleep: SleepConfig = SleepConfig()


class SizeConfig(Section):
    """One rung of the growth ladder."""

    width: Positive
    blocks: Positive


class ScalingConfig(Section):
    """Growth ladder of the velocity field (5.1); the first rung is the soft core's own size."""

    ladder: tuple[SizeConfig, ...] = (
        SizeConfig(width=4_096, blocks=6),
        SizeConfig(width=6_144, blocks=7),
    )
    method: Literal["grow", "distill"] = "grow"
    """Function-preserving growth, or a fresh network distilled from the smaller teacher."""
    steps: Positive = 20_000
    batch: Positive = 16
    accumulation: Positive = 8
    """Micro-batches an optimizer step; the effective batch is ``batch``."""
    distillation_weight: float = 1.0
    optimizer: OptimizerConfig = OptimizerConfig(lr=5e-5)


class LanguagesConfig(Section):
    """JavaScript, Java, Rust and Go (5.2)."""

    problems: Positive = 10_000
    """Generated training problems a language."""
    evaluation_problems: Positive = 500
    vocabulary: Annotated[int, Field(ge=300, le=65_536)] = 32_768
    decoder_tokens: Positive = 384
    decoder_width: Positive = 320
    decoder_blocks: Positive = 5
    steps: Positive = 20_000
    batch: Positive = 64
    optimizer: OptimizerConfig = OptimizerConfig(lr=3e-4)


class BaselineConfig(Section):
    """vinciGPT, the transformer that Volt X is compared with at equal tokens and FLOPs (5.0)."""

    layers: Positive = 12
    width: Positive = 768
    heads: Positive = 12
    kv_heads: Positive = 12
    hidden: Positive = 2_048
    context: Positive = 512
    rope_theta: Rate = 10_000.0
    batch_tokens: Positive = 131_072
    steps: Positive | None = None
    """Training steps; empty means as many as give the FLOPs of translator and soft core."""
    optimizer: OptimizerConfig = OptimizerConfig(lr=6e-4, weight_decay=0.1, beta2=0.95)


class BenchmarksConfig(Section):
    """Final benchmarks (5.3)."""

    suites: tuple[str, ...] = ("humaneval", "mbpp", "apps")
    """Published suites; one whose data is absent is reported as not run."""
    samples: Positive = 10
    """Programs sampled a problem for pass@k with k > 1; pass@1 is greedy as well."""
    temperature: Rate = 0.8
    top_p: Share = 0.95
    ks: tuple[int, ...] = (1, 10)
    bootstrap: Positive = 1_000
    """Resamples of the bootstrap intervals."""
    problems: Positive = 1_000
    """Most problems of each suite."""

    @model_validator(mode="after")
    def _enough_samples(self) -> "BenchmarksConfig":
        if max(self.ks) > self.samples:
            raise ValueError(
                f"pass@{max(self.ks)} needs at least as many samples as k, "
                f"got samples={self.samples}"
            )
        return self


class JudgeConfig(Section):
    """Execution of generated code."""

    level: Literal["auto", "ns", "uid", "seccomp", "none"] = "auto"
    workers: Count = 0
    """Parallel slots; 0 means one a core."""
    cpu_s: Seconds = 1.0
    """CPU seconds for all tests of one program."""
    wall_s: Seconds = 10.0
    memory_mib: Positive = 512


class CheckpointConfig(Section):
    """How often progress is saved and how much of it is kept."""

    interval_s: Seconds = 60.0
    keep: Positive = 2
    notice_s: Seconds = 30.0
    """What a rented machine gives before it is taken away; slower saves are warned about."""


class ComputeConfig(Section):
    """The machine. Recorded with every result, never part of a fingerprint."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """``auto`` is bfloat16 on CUDA, float32 on CPU."""
    threads: Count = 1
    """CPU threads of a stage that runs beside others; 0 leaves it to torch. The count changes the
    last bits."""
    threads_alone: Count = 2
    """CPU threads of a stage that has the machine to itself."""
    log_every: Positive = 10
    """Steps between two points of a curve."""
    evaluate_every: Count = 250
    """Steps between two evaluations during training, where a stage has one; 0 leaves the one at
    the end."""
    compile: Literal["auto", "on", "off"] = "auto"
    """``torch.compile`` of what is trained; ``auto`` is on for CUDA and off for CPUs, where it
    does not pay."""


class CostConfig(Section):
    """Money."""

    rates_usd_per_hour: dict[str, float] = Field(
        default_factory=lambda: {"cpu": 0.35, "gpu": 2.5, "multi-gpu": 16.0}
    )
    """Price of an hour of each pool's machine."""


class VoltxConfig(Section):
    """Everything one run of the graph is determined by."""

    preset: Literal["tiny", "laptop", "single-gpu", "cloud"] = "cloud"
    seed: Count = 0
    data: DataConfig = DataConfig()
    translator: TranslatorConfig = TranslatorConfig()
    codebook: CodebookConfig = CodebookConfig()
    soft_core: SoftCoreConfig = SoftCoreConfig()
    router: RouterConfig = RouterConfig()
    certainty: CertaintyConfig = CertaintyConfig()
    safety: SafetyConfig = SafetyConfig()
    alignment: AlignmentConfig = AlignmentConfig()
    scaling: ScalingConfig = ScalingConfig()
    languages: LanguagesConfig = LanguagesConfig()
    baseline: BaselineConfig = BaselineConfig()
    benchmarks: BenchmarksConfig = BenchmarksConfig()
    judge: JudgeConfig = JudgeConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    compute: ComputeConfig = ComputeConfig()
    cost: CostConfig = CostConfig()

    @model_validator(mode="after")
    def _consistent(self) -> "VoltxConfig":
        t, problems = self.translator, []
        if t.decoder_width % t.decoder_heads:
            problems.append(
                f"translator.decoder_width ({t.decoder_width}) must be a multiple of "
                f"translator.decoder_heads ({t.decoder_heads})"
            )
        b = self.baseline
        if b.width % b.heads or b.heads % b.kv_heads:
            problems.append(
                f"baseline.width ({b.width}) must be a multiple of baseline.heads ({b.heads}), "
                f"and heads of baseline.kv_heads ({b.kv_heads})"
            )
        if self.languages.decoder_width % t.decoder_heads:
            problems.append(
                f"languages.decoder_width ({self.languages.decoder_width}) must be a multiple of "
                f"translator.decoder_heads ({t.decoder_heads})"
            )
        s = self.soft_core
        smallest = SizeConfig(width=s.width, blocks=s.blocks)
        for rung in self.scaling.ladder:
            if rung.width < smallest.width or rung.blocks < smallest.blocks:
                problems.append(
                    f"scaling.ladder rung {rung.width}x{rung.blocks} is smaller than "
                    f"{smallest.width}x{smallest.blocks}; the ladder only grows"
                )
            smallest = rung
        if problems:
            raise ValueError("\n".join(problems))
        return self
