import tempfile
import threading
import time

from agarnet_jax.training.watchdog import Watchdog


def text_after(file, wanted, *, patience=60):
    """What is in the file once `wanted` is."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        file.seek(0)
        if wanted in (text := file.read()):
            return text
        time.sleep(0.05)
    raise AssertionError(f"no {wanted!r} in {text!r}")


def test_a_stall_shows_where_every_thread_is():
    released = threading.Event()

    def stuck_in_a_function_of_this_name():
        released.wait()

    thread = threading.Thread(target=stuck_in_a_function_of_this_name)
    thread.start()
    with tempfile.TemporaryFile("w+") as file:
        watchdog = Watchdog(0.1, file=file)
        watchdog.beat()
        text = text_after(file, "test_a_stall_shows")  # the last, the main thread's
        assert "No step has finished for 0.1 s" in text
        assert "stuck_in_a_function_of_this_name" in text
        watchdog.close()
    released.set()
    thread.join()


def test_nothing_is_said_before_the_first_beat_nor_if_switched_off():
    with tempfile.TemporaryFile("w+") as file:
        compiling, off = Watchdog(0.05, file=file), Watchdog(0, file=file)
        off.beat()
        time.sleep(0.5)
        compiling.close()
        off.close()
        file.seek(0)
        assert file.read() == ""
