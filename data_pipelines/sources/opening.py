"""Opens the source that a configuration or a flag names."""

import os

from agarnet_jax.color import LumaRange
from agarnet_jax.remote_paths import is_remote
from data_pipelines.sources import remote, shards, tfds
from data_pipelines.sources.folder import FolderRecords
from data_pipelines.sources.images import ImageSource
from data_pipelines.sources.records import Records


def open_images(
    location: str | os.PathLike[str],
    *,
    luma_range: LumaRange | None = None,
    min_side: int = 1,
    cache_gib: float = 0.0,
) -> ImageSource:
    """Opens a folder of images, a folder of prepared shards, or a dataset "tfds:NAME[#SPLIT]".

    A folder given as a URL, such as gs://BUCKET/FOLDER, is first copied to this machine, see
    `remote`.

    Raises:
      FileNotFoundError, ValueError, ModuleNotFoundError: from the constructors of `FolderRecords`,
        `ShardRecords` and `TfdsRecords`, or from `remote.local_copy`.
    """
    location = os.fspath(location)
    if is_remote(location):
        location = remote.local_copy(location)
    records: Records
    if location.startswith(tfds.PREFIX):
        records = tfds.TfdsRecords(location)
    elif shards.is_prepared(location):
        records = shards.ShardRecords(location, min_side=min_side)
    else:
        records = FolderRecords(location, min_side=min_side)
    return ImageSource(records, luma_range=luma_range, min_side=min_side, cache_gib=cache_gib)
