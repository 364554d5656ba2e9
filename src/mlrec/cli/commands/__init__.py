"""One module a command; importing this package puts them all into the application, in the order of their use."""

from __future__ import annotations

from mlrec.cli.app import app
from mlrec.cli.commands import (
    doctor,
    evaluate,
    fetch,
    models,
    prepare,
    recommend,
    run,
    search,
    similar,
    train,
)

app.command("run", epilog=run.EXAMPLES)(run.run)
app.command("fetch", epilog=fetch.EXAMPLES)(fetch.fetch)
app.command("prepare", epilog=prepare.EXAMPLES)(prepare.prepare)
app.command("train", epilog=train.EXAMPLES)(train.train)
app.command("evaluate", epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command("recommend", epilog=recommend.EXAMPLES)(recommend.recommend)
app.command("similar", epilog=similar.EXAMPLES)(similar.similar)
app.command("search", epilog=search.EXAMPLES)(search.search)
app.add_typer(models.app, name="models")
app.command("doctor", epilog=doctor.EXAMPLES)(doctor.doctor)
