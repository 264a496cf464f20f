"""The demo: makes albums with two umbel workers, kills one of them in the middle, and counts what came out."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

from PIL import Image
from rich.console import Console

from albums import Albums, NoPictures, drawn, found, look
from crew import Crew, Running, Worker
from diary import Diary, Line
from post import PostOffice
from screen import VERBS, Screen
from tasks import app

LEASE = 3.0
"""Seconds after which others take over what a silent worker held (umbel's default is 30)."""
STALL = 40.0
"""Seconds without any news after which the demo gives up."""


class Demo:
    """One run of the demo: looks at the diary, moves the albums on, and does the killing."""

    def __init__(self, albums: Albums, diary: Diary, crew: Crew, post: PostOffice, screen: Screen) -> None:
        self.albums, self.diary, self.crew, self.post, self.screen = albums, diary, crew, post, screen
        self.done: Counter[tuple[str, str]] = Counter()
        self.places: dict[tuple[str, str], list[int]] = {}
        """The processes that each task ran in."""
        self.torn: set[tuple[str, str]] = set()
        """What ran in a process when it was killed."""
        self.dead: set[int] = set()
        """The processes that were killed."""
        self.killed: set[str] = set()
        self.letters = 0
        self.last_news = time.monotonic()

    # -- what happens ---------------------------------------------------------------------------------------------

    def read(self) -> None:
        """Take in what the tasks wrote."""
        for line in self.diary.news():
            self.last_news = time.monotonic()
            worker = self.crew.workers[line.worker]
            if line.verb == "begun":
                self._begun(line, worker)
            else:
                worker.running.pop(line.pid, None)
                self.done[line.task, line.what] += line.verb == "done"
                worker.done += line.verb == "done"
                if line.verb == "broken":
                    self._broken(line)

    def _begun(self, line: Line, worker: Worker) -> None:
        if not worker.fate:
            worker.running[line.pid] = Running(line.task, line.what)
        worker.pids.add(line.pid)
        places = self.places.setdefault((line.task, line.what), [])
        places.append(line.pid)
        if len(places) > 1:
            self.screen.say(f"{VERBS[line.task]} {line.what} again, in worker {worker.name}", "yellow")

    def _broken(self, line: Line) -> None:
        picture = next(picture for picture in self.albums.pictures if picture.name == line.what)
        if not picture.broken:
            self.screen.say(f"{line.what} is no picture that can be read: buried with the dead letters", "red")
        picture.broken = True

    def deliver(self) -> None:
        """Say which mails have come."""
        letters = self.post.letters()
        for letter in letters[self.letters :]:
            sheet = next(letter.iter_attachments())
            size = len(sheet.get_content()) // 1000
            self.screen.say(f"mail {letter['Subject']!r} came by SMTP, with {sheet.get_filename()} ({size} kB)", "green")
        self.letters = len(letters)

    # -- the killing ----------------------------------------------------------------------------------------------

    def maybe_kill(self) -> None:
        """Kill a worker after a third of the pictures, and later one process of the other."""
        part = sum(picture.is_ready() for picture in self.albums.pictures) / len(self.albums.pictures)
        north, south = self.crew.workers["north"], self.crew.workers["south"]
        if "worker" not in self.killed and part >= 1 / 3:
            self._kill_worker(north)
        elif "child" not in self.killed and "worker" in self.killed and part >= 0.6:
            self._kill_child(south)

    def _kill_worker(self, worker: Worker) -> None:
        worker.signal(signal.SIGSTOP)  # so that what it runs cannot end between looking and killing
        self.read()
        if not self._is_good_moment(list(worker.running.values())):
            worker.signal(signal.SIGCONT)
            return
        worker.signal(signal.SIGKILL)
        worker.process.wait()
        worker.was_killed = True
        worker.fate = "killed, with all its processes"
        self._tear(worker, list(worker.running))
        self.killed.add("worker")
        self.screen.say(f"what it held comes back when its lease ends, in at most {LEASE:.0f} s", "dim")

    def _kill_child(self, worker: Worker) -> None:
        pid = next((pid for pid, run in worker.running.items() if self._is_good_moment([run])), 0)
        if not pid or not worker.owns(pid):
            return
        os.kill(pid, signal.SIGSTOP)
        self.read()
        if pid not in worker.running:
            os.kill(pid, signal.SIGCONT)
            return
        os.kill(pid, signal.SIGKILL)
        self._tear(worker, [pid])
        self.killed.add("child")

    def _is_good_moment(self, runs: list[Running]) -> bool:
        """True if all of these are about pictures; a mail that is under way might come twice, and that proves nothing."""
        return bool(runs) and all(run.task in {"draw", "thumbnail"} for run in runs)

    def _tear(self, worker: Worker, pids: list[int]) -> None:
        runs = [worker.running.pop(pid) for pid in pids]
        self.torn |= {(run.task, run.what) for run in runs}
        self.dead |= worker.pids if worker.was_killed else set(pids)
        what = " and ".join(f"{VERBS[run.task]} {run.what}" for run in runs)
        who = "worker " + worker.name if worker.was_killed else f"process {pids[0]} of worker {worker.name}"
        self.screen.say(f"SIGKILL to {who} while {what}", "bold red")

    # -- the story ------------------------------------------------------------------------------------------------

    def run(self) -> bool:
        """Tell the whole story; True if it ended."""
        self.screen.say("two workers start: north and south, 2 processes each")
        for name in ("north", "south"):
            self.crew.start(name, 2)
        begin = time.perf_counter()
        self.albums.begin()
        took = (time.perf_counter() - begin) * 1000
        self.screen.say(f"{number(len(self.albums.pictures), 'task')} sent in one batch, in {took:.0f} ms")
        while not self.albums.is_done():
            if problem := self._stuck():
                self.screen.say(problem, "bold red")
                return False
            self._tick()
            time.sleep(0.02)
        self._tick()
        self.screen.say("all is made; the workers are asked to stop")
        stopped = self.crew.stop()
        self._draw()
        return stopped

    def _tick(self) -> None:
        self.read()
        self.albums.step()
        self.maybe_kill()
        self.deliver()
        self._draw()

    def _stuck(self) -> str:
        """Why there is no use in waiting on, if so."""
        for worker in self.crew.living():
            if worker.process.poll() is not None:
                return f"worker {worker.name} ended by itself ({worker.process.returncode}): see {worker.log}"
        if time.monotonic() - self.last_news > STALL:
            return f"nothing has happened for {STALL:.0f} s: see {self.crew.folder}/worker-*.log"
        return ""

    def _draw(self) -> None:
        albums, pictures = self.albums.albums, self.albums.pictures
        bars = {}
        if any(picture.drawn for picture in pictures):
            bars["drawn"] = (sum(self.done["draw", picture.name] > 0 for picture in pictures), len(pictures))
        good = [album for album in albums if album.good()]
        bars["thumbnails"] = (sum(p.small.exists() for p in pictures), sum(not p.broken for p in pictures))
        bars["sheets"] = (sum(album.page.exists() for album in good), len(good))
        bars["mails"] = (self.letters, len(good))
        again = self.torn and all(len(self.places[run]) > 1 for run in self.torn)
        keep = self.screen.kept is None and len(self.killed) == 2 and bool(again)
        self.screen.show(bars, list(self.crew.workers.values()), keep=keep)


def counts(demo: Demo) -> list[tuple[bool, str]]:
    """What came out, each with whether it is right."""
    pictures = demo.albums.pictures
    good = [picture for picture in pictures if not picture.broken]
    broken = len(pictures) - len(good)
    whole = sum(opens(picture.small) for picture in good)
    files = len(list((demo.albums.out / "thumbnails").rglob("*.*")))
    again = {run for run, places in demo.places.items() if len(places) > 1}
    innocent = {run for run in again if not set(demo.places[run][:-1]) <= demo.dead}
    pages = [album for album in demo.albums.albums if album.good()]
    sheets = sum(opens(album.page) for album in pages)
    letters = demo.post.letters()
    mails = len({letter["Message-ID"] for letter in letters})
    told = [
        (whole == files == len(good), f"{whole} of {number(len(good), 'picture')} came out, each once"),
        (
            again >= demo.torn and not innocent,
            f"{number(len(again), 'task')} ran again, because what ran them was killed; no other did",
        ),
        (sheets == len(pages), f"{sheets} of {number(len(pages), 'contact sheet')}"),
        (mails == len(letters) == len(pages), f"{len(letters)} of {number(len(pages), 'mail')} came, each once"),
    ]
    if not good:
        told.append((False, "not one of the pictures could be read"))
    if broken:
        dead = app.broker.buried(limit=len(pictures))
        told.append((len(dead) == broken, f"{number(broken, 'broken file')} buried with the dead letters, with the reason"))
    return told


def number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def opens(path: Path) -> bool:
    """True if the file is a whole picture."""
    try:
        with Image.open(path) as picture:
            picture.load()
    except OSError:
        return False
    return True


def show(demo: Demo, ended: bool, console: Console) -> bool:
    """Say how it went; True if all is right."""
    told = [(ended, "the story came to its end"), *counts(demo)]
    if not demo.killed:
        told.append((True, "nobody was killed: there were too few pictures to be in the middle of it"))
    for right, line in told:
        console.print(f"  {'✔' if right else '✘'} {line}", style="green" if right else "bold red", highlight=False)
    out = Path(os.path.relpath(demo.albums.out))
    for what in ("pictures", "thumbnails", "sheets", "mails"):
        if (out / what).exists():
            console.print(f"  {what + ':':12}{out / what}", highlight=False, soft_wrap=True)
    console.print(f"  {'the rest:':12}umbel.db, diary and the workers' logs beside them", highlight=False)
    return all(right for right, _ in told)


def play(photos: Path | None, record: Path | None, console: Console) -> bool:
    """Run the demo once; True if all is right."""
    folders = look(photos) if photos else {}
    out = Path("out") / f"demo-{datetime.now():%Y%m%d-%H%M%S}"
    out = out.absolute()
    out.mkdir(parents=True)
    store = {"broker_url": f"sqlite:///{out}/umbel.db", "result_backend": f"sqlite:///{out}/umbel.db", "broker_lease": LEASE}
    app.conf.update(store)
    albums = found(out, folders) if folders else drawn(out)
    with PostOffice(out / "mails") as post:
        environment = {"ALBUM_SMTP": post.address, "ALBUM_DIARY": str(out / "diary")}
        environment |= {f"UMBEL_{name.upper()}": str(value) for name, value in store.items()}
        title = f"umbel: {number(len(albums.albums), 'album')}, {number(len(albums.pictures), 'picture')}, 2 workers"
        with Crew(out, environment) as crew, Screen(title, console) as screen:
            demo = Demo(albums, Diary(out / "diary"), crew, post, screen)
            ended = demo.run()
        right = show(demo, ended, console)
        if record and right:
            screen.record(record)
    app.close()
    return right


def main() -> int:
    parser = argparse.ArgumentParser(description="Makes albums with umbel, kills a worker meanwhile, and counts what came out.")
    parser.add_argument("--photos", type=Path, help="a folder of pictures; without it they are drawn")
    parser.add_argument("--record", type=Path, help="write a picture of the terminal to this SVG file")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console()
    try:
        return 0 if play(arguments.photos, arguments.record, console) else 1
    except NoPictures as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped; all processes of the demo have ended.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
