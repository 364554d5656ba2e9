"""mlrec serve: the service over HTTP, and the page to swipe on."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mlrec.cli import render
from mlrec.cli.options import DATA_DIR_DEFAULT, DataDir, StoreName, examples
from mlrec.settings import ServiceSettings

EXAMPLES = examples(
    "mlrec serve --open",
    "mlrec serve --workers 4 --store redis://localhost:6379/0",
    "mlrec serve --host 0.0.0.0 --api-key-file keys.txt --rate-limit 600",
    "mlrec serve --poster-url 'https://images.example.com/{tmdb_id}.jpg'",
)


def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on. Any but a loopback address needs API keys.")
    ] = ServiceSettings.host,
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Port to listen on. 0: any free one.")
    ] = ServiceSettings.port,
    workers: Annotated[
        int, typer.Option(metavar="N", min=1, max=256, help="Number of processes. One for each processor is best.")
    ] = ServiceSettings.workers,
    model: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Serve this model folder.", show_default="the published model")
    ] = None,
    store: StoreName = None,
    api_key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="API keys, in lines such as: my-app = KEY. Send SIGHUP to reload them."),
    ] = None,
    page: Annotated[
        bool,
        typer.Option("--page/--no-page", help="Serve the page to swipe on. Each visitor has a user id of its own."),
    ] = True,
    poster_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Show posters from this address, which has {tmdb_id} or {imdb_id} in it. By default, they are drawn.",
        ),
    ] = None,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="Let pages of this origin use the API from a browser. Repeatable."),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Also accept requests for this host name. Repeatable. With API keys, all host names are accepted.",
        ),
    ] = None,
    rate_limit: Annotated[
        int, typer.Option(metavar="N", min=0, help="Most requests a minute from each key or address. 0: no limit.")
    ] = ServiceSettings.rate_limit,
    wait_seconds: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", help="Most seconds that a request waits for the store.")
    ] = ServiceSettings.wait_seconds,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    access_log: Annotated[
        bool | None,
        typer.Option(
            "--access-log/--no-access-log",
            help="Log each request to stderr, as a line of JSON.",
            show_default="on, but not on a terminal",
        ),
    ] = None,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Serve the page to swipe on, and the API for apps.

    The page is at /, the API reference at /docs. Without API keys, anyone who can reach the service can do anything, so
    it listens on this machine only. To listen elsewhere, pass --api-key-file. The page itself never needs a key;
    --no-page turns it off.

    The service picks up a newly published model within about ten seconds, without a restart. The first Ctrl-C lets
    requests in flight finish; the second ends at once. Acknowledged swipes are never lost.
    """
    settings = ServiceSettings(
        data_dir=str(data_dir),
        model=None if model is None else str(model),
        store=store,
        host=host,
        port=port,
        workers=workers,
        api_key_file=None if api_key_file is None else str(api_key_file),
        page=page,
        poster_url=poster_url,
        cors_origins=tuple(cors_origin or ()),
        allowed_hosts=tuple(allowed_host or ()),
        rate_limit=rate_limit,
        wait_seconds=wait_seconds,
        access_log=not sys.stderr.isatty() if access_log is None else access_log,
    )
    from mlrec.serve import serve as run

    def on_listening(address: str) -> None:
        if page:
            render.line(f"Swipe at {address}")
            render.line(f"API at {address}/docs. Stop with Ctrl-C.")
        else:
            render.line(f"API at {address} (see /openapi.json). Stop with Ctrl-C.")
        if open_page and page:
            typer.launch(address)

    run(settings, on_listening)
