"""The demo: the site with all its programs, people who come with pictures, a worker that is killed, a count at the end."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from datetime import datetime
from io import BytesIO
from pathlib import Path

from PIL import Image
from rich.console import Console

from broker import NoBroker, broker, free_port
from crew import Crew, Program
from ledger import MAILS, NIGHTLY, PICTURE, Ledger
from people import NAMES, PASSWORD, Person
from pictures import SKIES, photograph
from post import PostOffice
from screen import Screen

LEASE = 3
"""Seconds after which others take over what a silent worker held (umbel's default is 30)."""
STALL = 60.0
"""Seconds without any news after which the demo gives up."""
OFTEN = 3
"""Seconds between two counts of all dashboards, which are a nightly affair otherwise."""
BOUNDS = (1920, 1080)
KNOWN = (".jpg", ".jpeg", ".png", ".webp")
MOST_BYTES = 20 << 20


class NoPictures(Exception):
    """The folder holds nothing to send."""


class Demo:
    """One run: starts the programs, lets people come, does the killing, and watches."""

    def __init__(self, people: list[Person], crew: Crew, post: PostOffice, screen: Screen, ledger: Ledger) -> None:
        self.people, self.crew, self.post, self.screen, self.ledger = people, crew, post, screen, ledger
        self.visits: list[Future[None]] = []
        self.torn: dict[str, str] = {}
        """Ids and names of what the killed worker held."""
        self.killed_at = 0.0
        self.is_back = False
        self.letters = 0
        self.problem = ""
        self.last_news = time.monotonic()

    def open(self, port: int) -> None:
        """Start all programs, as in the site's document."""
        self.crew.run("python manage.py migrate -v0")
        self.crew.run("python manage.py seed")
        self._say("python manage.py migrate; python manage.py seed")
        self.crew.start("web", f"daphne -b 127.0.0.1 -p {port} config.asgi:application")
        for name in ("north", "south"):
            self._worker(name)
        self.beat = self.crew.start("beat", "celery -A config beat --loglevel=info")
        self._say("web, two workers of 2 processes each, beat, and a mail server are started")
        self._wait_for_web(port)
        self.screen.place = f"{self.people[0].address}/photos/ · log in as {self.people[0].name}, password {PASSWORD}"
        self._say(f"the site is at {self.people[0].address} (log in as {self.people[0].name}, password {PASSWORD})", "bold cyan")
        self.crew.run(f"celery -A config -q schedule add often {NIGHTLY} --every {OFTEN}")
        self._say(f"beat, which is running, is told to count all dashboards every {OFTEN} s, not only at night")

    def _say(self, line: str, style: str = "") -> None:
        """Add a line to the story before it has really begun."""
        self.screen.say(line, style)
        self.screen.show({}, self.crew.programs)

    def _worker(self, name: str) -> Program:
        return self.crew.start(f"worker {name}", f"celery -A config worker --loglevel=info -n {name}@%h -c 2")

    def _wait_for_web(self, port: int) -> None:
        while not self._stuck():
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(self.problem)

    # -- what happens ---------------------------------------------------------------------------------------------

    def run(self) -> bool:
        """Let people come, and watch until all is done; True if that came."""
        with ThreadPoolExecutor(len(self.people)) as coming:
            self.visits = [coming.submit(person.visit) for person in self.people]
            self.screen.say(f"{len(self.people)} people come at once: they register, give, and send pictures")
            while not (self._is_done() or self._stuck()):
                self._tick()
                time.sleep(0.05 if self.killed_at else 0.01)  # pictures are soon ready: the moment is not to be missed
        if not self.problem:
            self.screen.say("all is done; beat is asked to stop, then the others")
            self.beat.process.terminate()
            self.beat.fate = f"stopped (exit {self.beat.process.wait()})"
            while not (self._is_quiet() or self._stuck()):
                self._tick()
                time.sleep(0.05)
        if self.problem:
            self.screen.say(self.problem, "bold red")
        return not self.problem

    def _tick(self) -> None:
        self._read()
        self._deliver()
        self._maybe_kill()
        self._maybe_replace()
        self._draw()

    def _read(self) -> None:
        before = dict(self.ledger.received)
        for program in self.crew.programs:
            if self.ledger.read(program):
                self.last_news = time.monotonic()
        again = [id for id in self.torn if self.ledger.received[id] > before.get(id, 0)]
        if again:
            kinds = " and ".join(sorted({self.torn[id].rpartition(".")[2] for id in again}))
            self.screen.say(f"{number(len(again), 'task')} that the dead worker held ({kinds}) handed out again", "yellow")

    def _deliver(self) -> None:
        letters = self.post.letters()
        for letter in letters[self.letters :]:
            self.screen.say(f"mail '{letter['Subject']}' came by SMTP for {letter['To']}", "green")
        self.letters = len(letters)

    def _maybe_kill(self) -> None:
        pictures = self.ledger.pictures()
        ready = sum(state != "received" for state, _ in pictures.values())
        if self.killed_at or ready < self._count() / 3:
            return
        north = next(program for program in self.crew.programs if program.name == "worker north")
        north.signal(signal.SIGSTOP)  # so that what it runs cannot end between looking and killing
        self._read()
        held = set(north.held.values())
        if PICTURE not in held or held & set(MAILS):  # a mail under way might come twice, and proves nothing
            north.signal(signal.SIGCONT)
            return
        north.signal(signal.SIGKILL)
        north.process.wait()
        self.killed_at = time.monotonic()
        north.was_killed, north.fate = True, "killed, with all its processes"
        self.torn = dict(north.held)
        north.held.clear()
        count = number(list(self.torn.values()).count(PICTURE), "picture")
        self.screen.say(f"SIGKILL to worker north and its processes, which hold {count}", "bold red")
        self.screen.say(f"what it held comes back when its lease ends, in at most {LEASE} s", "dim")

    def _maybe_replace(self) -> None:
        """What a platform does with a service that has died."""
        if self.killed_at and not self.is_back and time.monotonic() > self.killed_at + 1:
            self.is_back = True
            self._worker("north")
            self.screen.say("worker north is started anew, as a platform would")

    # -- how far it is --------------------------------------------------------------------------------------------

    def _count(self) -> int:
        """How many pictures are to come."""
        return sum(len(person.pictures) for person in self.people)

    def bars(self) -> dict[str, tuple[int, int]]:
        """How far each thing is: done, and of how many."""
        pictures = self.ledger.pictures()
        sql = "SELECT count(*), (SELECT count(*) FROM core_contribution) FROM auth_user"
        users, given = self.ledger.rows(sql)[0]
        return {
            "people": (users, len(self.people)),
            "mails": (self.letters, len(self.people)),
            "gifts": (given, self._count()),
            "pictures sent": (len(pictures), self._count()),
            "processed": (sum(state != "received" for state, _ in pictures.values()), self._count()),
        }

    def _draw(self) -> None:
        again = bool(self.torn) and all(self.ledger.ended[id] for id in self.torn)
        self.screen.show(self.bars(), self.crew.programs, keep=self.screen.kept is None and again)

    def _is_done(self) -> bool:
        visits = all(visit.done() for visit in self.visits)
        return visits and all(done >= total for done, total in self.bars().values()) and self._is_counted()

    def _is_counted(self) -> bool:
        """True once all dashboards tell what people gave and sent."""
        wrong = """SELECT count(*) FROM auth_user someone LEFT JOIN core_impactdashboard told ON told.user_id = someone.id
            WHERE coalesce(told.euros, -1) <> (SELECT total(euros) FROM core_contribution WHERE user_id = someone.id)
            OR told.photos <> (SELECT count(*) FROM core_photo WHERE user_id = someone.id AND state = 'ready')"""
        return bool(self.ledger.rows(wrong)[0][0] == 0)

    def _is_quiet(self) -> bool:
        """True once nothing is held, and all that was ever handed out has ended."""
        return not any(program.held for program in self.crew.living()) and self.ledger.received.keys() <= self.ledger.ended.keys()

    def _stuck(self) -> bool:
        """True if there is no use in waiting on; then `problem` says why."""
        for visit in self.visits:
            if visit.done() and (error := visit.exception()):
                self.problem = f"somebody could not go on: {error}"
        for program in self.crew.living():
            if program.process.poll() is not None:
                self.problem = f"{program.name} ended by itself ({program.process.returncode}): see {program.log}"
        if time.monotonic() - self.last_news > STALL:
            self.problem = f"nothing has happened for {STALL:.0f} s: see {self.crew.folder}/*.log"
        return bool(self.problem)


# -- the count ------------------------------------------------------------------------------------------------------


def counts(demo: Demo) -> list[tuple[bool, str]]:
    """What came out, each with whether it is right. Asks the site, as people would."""
    people, ledger = demo.people, demo.ledger
    recipients = [letter["To"] for letter in demo.post.letters()]
    pictures = ledger.pictures()
    sent = {path: (person, source) for person in people for path, source in person.sent.items()}
    good = [path for path, (state, _) in pictures.items() if state == "ready"]
    bad = {path: reason for path, (state, reason) in pictures.items() if state == "refused"}
    broken = [path for path, (_, source) in sent.items() if not opens(source.read_bytes())]
    wanted = len(sent) - len(broken)
    fine = sum(is_fit(sent[path][0].picture(path), sent[path][1]) for path in good)
    impacts = sum(is_right(person, good) for person in people)
    back = sum(ledger.ended[id] == 1 and ledger.received[id] > 1 for id in demo.torn)
    nightly = ledger.runs(NIGHTLY)
    told = [
        (len(people) == sum(person.is_here for person in people), f"{len(people)} people registered, and were logged in"),
        (
            sorted(recipients) == sorted(person.email for person in people),
            f"{len(recipients)} of {len(people)} welcome mails came, each once",
        ),
        (
            fine == len(good) == wanted,
            f"{fine} of {wanted} pictures are shown: upright, within {BOUNDS[0]} × {BOUNDS[1]}, no camera's notes",
        ),
        (impacts == len(people), f"{impacts} of {len(people)} dashboards tell exactly what was given and sent"),
        (nightly == ledger.ticks > 0, f"{nightly} of {ledger.ticks} ticks of the beat ran, each once"),
        (not ledger.failed, f"{len(ledger.failed)} tasks failed"),
    ]
    if demo.torn:
        told.append(
            (back == len(demo.torn), f"{back} of {number(len(demo.torn), 'task')} of the killed worker ran elsewhere, and ended")
        )
    else:
        told.append((True, "nobody was killed: there were too few pictures to be in the middle of it"))
    if broken:
        told.append(
            (sorted(bad) == sorted(broken), f"{number(len(broken), 'broken picture')} refused: {next(iter(bad.values()), '')}")
        )
    return told


def number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def opens(data: bytes) -> bool:
    """True if this is a whole picture."""
    try:
        with Image.open(BytesIO(data)) as picture:
            picture.load()
    except OSError:
        return False
    return True


def is_fit(data: bytes, source: Path) -> bool:
    """True if this is `source`, made fit: as people hold it, small enough, without what its camera wrote."""
    if not opens(data):
        return False
    with Image.open(BytesIO(data)) as picture, Image.open(source) as before:
        turned = before.getexif().get(0x0112, 1) >= 5
        wide = (before.height >= before.width) if turned else (before.width >= before.height)
        small = picture.width <= BOUNDS[0] and picture.height <= BOUNDS[1]
        return small and wide == (picture.width >= picture.height) and not picture.getexif()


def is_right(person: Person, good: list[str]) -> bool:
    """True if somebody's dashboard tells what they gave and sent."""
    photos = sum(path in person.sent for path in good)
    given = {"projets": len(person.projets), "euros": person.euros, "hours": person.hours}
    return person.impact() == {**given, "photos": photos}


def show(told: list[tuple[bool, str]], out: Path, console: Console) -> bool:
    """Say how it went; True if all is right."""
    for right, line in told:
        console.print(
            f"  {'✔' if right else '✘'} {line}", style="green" if right else "bold red", highlight=False, soft_wrap=True
        )
    out = Path(os.path.relpath(out))
    for what in ("pictures", "media", "mails"):
        if (out / what).exists():
            console.print(f"  {what + ':':12}{out / what}", highlight=False, soft_wrap=True)
    console.print(f"  {'the rest:':12}databases and logs beside them", highlight=False)
    return all(right for right, _ in told)


# -- the whole ------------------------------------------------------------------------------------------------------


def look(folder: Path) -> list[Path]:
    """The pictures of a folder and of those in it; NoPictures says in one line what is wrong."""
    if not folder.exists():
        raise NoPictures(f"PHOTOS={folder}: there is no such folder")
    if not folder.is_dir():
        raise NoPictures(f"PHOTOS={folder} is a file: name the folder that holds the pictures")
    found = sorted(path.resolve() for path in folder.rglob("*") if path.suffix.lower() in KNOWN and path.is_file())
    fitting = [path for path in found if path.stat().st_size <= MOST_BYTES]
    if not fitting:
        raise NoPictures(f"PHOTOS={folder}: no pictures in it (looked for {', '.join(KNOWN)}, of at most 20 MB)")
    return fitting


def draw(folder: Path, count: int, screen: Screen) -> list[Path]:
    """So many landscapes of 12 megapixels, and a picture that is damaged."""
    folder.mkdir()
    kinds = list(SKIES)
    plan = [(kinds[n % len(kinds)], n, folder / f"{kinds[n % len(kinds)]}-{n + 1:02}.jpg") for n in range(count)]
    screen.show({"drawn": (0, count)}, [])
    with ProcessPoolExecutor() as cameras:
        for done, _ in enumerate(as_completed([cameras.submit(photograph, *each) for each in plan]), 1):
            screen.show({"drawn": (done, count)}, [])
    made = [path for _, _, path in plan]
    damaged = folder / "damaged.jpg"
    damaged.write_bytes(made[0].read_bytes()[:50_000])
    screen.say(f"{count} landscapes of 12 megapixels are drawn, some on their side; one more is damaged")
    return [*made, damaged]


def play(arguments: argparse.Namespace, console: Console) -> bool:
    """Run the demo once; True if all is right."""
    found = look(arguments.photos) if arguments.photos else []
    out = (Path("out") / f"demo-{datetime.now():%Y%m%d-%H%M%S}").absolute()
    out.mkdir(parents=True)
    port = free_port(arguments.port)
    address = f"http://127.0.0.1:{port}"
    title = f"EGOEJO on umbel: {arguments.people} people, web, 2 workers, beat; messages {_where(arguments.broker)}"
    with broker(arguments.broker, out) as places, PostOffice(out / "mails") as post:
        host, _, post_port = post.address.rpartition(":")
        environment = {
            **places,
            "SECRET_KEY": "for the demo only",
            "DATABASE_URL": f"sqlite:///{out}/site.sqlite3",
            "MEDIA_ROOT": str(out / "media"),
            "SITE_URL": address,
            "EMAIL_HOST": host,
            "EMAIL_PORT": post_port,
            "UMBEL_BROKER_LEASE": str(LEASE),
        }
        with Crew(out, environment) as crew, Screen(title, console) as screen:
            pictures = found or draw(out / "pictures", arguments.people * arguments.pictures - 1, screen)
            count = arguments.people
            people = [
                Person(NAMES[n % len(NAMES)] + str(n // len(NAMES) or ""), address, pictures[n::count]) for n in range(count)
            ]
            demo = Demo(people, crew, post, screen, Ledger(out / "site.sqlite3"))
            demo.open(port)
            ended = demo.run()
            told = [(ended, "the story came to its end"), *(counts(demo) if ended else [])]
            if ended and arguments.stay:
                screen.pause()
                _let_look(demo, console)
            told.append((crew.stop(), "all programs stopped when they were asked to"))
            screen.show(demo.bars(), crew.programs)
        right = show(told, out, console)
        if arguments.record and right:
            screen.record(arguments.record)
    return right


def _where(wish: str) -> str:
    return {"": "in a file", "sqlite": "in a file", "redis": "on Redis"}.get(wish, "on your Redis")


def _let_look(demo: Demo, console: Console) -> None:
    """Keep the site open for whoever sits at the terminal."""
    first = demo.people[0]
    console.print(f"\n  The site is still there: {first.address}/photos/ and /impact/", style="bold cyan")
    console.print(f"  Log in as {first.name} (or {demo.people[-1].name}), password {PASSWORD}. Enter ends it.", style="cyan")
    try:
        input()
    except (EOFError, KeyboardInterrupt):
        console.print()


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the site with all its programs, kills a worker, and counts what came out.")
    parser.add_argument("--broker", default="", help="sqlite (the default), redis (a server of the demo's own), or a Redis URL")
    parser.add_argument("--photos", type=Path, help="a folder of pictures to send; without it they are drawn")
    parser.add_argument("--people", type=int, default=6, help="how many come")
    parser.add_argument("--pictures", type=int, default=4, help="how many each of them sends, if they are drawn")
    parser.add_argument("--port", type=int, default=8000, help="of the site, if it is free")
    parser.add_argument("--record", type=Path, help="write a picture of the terminal to this SVG file")
    parser.add_argument(
        "--stay", action="store_true", default=sys.stdin.isatty() and sys.stdout.isatty(), help="keep the site open"
    )
    parser.add_argument("--no-stay", action="store_false", dest="stay", help="end at once when all is done")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console()
    try:
        return 0 if play(arguments, console) else 1
    except (NoPictures, NoBroker) as error:
        print(error, file=sys.stderr)
        return 2
    except RuntimeError as error:
        print(f"The demo cannot go on: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; all programs of the demo have ended.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
