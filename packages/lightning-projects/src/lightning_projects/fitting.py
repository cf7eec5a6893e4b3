"""Training by Lightning's Trainer: in a run directory, or as a trial of a search."""

import dataclasses
import logging
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, LearningRateMonitor, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from dl_shared.errors import InputError
from dl_shared.progress import say
from dl_shared.runs import Run
from dl_shared.tuning import Report
from lightning_projects.callbacks import RunKeeper, StoppedError, progress_bar
from lightning_projects.checkpoints import BEST, AtomicCheckpointIO, find_last, load_best
from lightning_projects.config import LightningConfig

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}

for _name in ("pytorch_lightning", "lightning_fabric"):  # they report the hardware that was not found, and tips
    logging.getLogger(_name).setLevel(logging.WARNING)
# It warns of every loader that is not a DataLoader, of short epochs, and of a best.ckpt that is replaced.
warnings.filterwarnings("ignore", module="pytorch_lightning")


def make_trainer(config: LightningConfig, **options: Any) -> pl.Trainer:
    """A Trainer of the devices, processes and number format that a configuration asks for.

    Args:
        config: the options.
        options: further ones of the Trainer.

    Raises:
        InputError: if there are no such devices, or they cannot do what is asked.
    """
    strategy: Any = config.strategy
    if (strategy == "auto" and config.devices > 1) or config.num_nodes > 1:
        strategy = "ddp"
    try:
        trainer = pl.Trainer(
            accelerator=config.device,
            devices=config.devices or "auto",
            strategy=strategy,
            num_nodes=config.num_nodes,
            precision=PRECISIONS[config.precision],  # type: ignore[arg-type]
            max_epochs=config.epochs,
            num_sanity_val_steps=0,
            enable_model_summary=False,
            log_every_n_steps=10,
            use_distributed_sampler=False,
            plugins=[AtomicCheckpointIO()],
            **options,
        )
    except (MisconfigurationException, ModuleNotFoundError, ValueError, RuntimeError) as error:
        raise InputError(f"{str(error).strip().splitlines()[0]} Change --device, --devices or --strategy") from None
    if config.precision == "fp16" and trainer.strategy.root_device.type == "cpu":
        raise InputError("a CPU does not train in fp16; use --precision bf16 or fp32")
    return trainer


def fit(
    module: pl.LightningModule,
    datamodule: pl.LightningDataModule,
    config: LightningConfig,
    run: Run,
    *,
    monitor: str,
    mode: str = "max",
    callbacks: tuple[Callback, ...] = (),
    best_weights_only: bool = False,
) -> dict[str, Any]:
    """Make all steps that are still to be made; returns the checkpoint of the best epoch.

    Args:
        module: before its first step; logs `train/loss` once an epoch, and `monitor`.
        datamodule: whose training loader has `state_dict` and `load_state_dict`.
        config: the options of the Trainer, `patience` and `checkpoint_seconds`.
        run: to log to, and to take up where it stopped.
        monitor: the metric by which epochs are compared, such as `validation/accuracy`.
        mode: `max` or `min`.
        callbacks: the project's own.
        best_weights_only: leave what only a resumption needs out of best.ckpt, and with it two thirds of the file; not
            for callbacks that keep weights of their own.

    Raises:
        KeyboardInterrupt: after Ctrl-C, once the checkpoint is written.
        InputError: if no checkpoint can be read, or training has diverged.
    """
    last = find_last(run.checkpoints) if run.resumed else None
    path, step = last or (None, 0)
    best = ModelCheckpoint(
        run.checkpoints,
        BEST,
        monitor=monitor,
        mode=mode,
        save_weights_only=best_weights_only,
        enable_version_counter=False,
        auto_insert_metric_name=False,
    )
    keeper = RunKeeper(run, seconds=config.checkpoint_seconds, monitor=monitor)
    stopping = [EarlyStopping(monitor, mode=mode, patience=config.patience)] if config.patience else []
    trainer = make_trainer(
        config,
        default_root_dir=run.path,
        logger=_loggers(config, run, step),
        callbacks=[*callbacks, *stopping, LearningRateMonitor("step"), progress_bar(), best, keeper],
    )
    if run.resumed:
        run.rewind(step)
        say(f"going on after step {step}")
    elif trainer.is_global_zero:
        for logger in trainer.loggers:
            logger.log_hyperparams(dataclasses.asdict(config))
    with _stopping_like_a_run(run):
        trainer.fit(module, datamodule=datamodule, ckpt_path=path, weights_only=True)
    _report_cost(module, config, run, keeper, trainer)
    return load_best(run.path)


def fit_trial(
    module: pl.LightningModule,
    datamodule: pl.LightningDataModule,
    config: LightningConfig,
    report: Report,
    *,
    monitor: str,
    callbacks: tuple[Callback, ...] = (),
) -> list[float]:
    """Train for a search, without a run directory; returns the metric after each epoch.

    Args:
        module, datamodule, config, callbacks: as for `fit`.
        report: is told the metric after each epoch, and may end the trial there.
        monitor: the metric.
    """
    reporting = _Reporting(report, monitor)
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(
            config,
            default_root_dir=folder,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            callbacks=[*callbacks, reporting],
        )
        trainer.fit(module, datamodule=datamodule)
    return reporting.scores


class _Reporting(Callback):
    def __init__(self, report: Report, monitor: str) -> None:
        self.report, self.monitor = report, monitor
        self.scores: list[float] = []

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.scores.append(float(trainer.callback_metrics[self.monitor]))
        self.report(self.scores[-1], step=trainer.current_epoch + 1)


@contextmanager
def _stopping_like_a_run(run: Run) -> Iterator[None]:
    """Every stop becomes the KeyboardInterrupt that `Run` expects; Lightning makes `sys.exit(1)` of some."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except StoppedError:
        run.interrupt()
    except SystemExit as error:
        signal.signal(signal.SIGINT, handler)
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise


def _loggers(config: LightningConfig, run: Run, step: int) -> list[Logger]:
    """TensorBoard and CSV in the run directory; rows after `step`, of work that a kill has undone, are hidden.

    Raises:
        InputError: if Weights & Biases is asked for and not installed.
    """
    loggers: list[Logger] = [
        TensorBoardLogger(run.path, name="tensorboard", version="", purge_step=step or None),
        CSVLogger(run.path, name="csv", version=f"from-step-{step}"),  # it deletes what its folder has
    ]
    if config.wandb:
        project = run.summary["project"]
        try:
            loggers.append(WandbLogger(project=project, id=run.path.name, save_dir=run.path, resume="allow"))
        except ModuleNotFoundError:
            raise InputError(
                "Weights & Biases is not installed; run `pip install wandb` or leave out --wandb"
            ) from None
    return loggers


def _report_cost(
    module: pl.LightningModule, config: LightningConfig, run: Run, keeper: RunKeeper, trainer: pl.Trainer
) -> None:
    device = trainer.strategy.root_device
    on_gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if on_gpu else device.type
    examples = trainer.global_step * config.batch_size
    peak = {"peak_memory_bytes": torch.cuda.max_memory_allocated(device)} if on_gpu else {}  # else the process's own
    run.update(
        "cost",
        train_seconds=keeper.train_seconds,
        examples_per_second=examples / (keeper.train_seconds - keeper.aside_seconds),
        parameters=sum(param.numel() for param in module.parameters() if param.requires_grad),
        device=name if trainer.world_size == 1 else f"{trainer.world_size} x {name}",
        precision=config.precision,
        **peak,
    )
