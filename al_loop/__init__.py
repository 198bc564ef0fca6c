"""The loop: store labels, choose samples, decide when to retrain, gate and promote.

Knows nothing of HTTP or of torch.
"""

__version__ = "0.2.0"
