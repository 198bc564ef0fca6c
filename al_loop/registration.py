"""Registers rasters as samples: finds them, reads their headers in parallel, stores what can be used."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import batched, islice
from pathlib import Path

import msgspec

from al_loop.records import Campaign, SampleHeader
from al_loop.store import LabelStore
from models.errors import RasterError
from models.rasters import read_header, resolve_inside
