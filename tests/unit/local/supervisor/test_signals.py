"""Which signals end a program that listens for them."""

import signal
import threading

import pytest

from local.supervisor.signals import ENDING, Interrupted, Interruption


@pytest.mark.parametrize("number", sorted(ENDING))
def test_it_is_heard_where_the_program_waits(number: signal.Signals) -> None:
    with Interruption() as interruption:
        signal.pthread_kill(threading.get_ident(), number)
        with pytest.raises(Interrupted):
            interruption.wait()

        signal.pthread_kill(threading.get_ident(), number)
        with pytest.raises(Interrupted):
            interruption.pause(60)


def test_the_end_of_a_child_is_no_interruption() -> None:
    with Interruption() as interruption:
        signal.pthread_kill(threading.get_ident(), signal.SIGCHLD)
        interruption.wait()
