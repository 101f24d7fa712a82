"""Folders that may be a bucket's: `gs://BUCKET/FOLDER` and other URLs (extra `gcs`)."""

from etils import epath


def is_remote(place: object) -> bool:
    """Whether a path is a URL rather than a local one."""
    return "://" in f"{place}"


def absolute(place: object) -> epath.Path:
    """The path as Orbax wants it; a URL stays as it is."""
    path = epath.Path(f"{place}")
    return path if is_remote(place) else path.absolute()


def check_reachable(place: str | None) -> None:
    """Does nothing for local paths, and for URLs that can be asked for.

    Raises:
      ValueError: the name is empty, no package here reads such a URL, or its store does not answer.
    """
    if not place:
        raise ValueError("The name of the folder is empty (a variable that is not set?); give one.")
    if not is_remote(place):
        return
    try:
        epath.Path(f"{place}").exists()
    except ImportError as error:
        raise ValueError(
            f"{place} needs a package that is not installed ({error}); for gs:// run "
            "pip install 'agarnet-jax[gcs]'."
        ) from error
    except Exception as error:  # each store has exceptions of its own
        reason = f"{error}".splitlines()[0] if f"{error}" else type(error).__name__
        raise ValueError(
            f"{place} cannot be reached ({reason}); check its name, the network and the "
            "credentials (gcloud auth application-default login)."
        ) from error
