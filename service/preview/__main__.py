"""Serves the preview: `python -m service.preview --help`."""

import sys

import click
from werkzeug.serving import make_server

from config.loader import SettingsError, read_settings
from service.cli.output import say
from service.preview.app import create_app


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8030, show_default=True)
def main(port: int) -> None:
    """Show pages, messages and e-mails in your settings' brand and words, on this machine only."""
    try:
        settings = read_settings()
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    server = make_server("127.0.0.1", port, create_app(settings), threaded=True)
    say(f"Preview: http://127.0.0.1:{server.port}")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
