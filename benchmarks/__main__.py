"""`./pianku bench [NAME ...]`: measure, print a table, write every sample as JSON.

Side by side with Debian's Orthanc in interleaved rounds; see docs/reference/benchmarks.md.
Called by the script `pianku`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks import archive, costs, documents, moving, query, registry, retrieve, store
from benchmarks import ledger as events
from benchmarks.images import Image, Press, deal
from benchmarks.measuring import Report, Target, as_json
from benchmarks.servers import Pianku, our_server, peer_server
from kernel.ledger.ledger import open_postgres, open_sqlite
from kernel.ledger.sealing import MemoryRing
from tests.support.modality import store as c_store_files
from tests.support.postgres import cluster


class Bench:
    """One run: the servers, the report, and what several measurements need to be there first."""

    def __init__(
        self, report: Report, targets: Sequence[Target], folder: Path, studies: int
    ) -> None:
        self.report, self.targets, self.folder = report, targets, folder
        self.studies = studies
        self.press = Press()
        self._images: list[Image] = []

    def c_store(self) -> None:
        """C-STORE by 1 and 4 associations."""
        store.c_store(self.report, self.targets, self.folder, self.press)

    def stow(self) -> None:
        """STOW-RS, 1 and 25 instances a request."""
        store.stow(self.report, self.targets, self.press)

    def wado(self) -> None:
        """WADO-RS frames, instances, rendered images and series metadata."""
        images = self._stored()
        retrieve.series_metadata(self.report, self.targets, images)
        retrieve.frames(self.report, self.targets, images[:200])
        retrieve.instances(self.report, self.targets, images[:200])
        retrieve.rendered(self.report, self.targets, images[:200])

    def dimse(self) -> None:
        """C-GET and C-MOVE of a series of 500 CT."""
        images = self._stored()
        moving.get(self.report, self.targets, images, self.folder)
        moving.move(self.report, self.targets, images, self.folder)

    def qido(self) -> None:
        """QIDO-RS over `--studies` studies (1,000)."""
        query.fill(self.targets, self.folder, self.studies)
        query.qido(self.report, self.targets, self.studies)

    def _stored(self) -> list[Image]:
        """Return the images of a series of 500 CT that every server has; sent once a run."""
        if not self._images:
            self._images = list(self.press.series())
            (sent,) = deal(self._images, self.folder / "stored", 1)
            for target in self.targets:
                c_store_files(target.node, [sent], calling="BENCH")
        return self._images

    def xds(self) -> None:
        """ITI-41 and ITI-18; Orthanc has no such door."""
        ours = [target for target in self.targets if isinstance(target, Pianku)]
        documents.measure(self.report, ours)


def ledger(report: Report, folder: Path) -> None:
    """Append, read and follow on both engines, without a server round them."""
    with cluster() as postgres:
        for number in range(report.rounds):
            openers = {
                "pianku, SQLite": lambda n=number: open_sqlite(
                    folder / f"facts{n}.sqlite", "facts", topics=events.TABLE, ring=MemoryRing()
                ),
                "pianku, PostgreSQL": lambda n=number: open_postgres(
                    postgres.dsn, "facts", topics=events.TABLE, ring=MemoryRing(),
                    schema=f"bench{n}",
                ),
            }  # fmt: skip
            for name, opener in openers.items():
                for row, value in events.measure(opener, 2.0).items():
                    is_latency = row.endswith(" ms")
                    report.row(
                        f"ledger: {row}", "ms" if is_latency else "events/s",
                        better="lower" if is_latency else "higher",
                    ).add(name, value, None)  # fmt: skip


SERVED: Final[dict[str, Callable[[Bench], None]]] = {
    "cstore": Bench.c_store, "stow": Bench.stow, "wado": Bench.wado, "dimse": Bench.dimse,
    "qido": Bench.qido, "xds": Bench.xds,
}  # fmt: skip


APART: Final = {
    "ledger": "Append, read and follow, on both engines; no server.",
    "costs": "What one XDS message costs, step by step.",
    "registry": "A registry full of `--documents`; only when named.",
    "archive": "An archive as it grows to `--studies` (1,000 to 1,000,000); only when named.",
}
"""What starts its own server, or none."""
_WHEN_NAMED: Final = ("registry", "archive")


def main() -> None:
    """Read the command line and measure."""
    told = {name: work.__doc__ or "" for name, work in SERVED.items()} | APART
    parser = argparse.ArgumentParser(
        prog="./pianku bench", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(["names:", *(f"  {name:9} {text}" for name, text in told.items())]),
    )  # fmt: skip
    names = [*SERVED, *APART]
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to measure (see below)")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default 3)")
    parser.add_argument(
        "--documents",
        type=int,
        default=200_000,
        help="how full `registry` is (default 200,000; 1,000,000 with PostgreSQL)",
    )
    parser.add_argument(
        "--studies",
        type=lambda text: [int(number) for number in text.split(",")],
        default=[],
        metavar="N[,N...]",
        help="studies in `qido` (1,000) and, one after the other, in `archive`",
    )
    parser.add_argument("--only", choices=["pianku", "orthanc"], help="measure one server alone")
    parser.add_argument("--postgresql", action="store_true", help="Pianku on PostgreSQL")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="a setting of Pianku, as in its environment")  # fmt: skip
    parser.add_argument("--folder", type=Path, help="disk to work on (default: temporary folder)")
    parser.add_argument("--json", type=Path, help="file for every sample")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(names):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    wanted = chosen.names or [name for name in names if name not in _WHEN_NAMED]
    report, without_server = Report(chosen.rounds), Report(chosen.rounds)
    with tempfile.TemporaryDirectory(prefix="pianku-bench-", dir=chosen.folder) as folder:
        try:
            served = [name for name in wanted if name in SERVED]
            if served:
                measure_served(report, served, chosen, Path(folder))
            if "costs" in wanted:
                costs.measure(without_server, Path(folder))
            if "registry" in wanted:
                full_registry(without_server, chosen, Path(folder))
            if "archive" in wanted:
                growing_archive(without_server, chosen, Path(folder))
            if "ledger" in wanted:
                ledger(without_server, Path(folder))
        finally:
            if chosen.json:
                text = as_json(report, without_server)
                chosen.json.write_text(text + "\n", encoding="utf-8")
            print("\n".join(f"{name}: {value}" for name, value in report.machine.items()))
            print(f"load after: {os.getloadavg()[0]:.1f}\nrounds: {report.rounds}\n")
            for each in (report, without_server):
                if each.rows:
                    print(each.as_table() + "\n")


def full_registry(report: Report, chosen: argparse.Namespace, folder: Path) -> None:
    """Queries and registrations on top of many documents, and documents of gigabytes."""
    with contextlib.ExitStack() as stack:
        dsn = stack.enter_context(cluster()).dsn if chosen.postgresql else None
        settings = dict(pair.split("=", 1) for pair in chosen.set)
        target = stack.enter_context(our_server(folder, dsn=dsn, settings=settings))
        try:
            registry.filled(target.running, chosen.documents)
            registry.measure(report, target, chosen.documents)
            registry.large_documents(report, target)
        except Exception:
            # The folder is about to be removed, and what the server said of it with it.
            print(target.running.log(20_000), flush=True)
            raise


def growing_archive(report: Report, chosen: argparse.Namespace, folder: Path) -> None:
    """Store, search and list in an archive of more and more studies."""
    with contextlib.ExitStack() as stack:
        dsn = stack.enter_context(cluster()).dsn if chosen.postgresql else None
        settings = dict(pair.split("=", 1) for pair in chosen.set)
        target = stack.enter_context(our_server(folder, dsn=dsn, settings=settings))
        try:
            archive.measure(report, target, chosen.studies or archive.SIZES)
        except Exception:
            print(target.running.log(20_000), flush=True)
            raise


def measure_served(
    report: Report, names: Sequence[str], chosen: argparse.Namespace, folder: Path
) -> None:
    """Start the servers and run the measurements that need them."""
    with contextlib.ExitStack() as stack:
        targets: list[Target] = []
        if chosen.only != "orthanc":
            dsn = stack.enter_context(cluster()).dsn if chosen.postgresql else None
            settings = dict(pair.split("=", 1) for pair in chosen.set)
            targets.append(stack.enter_context(our_server(folder, dsn=dsn, settings=settings)))
        if chosen.only != "pianku":
            targets.append(stack.enter_context(peer_server(folder)))
        bench = Bench(report, targets, folder, max(chosen.studies or [query.STUDIES]))
        for name in names:
            print(f"measuring {name} ...", flush=True)
            SERVED[name](bench)


if __name__ == "__main__":
    main()
