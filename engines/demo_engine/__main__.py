"""`python -m engines.demo_engine --version 1|2 --host 127.0.0.1 --port N --data-dir DIR`.

Ends with 0 when asked to stop, 1 for a directory it cannot use, 2 for wrong arguments, 3 for a directory of another
version, 4 for a directory in use, 5 for a taken port.
"""

import argparse
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

log = logging.getLogger("loom")


def main(arguments: list[str] | None = None) -> int:
    """Run until asked to stop."""
    asked = _parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    signal.signal(signal.SIGTERM, signal.SIG_IGN if asked.ignore_sigterm else _leave)
    if asked.exit_after is not None:
        _exit_later(asked.exit_after, asked.exit_code)
    time.sleep(asked.start_delay)
    while asked.never_listen:
        signal.pause()
    return _serve(asked)


def _serve(asked: argparse.Namespace) -> int:
    # One core is what an engine of the smallest class has, and one thread keeps sums in one order.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from engines.demo_engine import files, layout  # noqa: PLC0415  # the fault options above must not wait for it
    from engines.demo_engine.server import bind, serve  # noqa: PLC0415  # nor for this

    data_dir: Path = asked.data_dir
    try:
        listener = bind(asked.host, asked.port)
    except OSError as error:
        return _refuse(5, f"Cannot listen on {asked.host}:{asked.port}: {error.strerror}. Choose another port.")
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with files.lock_directory(data_dir):
            files.remove_leftovers(data_dir)
            layout.claim_directory(data_dir, asked.version)
            serve(listener, asked.version, data_dir, stoppable=not asked.ignore_sigterm)
    except layout.WrongLayout as error:
        return _refuse(3, str(error))
    except files.DirectoryInUse as error:
        return _refuse(4, str(error))
    except (OSError, files.DiskFull) as error:
        return _refuse(1, f"Cannot use {data_dir}: {error}")
    log.info("Stopped")
    return 0


def _refuse(code: int, sentence: str) -> int:
    log.error(sentence)
    return code


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def _exit_later(seconds: float, code: int) -> None:
    def end() -> None:
        log.error("Ending with code %d, as --exit-after asked", code)
        logging.shutdown()
        os._exit(code)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    if seconds > 0:
        timer.start()
    else:
        end()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m engines.demo_engine", description="Loom, a CPU pattern-picture engine.")
    parser.add_argument("--version", type=int, choices=(1, 2), required=True, help="which data layout to use")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 takes any free port; the log says which")
    parser.add_argument("--data-dir", type=Path, required=True)
    faults = parser.add_argument_group("faults", "to see how what runs the engine copes; never used in earnest")
    faults.add_argument("--exit-after", type=float, metavar="SECONDS", help="end abruptly, counted from the start")
    faults.add_argument("--exit-code", type=int, default=1, help="the code --exit-after ends with (1)")
    faults.add_argument("--never-listen", action="store_true", help="run, but never open the port")
    faults.add_argument("--start-delay", type=float, default=0, metavar="SECONDS", help="wait before opening the port")
    faults.add_argument("--ignore-sigterm", action="store_true", help="only SIGKILL or SIGINT ends it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
