import tempfile
import threading
import time

from agarnet_jax.training.watchdog import Watchdog


def wait_for_text(file, wanted, *, timeout=60):
    """Returns the contents of the file once they include `wanted`."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        file.seek(0)
        if wanted in (text := file.read()):
            return text
        time.sleep(0.05)
    raise AssertionError(f"no {wanted!r} in {text!r}")


def test_a_stall_dumps_the_stacks_of_all_threads():
    released = threading.Event()

    def stuck_in_a_function_of_this_name():
        released.wait()

    thread = threading.Thread(target=stuck_in_a_function_of_this_name)
    thread.start()
    with tempfile.TemporaryFile("w+") as file:
        watchdog = Watchdog(0.1, file=file)
        watchdog.beat()
        text = wait_for_text(file, "test_a_stall_dumps")  # the last stack, of the main thread
        assert "No step has finished for 0.1 s" in text
        assert "stuck_in_a_function_of_this_name" in text
        watchdog.close()
    released.set()
    thread.join()


def test_nothing_is_reported_before_the_first_beat_or_when_disabled():
    with tempfile.TemporaryFile("w+") as file:
        compiling, off = Watchdog(0.05, file=file), Watchdog(0, file=file)
        off.beat()
        time.sleep(0.5)
        compiling.close()
        off.close()
        file.seek(0)
        assert file.read() == ""
