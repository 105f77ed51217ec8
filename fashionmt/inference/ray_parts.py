"""Makes parts with Ray Data: workers, on this machine or on a cluster, read, tag and write one part after another.

A worker gets plain data and opens the job for itself, so all machines see the bundle, the catalogue, the pictures and
the output under the same paths. What comes back of a part is a few numbers, or why it could not be made.
"""

import contextlib
import json
import logging
import os
import queue
import socket
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import ray
import ray.data
import torch

from fashionmt.bundle import bundle_digest, read_bundle
from fashionmt.config import PredictConfig
from fashionmt.errors import ResourceError, UserError
from fashionmt.inference.engine import TaggingEngine, engine_of
from fashionmt.inference.job import Job, join_job
from fashionmt.inference.part import RowsDone, Told, make_part
from fashionmt.inference.part_files import Footer
from fashionmt.inference.show import show_workers

HEARTBEAT = 0.2
"""Seconds between two looks at whether the job is to stop, while no part is done."""
ASK = 1.0
"""Seconds between two such looks of a worker."""
STOP_SECONDS = 60
"""Workers have so long to end what they are at; then they are ended."""
ATTEMPTS = 4
"""A part whose worker is lost (a machine is taken away, memory gives out) is begun anew, but not more often."""


def make_parts_with_ray(job: Job, config: PredictConfig, parts: Sequence[int], told: Told) -> None:
    """`told` hears of whole parts. Raises what a worker raised, and what `told` raises: the workers then end between
    two rows, and leave what they were at."""
    with _connected(), _ray_errors():
        pool = pool_for(_machines(), config.ray_workers, len(parts))
        show_workers(pool.workers, pool.cores, pool.gpus > 0)
        hired: Any = ray.remote(num_cpus=0)(Foreman)
        foreman = hired.remote()
        errand = Errand(asdict(config), job.manifest.fingerprint, str(Path.cwd()), pool.cores)
        answers: queue.Queue[Any] = queue.Queue()
        pump = threading.Thread(target=_pump, args=(_dataset(parts, pool, errand, foreman), answers), daemon=True)
        pump.start()
        try:
            for answer in _waited_for(answers, told):
                told(_read_answer(answer))
        finally:
            with contextlib.suppress(ray.exceptions.RayError):
                ray.get(foreman.stop.remote())
            pump.join(STOP_SECONDS)


# What this process does


@contextlib.contextmanager
def _connected() -> Iterator[None]:
    """Ray, as the caller has it; else as RAY_ADDRESS says; else on this machine, for this job alone."""
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what goes wrong is raised, and told once
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # of its own processes, one of which is in this
    try:
        with _muted():  # the line that says that the level was set
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError as error:
        address = os.environ.get("RAY_ADDRESS", "")
        wrong = f"no Ray cluster answers ({str(error)[:100]})"
        raise UserError(f"RAY_ADDRESS={address}", wrong, "Start one, or unset it to use this machine") from error
    try:
        yield
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _muted() -> Iterator[None]:
    """Nothing goes to stderr, not even from C++."""
    stderr = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


@contextlib.contextmanager
def _ray_errors() -> Iterator[None]:
    """What Ray could not repair: workers that are lost again and again."""
    try:
        yield
    except ray.exceptions.RayError as error:
        wrong = f"{type(error).__name__}, {str(error).strip().splitlines()[0][:200]}"
        raise ResourceError("engine=ray", wrong, "See to it; the same command then goes on where it was") from error


@dataclass(frozen=True)
class Pool:
    """How many workers there are, and what each has."""

    workers: int
    cores: int
    gpus: int


