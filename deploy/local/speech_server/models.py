"""Where the model comes from: a folder, or the hub that faster-whisper fetches from."""

import pathlib
import sys

import faster_whisper

DEFAULT = "base"
NEEDED = ("model.bin", "config.json", "tokenizer.json")


class ModelMissing(Exception):
    """The model that was asked for cannot be had; the message says what was tried and what to do."""


def find(name):
    """Returns the folder of a model, which is named by its folder or by its name at the hub."""
    folder = pathlib.Path(name).expanduser()
    if folder.is_dir():
        return _checked(folder)
    if name not in faster_whisper.available_models() and (name.count("/") != 1 or name.startswith(("/", ".", "~"))):
        names = ", ".join(faster_whisper.available_models())
        raise ModelMissing(f"VOXGATE_LOCAL_MODEL={name} is no folder and no model of the hub: {names}, or OWNER/NAME.")
    try:
        return pathlib.Path(faster_whisper.download_model(name, local_files_only=True))
    except Exception:  # not fetched yet, or not whole: the hub's library has an error for each, and they change
        pass
    print(f"Fetching the model {name}; it is kept for the next start …", file=sys.stderr, flush=True)
    try:
        return pathlib.Path(faster_whisper.download_model(name))
    except Exception as error:
        raise ModelMissing(_unreachable(name, error)) from error


def _checked(folder):
    missing = [file for file in NEEDED if not (folder / file).is_file()]
    if missing:
        what = f"The folder {folder} has no {' and no '.join(missing)}."
        raise ModelMissing(f"{what} A model for faster-whisper (CTranslate2's format) has {', '.join(NEEDED)}.")
    return folder


def _unreachable(name, error):
    cause = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__
    return f"""The model {name} is not on this machine, and it could not be fetched from the hub (Hugging Face):
  {type(cause).__name__}: {cause}
Fetch it where the hub can be reached, copy its folder here, and name the folder:
  VOXGATE_LOCAL_MODEL=/path/to/faster-whisper-{name.rpartition("/")[2]} make local
The folder has {", ".join(NEEDED)}. HTTPS_PROXY and HF_ENDPOINT are respected."""
