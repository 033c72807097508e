"""Secrets in files, as Docker and Kubernetes hand them over: `NAME_FILE` is the path of the file with NAME's value."""

from pathlib import Path

_MAX_BYTES = 64 * 1024


def file_variable(name: str) -> str:
    """Return the name of the variable with the path of a secret's file."""
    return f"{name}_FILE"


def read_secret_file(path: str) -> str:
    """Return the text of a file without white space around it. Raise ValueError with the problem."""
    file = Path(path)
    try:
        # Opening a pipe would wait for a writer.
        if file.exists() and not file.is_file():
            raise ValueError("is no regular file. Write the path of a text file.")
        with file.open("rb") as opened:
            raw = opened.read(_MAX_BYTES + 1)
        text = raw.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise ValueError("can't be read: it is not UTF-8 text.") from None
    except OSError as error:
        raise ValueError(f"can't be read: {error.strerror}. Name a file that we may read.") from None
    if len(raw) > _MAX_BYTES:
        raise ValueError("has more than 64 KiB. Write the path of a file with the secret alone.")
    if not text:
        raise ValueError("is empty. Write the secret into it.")
    return text
