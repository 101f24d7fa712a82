"""From what a configuration or a flag says to a source."""

import os

from agarnet_jax.color import LumaRange
from agarnet_jax.remote_paths import is_remote
from data_pipelines.sources import remote, shards, tfds
from data_pipelines.sources.folder import FolderRecords
from data_pipelines.sources.images import ImageSource
from data_pipelines.sources.records import Records


def open_images(
    place: str | os.PathLike[str],
    *,
    luma_range: LumaRange | None = None,
    min_side: int = 1,
    cache_gib: float = 0.0,
) -> ImageSource:
    """Opens the images of a folder, of a prepared folder, or of a dataset "tfds:NAME[#SPLIT]".

    Folders may be URLs, such as gs://BUCKET/FOLDER: they are copied here first, see `remote`.

    Raises:
      FileNotFoundError, ValueError, ModuleNotFoundError: as the constructors of `FolderRecords`,
        `ShardRecords`, `TfdsRecords` and `remote.local_copy` say.
    """
    place = os.fspath(place)
    if is_remote(place):
        place = remote.local_copy(place)
    records: Records
    if place.startswith(tfds.PREFIX):
        records = tfds.TfdsRecords(place)
    elif shards.is_prepared(place):
        records = shards.ShardRecords(place, min_side=min_side)
    else:
        records = FolderRecords(place, min_side=min_side)
    return ImageSource(records, luma_range=luma_range, min_side=min_side, cache_gib=cache_gib)
