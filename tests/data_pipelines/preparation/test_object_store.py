"""The pipeline on an object store without folders, like gs://."""

import io

import pytest

pytest.importorskip("apache_beam")

from apache_beam.io.filesystem import FileMetadata, FileSystem

STORE: dict[str, bytes] = {}


class ObjectStore(FileSystem):
    """Like gs://: names without folders, objects that appear on close, no rename in place."""

    @classmethod
    def scheme(cls):
        return "store"

    def has_dirs(self):
        return False

    def join(self, basepath, *paths):
        return "/".join((basepath, *paths))

    def split(self, path):
        return tuple(path.rsplit("/", 1))

    def mkdirs(self, path):
        raise NotImplementedError

    def _list(self, dir_or_prefix):
        return [
            FileMetadata(name, len(content), 7.0)
            for name, content in STORE.items()
            if name.startswith(dir_or_prefix)
        ]

    def create(self, path, *_, **__):
        class Upload(io.BytesIO):
            def close(self):
                if not self.closed:
                    STORE[path] = self.getvalue()
                super().close()

        return Upload()

    def open(self, path, *_, **__):
        return io.BytesIO(STORE[path])

    def copy(self, sources, targets):
        raise NotImplementedError

    def rename(self, sources, targets):
        for source, target in zip(sources, targets):
            STORE[target] = STORE.pop(source)

    def exists(self, path):
        return path in STORE

    def size(self, path):
        return len(STORE[path])

    def last_updated(self, path):
        return 7.0

    def metadata(self, path):
        return FileMetadata(path, len(STORE[path]), 7.0)

    def delete(self, paths):
        for path in paths:
            del STORE[path]


def test_shards_on_an_object_store_equal_local_ones(folder, tmp_path, run, contents):
    STORE.clear()
    for name, content in contents(folder).items():
        STORE[f"store://bucket/images/{name}"] = content
    STORE["store://bucket/images/"] = b""  # object stores keep placeholders for folders
    STORE["store://bucket/images_other/z.png"] = b"not in the input folder"
    before = dict(STORE)
    manifest = run("store://bucket/images/", "store://bucket/out", shards=2)
    assert manifest["images"] == manifest["input"]["files"] == 6
    run("store://bucket/images", "store://bucket/out", shards=2)
    run(folder, tmp_path / "out", shards=2)
    written = {name: content for name, content in STORE.items() if name not in before}
    local = contents(tmp_path / "out")
    assert sorted(written) == [f"store://bucket/out/{name}" for name in sorted(local)]
    for name in local:
        if name != "manifest.json":  # its fingerprint includes the files' times
            assert written[f"store://bucket/out/{name}"] == local[name]
    run("store://bucket/images", "store://bucket/out", shards=1, overwrite=True)
    assert len([name for name in STORE if name.startswith("store://bucket/out")]) == 2
