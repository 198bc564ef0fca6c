"""What programs and tests import, for `forked_programs`: read once by the process that they are forked from.

Nothing that starts a thread, which a fork would lack.
"""

import atexit
import gc

import litestar.plugins.opentelemetry
import litestar.plugins.pydantic  # noqa: F401  # as building routes does
import networkx  # noqa: F401
import onnxscript.function_libs.torch_lib.ops  # noqa: F401
import pyarrow.dataset  # noqa: F401
import sklearn.linear_model  # noqa: F401
import torch.export._trace
import torch.onnx._internal.exporter._core  # noqa: F401

import al_loop.client
import al_loop.loop
import al_loop.runtime.cluster.driver
import al_loop.simulation.run  # noqa: F401
import models.pretrain
import models.score_pool
import models.train
import models.train_super_resolution
import models.training.export
import models.training.networks.deep  # noqa: F401
import service.app  # noqa: F401

gc.freeze()  # the collector of a fork would copy all of it
atexit.register(gc.unfreeze)  # at its own end, or all bindings would be told to have leaked
