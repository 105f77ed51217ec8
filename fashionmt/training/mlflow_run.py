"""`logger=mlflow`: a run of MLflow's for each run of ours, continued where ours is resumed."""

import os
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import MLFlowLogger
from pytorch_lightning.utilities import rank_zero_only

from fashionmt.errors import UserError

ID_FILE = "mlflow-id"
FILE = "sqlite:///"


class MlflowRun(MLFlowLogger):
    """Lightning's MLflow logger, which knows its run again and tells nobody of it."""

    def __init__(
        self,
        save_dir: str,
        tracking_uri: str,
        experiment_name: str = "fashionmt",
        run_name: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """`save_dir`: the run's folder. `tracking_uri`: a database (`sqlite:///runs/mlflow.db`) or a server."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is loaded, below
        folder = Path(save_dir)
        self._id_file = folder / ID_FILE
        self._resumed = self._id_file.is_file()
        if tracking_uri.startswith(FILE):
            database = Path(tracking_uri.removeprefix(FILE)).resolve()
            database.parent.mkdir(parents=True, exist_ok=True)
            tracking_uri = f"{FILE}{database}"
        super().__init__(
            experiment_name=experiment_name,
            run_name=run_name or f"{folder.parent.name}/{folder.name}",
            tracking_uri=tracking_uri,
            tags=dict(tags or {}),
            run_id=self._id_file.read_text(encoding="utf-8").strip() if self._resumed else None,
        )

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Begin the run with its config, or go on with it: the config of a resumed run is there, and the same.

        Raises `UserError` where MLflow is not to be reached.
        """
        from mlflow.exceptions import MlflowException

        try:
            if self._resumed:
                self.experiment.update_run(self.run_id, status="RUNNING")
                return
            super().log_hyperparams(params, *args, **kwargs)
        except MlflowException as error:
            where = f"logger.mlflow.tracking_uri={self._tracking_uri}"
            raise UserError(where, f"no run could be begun ({str(error)[:200]})", "Check the address") from error
        self._id_file.parent.mkdir(parents=True, exist_ok=True)
        self._id_file.write_text(str(self.run_id), encoding="utf-8")
