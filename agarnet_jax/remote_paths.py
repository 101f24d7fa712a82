"""Paths that may be URLs, such as `gs://BUCKET/FOLDER` (extra `gcs`)."""

from etils import epath


def is_remote(path: object) -> bool:
    """Returns whether a path is a URL."""
    return "://" in f"{path}"


def absolute(path: object) -> epath.Path:
    """Returns the absolute path, as Orbax requires; URLs are returned unchanged."""
    result = epath.Path(f"{path}")
    return result if is_remote(path) else result.absolute()


def check_reachable(path: str | None) -> None:
    """Checks that the storage of a URL can be accessed; accepts any local path.

    Raises:
      ValueError: the path is empty, no installed package reads such URLs, or the storage does not
        respond.
    """
    if not path:
        raise ValueError("The name of the folder is empty (an unset variable?); give one.")
    if not is_remote(path):
        return
    try:
        epath.Path(path).exists()
    except ImportError as error:
        raise ValueError(
            f"{path} needs a package that is not installed ({error}); for gs:// run "
            "pip install 'agarnet-jax[gcs]'."
        ) from error
    except Exception as error:  # each store has exceptions of its own
        reason = f"{error}".splitlines()[0] if f"{error}" else type(error).__name__
        raise ValueError(
            f"{path} cannot be reached ({reason}); check its name, the network and the "
            "credentials (gcloud auth application-default login)."
        ) from error