def pool_for(nodes: Sequence[Mapping[str, float]], asked: int | None, parts: int) -> Pool:
    """Of machines with such resources: a GPU for each worker, or a core; what more there is is shared out."""
    with_gpu = [node for node in nodes if node.get("GPU", 0) >= 1]
    if with_gpu:
        workers = min(asked or int(sum(node["GPU"] for node in with_gpu)), parts)
        return Pool(workers, max(1, min(int(node.get("CPU", 0) // node["GPU"]) for node in with_gpu)), 1)
    cores = [int(node["CPU"]) for node in nodes if node.get("CPU", 0) >= 1]
    workers = min(asked or sum(cores), parts)
    # A worker does not stretch over machines.
    return Pool(workers, max(1, min(sum(cores) // workers, *cores)), 0)


def _machines() -> list[dict[str, float]]:
    """What each has: CPU, GPU, ..."""
    nodes: Any = ray.nodes  # without types
    return [node["Resources"] for node in nodes() if node["Alive"]]


def _dataset(parts: Sequence[int], pool: Pool, errand: "Errand", foreman: Any) -> Any:
    """The parts' numbers, to become answers, each in a task of its own."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False  # the job has its own
    numbers = ray.data.from_items(list(parts), override_num_blocks=len(parts))
    return numbers.map_batches(
        PartWorker,
        fn_constructor_args=(asdict(errand), foreman),
        batch_size=1,
        # One task at a time: where two wait for one worker, another has none at the end.
        compute=ray.data.ActorPoolStrategy(size=pool.workers, max_tasks_in_flight_per_actor=1),
        num_cpus=pool.cores,
        num_gpus=pool.gpus,
    )


def _pump(dataset: Any, answers: "queue.Queue[Any]") -> None:
    """Put the answers where they can be waited for with an eye on signals; at the end None, or what was raised."""
    try:
        for batch in dataset.iter_batches(batch_size=None, prefetch_batches=0):
            for answer in batch["answer"]:
                answers.put(json.loads(answer))
        answers.put(None)
    except Exception as error:
        answers.put(error)


def _waited_for(answers: "queue.Queue[Any]", told: Told) -> Iterator[dict[str, Any]]:
    while True:
        try:
            answer = answers.get(timeout=HEARTBEAT)
        except queue.Empty:
            told(RowsDone())
            continue
        if answer is None:
            return
        if isinstance(answer, Exception):
            raise answer
        yield answer


# What a worker does


@dataclass(frozen=True)
class Errand:
    """What a worker is sent for."""

    config: dict[str, Any]
    fingerprint: str
    folder: str
    """The current one of the command, which its paths go out from."""
    threads: int


class Foreman:
    """What all workers ask, in a process of its own: whether the job is to stop, and how often a part was begun."""

    def __init__(self) -> None:
        self.is_stopped, self.begun = False, Counter[int]()

    def stop(self) -> None:
        """Have the workers stop."""
        self.is_stopped = True

    def goes_on(self) -> bool:
        """Whether they are not to."""
        return not self.is_stopped

    def begin(self, part: int) -> int:
        """The number of this attempt, from 1."""
        self.begun[part] += 1
        return self.begun[part]


class JobStopped(Exception):  # noqa: N818
    """The foreman said so."""


class PartWorker:
    """Makes parts in a process of its own. Ray Data calls it with a part's number."""

    def __init__(self, errand: dict[str, Any], foreman: Any) -> None:
        # The job is opened with the first part: Ray would try again and again what fails here.
        self.errand, self.foreman, self.asked = Errand(**errand), foreman, 0.0
        self.opened: tuple[TaggingEngine, Job, PredictConfig] | None = None

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[str]]:
        """A row with the answer, in JSON."""
        return {"answer": [json.dumps(self._answer(int(batch["item"][0])))]}

    def _answer(self, part: int) -> dict[str, Any]:
        try:
            self._ask(RowsDone())
            if ray.get(self.foreman.begin.remote(part)) > ATTEMPTS:
                wrong = f"part {part} was begun {ATTEMPTS} times, and each time its worker was lost"
                raise ResourceError("engine=ray", wrong, "Give workers more memory: see Ray's logs, and ray_workers")
            if self.opened is None:
                self.opened = _open(self.errand)
            engine, job, config = self.opened
            return _answer_part(make_part(engine, job, config, part, self._ask))
        except JobStopped:
            return {}
        except Exception as error:  # as data: Ray would tell of it in a hundred lines, and of what class it was in none
            return _answer_error(error)

    def _ask(self, done: RowsDone) -> None:
        """Raises `JobStopped`. `done` is told as a whole part."""
        if time.monotonic() - self.asked >= ASK:
            if not ray.get(self.foreman.goes_on.remote()):
                raise JobStopped
            self.asked = time.monotonic()


def _open(errand: Errand) -> tuple[TaggingEngine, Job, PredictConfig]:
    """Raises `UserError` where this machine has not the command's files."""
    torch.set_num_threads(errand.threads)
    try:
        os.chdir(errand.folder)
    except OSError as error:
        wrong = f"not there on {socket.gethostname()} ({error.strerror})"
        raise UserError(errand.folder, wrong, "Have all machines see the same files under the same paths") from error
    kinds = get_type_hints(PredictConfig)
    nested = {name: kinds[name](**value) for name, value in errand.config.items() if is_dataclass(kinds[name])}
    config = PredictConfig(**errand.config | nested)
    bundle = Path(str(config.bundle))
    made = read_bundle(bundle)
    return engine_of(config, made), join_job(config, made, bundle_digest(bundle), errand.fingerprint), config


# What goes between them


class WorkerError(Exception):
    """What a worker met and should not have; its traceback is a note."""


def _answer_part(footer: Footer) -> dict[str, Any]:
    bad_pictures = sum(footer.statistics["picture_problems"].values())
    return asdict(RowsDone(footer.rows, footer.bad, footer.bad + bad_pictures))


def _answer_error(error: Exception) -> dict[str, Any]:
    if isinstance(error, UserError):
        return {"error": type(error).__name__, "args": error.args}
    return {"error": f"{type(error).__name__}: {error}", "args": [], "traceback": traceback.format_exc()}


def _read_answer(answer: dict[str, Any]) -> RowsDone:
    """Raises what the worker met."""
    if "error" not in answer:
        return RowsDone(**answer)
    kinds: list[type[UserError]] = [UserError, *UserError.__subclasses__()]
    if "traceback" not in answer:
        raise next(kind for kind in kinds if kind.__name__ == answer["error"])(*answer["args"])
    error = WorkerError(answer["error"])
    error.add_note(answer["traceback"])
    raise error
