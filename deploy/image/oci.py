"""OCI image layouts (image-spec 1.1) and archives that are the same bytes for the same input: no clock, no owner and no order of this machine."""

import hashlib
import io
import json
import os
import shutil
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def add(archive, name, mode, content, owner):
    entry = tarfile.TarInfo(name)
    entry.mode, entry.uid, entry.gid, entry.mtime = mode, owner, owner, 0
    if content is None:
        entry.type = tarfile.DIRTYPE
        archive.addfile(entry)
    else:
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


def layout(folder, config_type, config, layers, annotations):
    """Writes an image or an artifact of layers [(media type, bytes)] and gives its manifest's digest."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "blobs" / "sha256").mkdir(parents=True)
    (folder / "oci-layout").write_bytes(encoded({"imageLayoutVersion": "1.0.0"}))
    manifest = encoded({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": blob(folder, config_type, config),
        "layers": [blob(folder, kind, content) for kind, content in layers],
        "annotations": annotations,
    })
    entry = blob(folder, MANIFEST, manifest)
    (folder / "index.json").write_bytes(encoded({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}))
    return entry["digest"]


def blob(folder, kind, content):
    """Its descriptor; the content is written under its digest."""
    name = digest(content)
    path = folder / "blobs" / name.replace(":", "/")
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_bytes(content)
    fresh.replace(path)
    return {"mediaType": kind, "digest": name, "size": len(content)}


def encoded(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()
